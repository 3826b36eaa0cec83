//! Compression of bodies: one layer of gzip or zstd, inflated under a cap. It does not read from connections.

use std::io::{self, Read};

use bytes::Bytes;

pub(super) use crate::config::daemon::Coding;

/// What a body may always inflate to, whatever its ratio: identical records compress better than any bomb cap allows.
const RATIO_FLOOR_BYTES: usize = 8 << 20;
/// Bytes that are counted at a time.
const PAGE_BYTES: usize = 16 << 10;
/// Largest window of a zstd frame: no frame needs more than the largest message (64 MiB).
const ZSTD_WINDOW_LOG: u32 = 26;

/// Why a body could not be inflated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum InflateError {
    /// It is larger than the cap, or inflates by more than the ratio.
    TooLarge,
    /// It is not what its header says.
    Malformed,
}

/// How far a body may inflate.
#[derive(Clone, Copy, Debug)]
pub(super) struct Caps {
    pub(super) max_message_bytes: usize,
    pub(super) max_ratio: usize,
}

impl Coding {
    /// The coding that a header names; `None` for one that we do not read, or for more than one layer.
    pub(super) fn named(name: &[u8]) -> Option<Coding> {
        match name.trim_ascii() {
            b"" | b"identity" => Some(Coding::Identity),
            b"gzip" | b"x-gzip" => Some(Coding::Gzip),
            b"zstd" => Some(Coding::Zstd),
            _ => None,
        }
    }

    /// Its name in headers; `None` where no header is written.
    pub(super) fn header(self) -> Option<&'static str> {
        match self {
            Coding::Identity => None,
            Coding::Gzip => Some("gzip"),
            Coding::Zstd => Some("zstd"),
        }
    }

    /// What `body` holds. All members of a gzip body are read, as the receiver behind us would.
    pub(super) fn inflate(self, body: Bytes, caps: Caps) -> Result<Bytes, InflateError> {
        let most = caps.max_message_bytes.min((body.len().saturating_mul(caps.max_ratio)).max(RATIO_FLOOR_BYTES));
        match self {
            Coding::Identity if body.len() > caps.max_message_bytes => Err(InflateError::TooLarge),
            Coding::Identity => Ok(body),
            Coding::Gzip => read_capped(|| Ok(flate2::bufread::MultiGzDecoder::new(&body[..])), body.len(), most),
            Coding::Zstd => {
                let decoder = || {
                    let mut decoder = zstd::stream::read::Decoder::with_buffer(&body[..])?;
                    decoder.window_log_max(ZSTD_WINDOW_LOG)?;
                    Ok(decoder)
                };
                read_capped(decoder, body.len(), most)
            }
        }
    }

    /// `body` compressed, at the fastest level: a hop stands between two machines that are near to each other.
    pub(super) fn deflate(self, body: Bytes) -> io::Result<Bytes> {
        match self {
            Coding::Identity => Ok(body),
            Coding::Gzip => {
                let mut packed = Vec::with_capacity(body.len() / 4 + 64);
                flate2::bufread::GzEncoder::new(&body[..], flate2::Compression::fast()).read_to_end(&mut packed)?;
                Ok(packed.into())
            }
            Coding::Zstd => Ok(zstd::bulk::compress(&body, 1)?.into()),
        }
    }
}

