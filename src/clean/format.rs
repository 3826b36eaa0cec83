//! What a file is, by its first bytes and its name; and the readers and writers of compressed streams.

use std::io::{self, BufReader, Read, Write};
use std::sync::{Arc, Mutex, PoisonError};

use flate2::GzBuilder;
use flate2::bufread::{GzDecoder, MultiGzDecoder};
use flate2::write::GzEncoder;

use super::beside::{Beside, GzipStreams, ZstdFrames};
use super::budget::{Budget, Counted};
use super::scan::LONG_PACKED_BYTES;
use crate::engine::is_wide;

/// So many bytes tell whether a file is text.
const SNIFFED_BYTES: usize = 8 << 10;
/// The largest window of zstd that is read: 16 MiB, which is what levels up to 19 use. It bounds the memory of a stream.
const ZSTD_WINDOW_LOG: u32 = 24;
/// What is written is compressed fast: a cleaned copy is sent once.
const GZIP_LEVEL: u32 = 1;
const ZSTD_LEVEL: i32 = 1;
/// Compressed bytes are read in blocks of this size.
const PACKED_BYTES: usize = 64 << 10;

/// A compression that wraps one stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Codec {
    Gzip,
    Zstd,
}

/// What the bytes of a stream are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Text,
    Binary,
    Tar,
    Zip,
    Packed(Codec),
    /// UTF-16 or UTF-32, which no rule can read.
    Wide,
    /// Something compressed that is not understood.
    Unsupported(&'static str),
}

impl Format {
    /// Looks at the first bytes of a stream, of which there are at least 8 KiB if there are so many, and at its name.
    pub(super) fn of(head: &[u8], name: &[u8]) -> Format {
        const MAGIC: &[(&[u8], Format)] = &[
            (b"\x1f\x8b\x08", Format::Packed(Codec::Gzip)),
            (b"\x28\xb5\x2f\xfd", Format::Packed(Codec::Zstd)),
            (b"PK\x03\x04", Format::Zip),
            (b"PK\x05\x06", Format::Zip),
            (b"BZh", Format::Unsupported("bzip2")),
            (b"\xfd7zXZ\0", Format::Unsupported("xz")),
            (b"\x04\x22\x4d\x18", Format::Unsupported("lz4")),
            (b"7z\xbc\xaf\x27\x1c", Format::Unsupported("7z")),
            (b"Rar!\x1a\x07", Format::Unsupported("rar")),
            (b"\x1f\x9d", Format::Unsupported("compress")),
        ];
        let magic = MAGIC.iter().find(|(magic, _)| head.starts_with(magic)).map(|(_, format)| *format);
        match magic {
            // Three letters begin a line of text, too.
            Some(Format::Unsupported("bzip2")) if !is_binary(head) => Format::Text,
            Some(format) => format,
            None if is_skippable_zstd(head) => Format::Packed(Codec::Zstd),
            None if is_tar(head, name) => Format::Tar,
            None if is_wide(head) => Format::Wide,
            None if is_binary(head) => Format::Binary,
            None => Format::Text,
        }
    }

    /// Its name in messages.
    pub(super) fn name(self) -> &'static str {
        match self {
            Format::Text | Format::Binary | Format::Wide => "",
            Format::Tar => "tar archive",
            Format::Zip => "zip archive",
            Format::Packed(codec) => codec.name(),
            Format::Unsupported(name) => name,
        }
    }
}

fn is_binary(head: &[u8]) -> bool {
    memchr::memchr(0, &head[..head.len().min(SNIFFED_BYTES)]).is_some()
}

/// `pzstd` and others begin with a frame that holds no data.
fn is_skippable_zstd(head: &[u8]) -> bool {
    head.len() >= 4 && (0x50..=0x5f).contains(&head[0]) && head[1..4] == *b"\x2a\x4d\x18"
}

/// Tar says so at byte 257; older ones only by a name and a checksum that is right.
fn is_tar(head: &[u8], name: &[u8]) -> bool {
    let Some(block) = head.first_chunk::<512>() else { return false };
    if &block[257..262] == b"ustar" {
        return true;
    }
    let named = [&b".tar"[..], b".tgz", b".tar.gz", b".tar.zst", b".tzst"].iter().any(|end| name.ends_with(end));
    let header = tar::Header::from_byte_slice(block);
    let sum = block[..148].iter().chain(&block[156..]).map(|byte| u32::from(*byte)).sum::<u32>() + 8 * 32;
    named && header.cksum().is_ok_and(|told| told == sum)
}

