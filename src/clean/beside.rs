//! What stands in a compressed file beside its data: names, comments and fields of gzip headers (RFC 1952), skippable frames
//! of zstd (RFC 8878). It is gathered while the data is read, and looked at afterwards. Nothing is unpacked here but gzip.

use std::io::{self, BufRead, Read};
use std::sync::{Arc, Mutex, PoisonError};

use flate2::bufread::GzDecoder;

/// More than this beside the data of one file is no header: a table of 300,000 frames has room in it.
const MAX_BYTES: usize = 4 << 20;
/// In fewer bytes there is no room for what is masked: a field has a head of 4 bytes, and no value has less than 6. Each
/// block of BGZF has such a field.
const SHORT_BYTES: usize = 10;

/// What was gathered, for whoever looks at it when the data is read.
#[derive(Clone, Debug, Default)]
pub(super) struct Beside(Arc<Mutex<Vec<u8>>>);

impl Beside {
    fn add(&self, bytes: &[u8]) -> io::Result<()> {
        if bytes.len() < SHORT_BYTES {
            return Ok(());
        }
        let mut gathered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if gathered.len() + bytes.len() >= MAX_BYTES {
            return Err(io::Error::other("there is more beside the data than is looked at"));
        }
        gathered.extend_from_slice(bytes);
        gathered.push(b'\n');
        Ok(())
    }

    /// All of it, line by line.
    pub(super) fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Reads concatenated gzip streams as one, and gathers what their headers say.
pub(super) struct GzipStreams<R> {
    /// The stream at hand; `None` at the end.
    current: Option<GzDecoder<R>>,
    /// Whether its header was gathered.
    told: bool,
    beside: Beside,
}

impl<R: BufRead> GzipStreams<R> {
    pub(super) fn new(packed: R, beside: Beside) -> GzipStreams<R> {
        GzipStreams { current: Some(GzDecoder::new(packed)), told: false, beside }
    }
}

impl<R: BufRead> Read for GzipStreams<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(stream) = &mut self.current {
            let count = stream.read(buffer)?;
            if let Some(header) = stream.header().filter(|_| !self.told) {
                let texts = [header.filename(), header.comment(), header.extra()];
                texts.into_iter().flatten().try_for_each(|text| self.beside.add(text))?;
                self.told = true;
            }
            if count > 0 || buffer.is_empty() {
                return Ok(count);
            }
            let Some(mut rest) = self.current.take().map(GzDecoder::into_inner) else { break };
            if !rest.fill_buf()?.is_empty() {
                (self.current, self.told) = (Some(GzDecoder::new(rest)), false);
            }
        }
        Ok(0)
    }
}

/// Passes zstd frames on as they are, and gathers what the skippable ones hold. It follows the lengths only; whether the
/// rest of a frame is right is the decoder's to say.
pub(super) struct ZstdFrames<R> {
    packed: R,
    state: State,
    /// Of what `state` reads, the bytes that are here.
    held: Vec<u8>,
    beside: Beside,
}

/// What is read next.
#[derive(Clone, Copy, Debug)]
enum State {
    Magic,
    /// The length of a skippable frame.
    Length,
    /// So many bytes of a skippable frame.
    Skippable(usize),
    Descriptor,
    /// So many more bytes of a frame's header; whether a checksum ends the frame.
    Header(usize, bool),
    Block(bool),
    /// So many bytes of a block or a checksum, and what follows.
    Data(u64, After),
}

#[derive(Clone, Copy, Debug)]
enum After {
    /// Another block, in a frame with or without a checksum.
    Block(bool),
    Checksum,
    Frame,
}

impl<R: Read> ZstdFrames<R> {
    pub(super) fn new(packed: R, beside: Beside) -> ZstdFrames<R> {
        ZstdFrames { packed, state: State::Magic, held: Vec::new(), beside }
    }

    fn follow(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        loop {
            self.state = match self.state {
                State::Data(0, After::Block(sums)) => State::Block(sums),
                State::Data(0, After::Checksum) => State::Data(4, After::Frame),
                State::Data(0, After::Frame) => State::Magic,
                State::Data(left, after) => {
                    let here = left.min(bytes.len() as u64);
                    bytes = &bytes[here as usize..];
                    if here == 0 {
                        return Ok(());
                    }
                    State::Data(left - here, after)
                }
                state => match self.gather(state.needs(), &mut bytes) {
                    Some(held) => self.next(state, &held)?,
                    None => return Ok(()),
                },
            };
        }
    }

    /// The next `count` bytes, if they are all here.
    fn gather(&mut self, count: usize, bytes: &mut &[u8]) -> Option<Vec<u8>> {
        let (here, rest) = bytes.split_at((count - self.held.len()).min(bytes.len()));
        self.held.extend_from_slice(here);
        *bytes = rest;
        (self.held.len() == count).then(|| std::mem::take(&mut self.held))
    }