/// What a decoder gives, `most` bytes of it at most. Up to the floor it is kept as it comes; what is more is only counted at first,
/// so that a bomb costs no memory, and read once again if it is none.
fn read_capped<D: Read>(
    decoder: impl Fn() -> io::Result<D>,
    packed: usize,
    most: usize,
) -> Result<Bytes, InflateError> {
    let malformed = |_| InflateError::Malformed;
    let kept = most.min(RATIO_FLOOR_BYTES);
    let mut inflated = Vec::with_capacity(packed.saturating_mul(6).min(kept) + 1);
    let mut reading = decoder().map_err(malformed)?;
    reading.by_ref().take(kept as u64 + 1).read_to_end(&mut inflated).map_err(malformed)?;
    if inflated.len() <= kept {
        return Ok(inflated.into());
    }
    let mut length = inflated.len();
    drop(inflated);
    let mut page = [0; PAGE_BYTES];
    loop {
        match reading.read(&mut page) {
            _ if length > most => return Err(InflateError::TooLarge),
            Ok(0) => break,
            Ok(more) => length += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return Err(InflateError::Malformed),
        }
    }
    drop(reading);
    let mut inflated = vec![0; length];
    decoder().and_then(|mut again| again.read_exact(&mut inflated)).map_err(malformed)?;
    Ok(inflated.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAPS: Caps = Caps { max_message_bytes: 64 << 20, max_ratio: 100 };

    #[test]
    fn what_was_deflated_inflates_to_the_same_bytes() {
        let body = Bytes::from("the same line again and again\n".repeat(1000));
        for coding in [Coding::Identity, Coding::Gzip, Coding::Zstd] {
            let packed = coding.deflate(body.clone()).unwrap();
            assert_eq!(coding.inflate(packed, CAPS), Ok(body.clone()), "{coding:?}");
        }
    }

    #[test]
    fn a_bomb_is_refused_by_its_ratio_and_by_its_size() {
        let zeros = Bytes::from(vec![0; 70 << 20]);
        for coding in [Coding::Gzip, Coding::Zstd] {
            let bomb = coding.deflate(zeros.clone()).unwrap();
            assert_eq!(coding.inflate(bomb.clone(), CAPS), Err(InflateError::TooLarge), "{coding:?}");
            let small = Caps { max_message_bytes: 1 << 20, max_ratio: usize::MAX };
            assert_eq!(coding.inflate(bomb, small), Err(InflateError::TooLarge), "{coding:?}");
        }
    }

    #[test]
    fn every_member_is_read_and_a_cut_one_is_refused() {
        for coding in [Coding::Gzip, Coding::Zstd] {
            let one = coding.deflate(Bytes::from_static(b"first ")).unwrap();
            let two = coding.deflate(Bytes::from_static(b"second")).unwrap();
            let both: Bytes = [&one[..], &two[..]].concat().into();
            assert_eq!(coding.inflate(both.clone(), CAPS).as_deref(), Ok(&b"first second"[..]), "{coding:?}");
            let cut = both.slice(..both.len() - 3);
            assert_eq!(coding.inflate(cut, CAPS), Err(InflateError::Malformed), "{coding:?}");
            let trailing: Bytes = [&one[..], b"uninspected"].concat().into();
            assert_eq!(coding.inflate(trailing, CAPS), Err(InflateError::Malformed), "{coding:?}");
        }
    }

    #[test]
    fn a_large_body_is_read_whole_and_to_its_last_byte() {
        let lines = (0..700_000).map(|n| format!("record {n} of a large batch\n"));
        let body = Bytes::from(lines.collect::<String>());
        assert!(body.len() > 2 * RATIO_FLOOR_BYTES);
        for coding in [Coding::Gzip, Coding::Zstd] {
            let packed = coding.deflate(body.clone()).unwrap();
            assert_eq!(coding.inflate(packed.clone(), CAPS), Ok(body.clone()), "{coding:?}");
            let exact = Caps { max_message_bytes: body.len(), max_ratio: 100 };
            assert_eq!(coding.inflate(packed.clone(), exact), Ok(body.clone()), "{coding:?}");
            let short = Caps { max_message_bytes: body.len() - 1, max_ratio: 100 };
            assert_eq!(coding.inflate(packed.clone(), short), Err(InflateError::TooLarge), "{coding:?}");
            let cut = packed.slice(..packed.len() - 3);
            assert_eq!(coding.inflate(cut, CAPS), Err(InflateError::Malformed), "{coding:?}");
            let trailing: Bytes = [&packed[..], b"uninspected"].concat().into();
            assert_eq!(coding.inflate(trailing, CAPS), Err(InflateError::Malformed), "{coding:?}");
        }
    }

    #[test]
    fn one_layer_is_read_and_no_more() {
        assert_eq!(Coding::named(b" gzip "), Some(Coding::Gzip));
        assert_eq!(Coding::named(b"gzip, gzip"), None);
        assert_eq!(Coding::named(b"br"), None);
    }
}