impl Codec {
    /// Its name in messages.
    pub(super) fn name(self) -> &'static str {
        match self {
            Codec::Gzip => "gzip",
            Codec::Zstd => "zstd",
        }
    }

    /// What comes out of `packed`, counted against `budget`. Concatenated streams are read as one.
    pub(super) fn decoder<'r>(
        self,
        packed: impl Read + Send + 'r,
        budget: &'r Budget,
    ) -> io::Result<Box<dyn Read + Send + 'r>> {
        let packed = BufReader::with_capacity(PACKED_BYTES, packed);
        Ok(match self {
            Codec::Gzip => Box::new(Counted { inner: MultiGzDecoder::new(packed), budget }),
            Codec::Zstd => {
                let mut decoder = zstd::stream::read::Decoder::with_buffer(packed)?;
                decoder.window_log_max(ZSTD_WINDOW_LOG)?;
                Box::new(Counted { inner: decoder, budget })
            }
        })
    }

    /// As [`Codec::decoder`], and gathers in `beside` what stands beside the data.
    pub(super) fn watched<'r>(
        self,
        packed: impl Read + Send + 'r,
        budget: &'r Budget,
        beside: &Beside,
    ) -> io::Result<Box<dyn Read + Send + 'r>> {
        match self {
            Codec::Gzip => {
                let packed = BufReader::with_capacity(PACKED_BYTES, packed);
                Ok(Box::new(Counted { inner: GzipStreams::new(packed, beside.clone()), budget }))
            }
            Codec::Zstd => self.decoder(ZstdFrames::new(packed, beside.clone()), budget),
        }
    }

    /// Compresses what is written, as `head`, the first bytes of the original, was. A `length` of the original that is worth
    /// it has zstd do so on a thread of its own; that its output is another then must not hang on how much work there is.
    pub(super) fn encoder<'w>(self, head: &[u8], out: impl Write + Send + 'w, length: u64) -> io::Result<Encoder<'w>> {
        let out: Box<dyn Write + Send + 'w> = Box::new(out);
        Ok(match self {
            Codec::Gzip => Encoder::Gzip(Box::new(gzip_like(head).write(out, flate2::Compression::new(GZIP_LEVEL)))),
            Codec::Zstd => {
                let mut encoder = zstd::stream::write::Encoder::new(out, ZSTD_LEVEL)?;
                encoder.include_checksum(true)?;
                if length >= LONG_PACKED_BYTES {
                    encoder.multithread(1)?;
                }
                Encoder::Zstd(Box::new(encoder))
            }
        })
    }
}

/// A builder with the name, the time and the comment of the first stream.
fn gzip_like(head: &[u8]) -> GzBuilder {
    let decoder = GzDecoder::new(head);
    let Some(header) = decoder.header() else { return GzBuilder::new() };
    let mut builder = GzBuilder::new().mtime(header.mtime()).operating_system(header.operating_system());
    if let Some(name) = header.filename() {
        builder = builder.filename(name);
    }
    if let Some(comment) = header.comment() {
        builder = builder.comment(comment);
    }
    if let Some(extra) = header.extra() {
        builder = builder.extra(extra);
    }
    builder
}

/// A compressed stream that is being written.
pub(super) enum Encoder<'w> {
    Gzip(Box<GzEncoder<Box<dyn Write + Send + 'w>>>),
    Zstd(Box<zstd::stream::write::Encoder<'static, Box<dyn Write + Send + 'w>>>),
}

impl Encoder<'_> {
    /// Writes the end of the stream.
    pub(super) fn finish(self) -> io::Result<()> {
        match self {
            Encoder::Gzip(encoder) => encoder.finish().and_then(|mut out| out.flush()),
            Encoder::Zstd(encoder) => encoder.finish().and_then(|mut out| out.flush()),
        }
    }
}

impl Write for Encoder<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Encoder::Gzip(encoder) => encoder.write(bytes),
            Encoder::Zstd(encoder) => encoder.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Holds what a compressor wrote until somebody takes it.
#[derive(Clone, Default)]
pub(super) struct Drain(Arc<Mutex<Vec<u8>>>);

impl Drain {
    /// What was written since it was asked last.
    pub(super) fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Write for Drain {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_what_its_first_bytes_say() {
        let tar = |name: &str| {
            let mut header = tar::Header::new_old();
            header.set_path(name).unwrap();
            header.set_size(0);
            header.set_cksum();
            header.as_bytes().to_vec()
        };
        let ustar = [&[b'x'; 257][..], b"ustar", &[0; 250]].concat();
        let cases: &[(&[u8], &str, Format)] = &[
            (b"", "empty.gz", Format::Text),
            (b"text", "a.zip", Format::Text),
            (b"a\0b", "a.log", Format::Binary),
            (b"\xff\xfea\0", "a.log", Format::Wide),
            (b"\xfe\xff\0a", "a.log", Format::Wide),
            (b"\x1f\x8b\x08\0", "a.log", Format::Packed(Codec::Gzip)),
            (b"\x28\xb5\x2f\xfd", "a", Format::Packed(Codec::Zstd)),
            (b"\x51\x2a\x4d\x18\0\0\0\0", "a.zst", Format::Packed(Codec::Zstd)),
            (b"PK\x03\x04", "a.docx", Format::Zip),
            (b"BZh is how this line begins", "a.log", Format::Text),
            (b"BZh91AY\0", "a.bz2", Format::Unsupported("bzip2")),
            (&ustar, "whatever", Format::Tar),
            (&tar("x"), "old.tar", Format::Tar),
            (&tar("x"), "old.bin", Format::Binary),
        ];
        for (head, name, expected) in cases {
            assert_eq!(Format::of(head, name.as_bytes()), *expected, "{name}");
        }
    }

    #[test]
    fn concatenated_streams_are_read_as_one_and_written_in_kind() {
        for (codec, length) in [(Codec::Gzip, 0), (Codec::Zstd, 0), (Codec::Zstd, LONG_PACKED_BYTES)] {
            let mut packed = Vec::new();
            for part in ["one\n", "two\n"] {
                let mut encoder = codec.encoder(&[], &mut packed, length).unwrap();
                encoder.write_all(part.as_bytes()).unwrap();
                encoder.finish().unwrap();
            }
            let budget = Budget::new(packed.len() as u64, 1 << 20, 100);
            let mut text = String::new();
            codec.decoder(&packed[..], &budget).unwrap().read_to_string(&mut text).unwrap();
            assert_eq!(text, "one\ntwo\n");
            let cut = &packed[..packed.len() - 3];
            assert!(codec.decoder(cut, &budget).unwrap().read_to_end(&mut Vec::new()).is_err(), "{codec:?}");
        }
    }
}