    fn next(&self, state: State, held: &[u8]) -> io::Result<State> {
        let number = || held.iter().rev().fold(0_usize, |sum, byte| sum << 8 | usize::from(*byte));
        Ok(match state {
            State::Magic if held == b"\x28\xb5\x2f\xfd" => State::Descriptor,
            State::Magic if (0x50..=0x5f).contains(&held[0]) && held[1..] == *b"\x2a\x4d\x18" => State::Length,
            State::Magic => return Err(io::Error::other("a frame of another kind")),
            State::Length if number() >= MAX_BYTES => {
                return Err(io::Error::other("there is more beside the data than is looked at"));
            }
            State::Length => State::Skippable(number()),
            State::Skippable(_) => {
                self.beside.add(held)?;
                State::Magic
            }
            State::Descriptor => {
                let single = held[0] & 0x20 != 0;
                let content = [usize::from(single), 2, 4, 8][usize::from(held[0] >> 6)];
                let dictionary = [0, 1, 2, 4][usize::from(held[0] & 3)];
                State::Header(usize::from(!single) + dictionary + content, held[0] & 4 != 0)
            }
            State::Header(_, sums) => State::Block(sums),
            State::Block(sums) => {
                let (last, kind, size) = (number() & 1 == 1, number() >> 1 & 3, number() >> 3);
                let after = match (last, sums) {
                    (false, _) => After::Block(sums),
                    (true, true) => After::Checksum,
                    (true, false) => After::Frame,
                };
                // A run is one byte.
                State::Data(if kind == 1 { 1 } else { size as u64 }, after)
            }
            State::Data(..) => state,
        })
    }
}

impl State {
    /// How many bytes it takes to go on.
    fn needs(self) -> usize {
        match self {
            State::Magic | State::Length => 4,
            State::Skippable(count) | State::Header(count, _) => count,
            State::Descriptor => 1,
            State::Block(_) => 3,
            State::Data(..) => 0,
        }
    }
}

impl<R: Read> Read for ZstdFrames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.packed.read(buffer)?;
        self.follow(&buffer[..count])?;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One byte at a time.
    struct Slow<'b>(&'b [u8]);

    impl Read for Slow<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let count = buffer.len().min(1);
            self.0.read(&mut buffer[..count])
        }
    }

    fn skippable(content: &[u8]) -> Vec<u8> {
        [b"\x5a\x2a\x4d\x18", &(content.len() as u32).to_le_bytes()[..], content].concat()
    }

    #[test]
    fn skippable_frames_are_found_between_frames_of_every_kind() {
        let text: Vec<u8> =
            (0..200_000_u32).flat_map(|at| (at.wrapping_mul(2_654_435_761) >> 7).to_le_bytes()).collect();
        let mut expected = Vec::new();
        let mut packed = Vec::new();
        for (number, (size, sums, known)) in
            [(0, false, false), (5, true, false), (300, false, true), (800_000, true, true), (70_000, false, false)]
                .into_iter()
                .enumerate()
        {
            let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
            encoder.include_checksum(sums).unwrap();
            encoder.include_contentsize(known).unwrap();
            if known {
                encoder.set_pledged_src_size(Some(size as u64)).unwrap();
            }
            io::Write::write_all(&mut encoder, &text[..size]).unwrap();
            packed.extend(encoder.finish().unwrap());
            let said = format!("between the frames {number}");
            packed.extend(skippable(said.as_bytes()));
            packed.extend(skippable(b"tiny"));
            expected.extend([said.as_bytes(), b"\n"].concat());
        }
        packed.extend(zstd::encode_all(&vec![0; 1 << 20][..], 1).unwrap());
        let readers: [&mut dyn Read; 2] = [&mut &packed[..], &mut Slow(&packed)];
        for reader in readers {
            let beside = Beside::default();
            let mut frames = ZstdFrames::new(reader, beside.clone());
            let mut same = Vec::new();
            frames.read_to_end(&mut same).unwrap();
            assert!(same == packed);
            assert_eq!(String::from_utf8(beside.take()), String::from_utf8(expected.clone()));
            assert!(matches!(frames.state, State::Magic), "{:?}", frames.state);
        }
    }

    #[test]
    fn what_is_no_frame_and_what_is_too_long_is_an_error() {
        let long = [&b"\x50\x2a\x4d\x18"[..], &(MAX_BYTES as u32).to_le_bytes()].concat();
        for packed in [&b"\x27\xb5\x2f\xfd"[..], &long] {
            let read = ZstdFrames::new(packed, Beside::default()).read_to_end(&mut Vec::new());
            assert!(read.is_err());
        }
        let many = skippable(&[b'x'; 1000]).repeat(MAX_BYTES / 1000 + 1);
        assert!(ZstdFrames::new(&many[..], Beside::default()).read_to_end(&mut Vec::new()).is_err());
    }

    #[test]
    fn the_headers_of_all_gzip_streams_are_gathered() {
        let mut packed = Vec::new();
        for (content, comment) in
            [("", "of an empty one"), ("text", "of a second"), ("x", "short"), ("", "and the last")]
        {
            let builder = flate2::GzBuilder::new().filename(format!("{content}.log")).comment(comment);
            let mut encoder = builder.write(Vec::new(), flate2::Compression::fast());
            io::Write::write_all(&mut encoder, content.as_bytes()).unwrap();
            packed.extend(encoder.finish().unwrap());
        }
        let beside = Beside::default();
        let mut text = String::new();
        GzipStreams::new(&packed[..], beside.clone()).read_to_string(&mut text).unwrap();
        assert_eq!(text, "textx");
        assert_eq!(beside.take(), b"of an empty one\nof a second\nand the last\n");
    }
}
