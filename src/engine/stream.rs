//! A stream of any chunking through one engine, on the caller's thread. Reading and writing are the caller's.

use std::io;
use std::sync::Arc;

use super::scan::{Carry, Scratch};
use super::tally::Tally;
use super::{Cutter, Engine, Masked};

/// Redacts a stream: the same bytes come out however they were cut when they were pushed.
///
/// ```
/// use std::sync::Arc;
/// use inkout::engine::{Engine, Limits, Policy, Stream};
/// use inkout::rules::Catalog;
///
/// let engine = Engine::compile(Catalog::builtin().set, Policy::default(), &Limits::default())?;
/// let mut stream = Stream::new(Arc::new(engine));
/// let mut out = Vec::new();
/// for chunk in ["user=ada pass", "word=hunter2 port=1\nnext", " line"] {
///     stream.push(chunk.as_bytes(), |masked| out.extend_from_slice(masked.as_bytes()));
/// }
/// stream.finish(|masked| out.extend_from_slice(masked.as_bytes()));
/// assert_eq!(out, b"user=ada password=REDACTED.password port=1\nnext line");
/// # Ok::<(), inkout::engine::CompileError>(())
/// ```
pub struct Stream {
    engine: Arc<Engine>,
    scratch: Scratch,
    cutter: Cutter,
    carry: Carry,
    tally: Tally,
}

impl Stream {
    /// A stream through `engine`.
    pub fn new(engine: Arc<Engine>) -> Stream {
        let (scratch, cutter) = (engine.scratch(), Cutter::new(engine.limits.max_record_bytes));
        Stream { engine, scratch, cutter, carry: Carry::default(), tally: Tally::default() }
    }

    /// Says what the stream is called: exemptions may hold for some sources only.
    pub fn from_source(mut self, source: &str) -> Stream {
        self.scratch.read_from(source);
        self
    }

    /// Takes `chunk` and hands every record that is final now to `sink`.
    pub fn push(&mut self, chunk: &[u8], mut sink: impl FnMut(Masked)) {
        self.cutter.buffer().extend_from_slice(chunk);
        while let Some(piece) = self.cutter.next_piece() {
            sink(self.redact(&piece));
        }
    }

    /// Ends the input: what is left is final.
    pub fn finish(&mut self, mut sink: impl FnMut(Masked)) {
        while let Some(piece) = self.cutter.finish() {
            sink(self.redact(&piece));
        }
        self.carry = Carry::default();
    }

    /// What was done so far.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    fn redact(&mut self, piece: &super::Piece) -> Masked {
        let (masked, carry, tally) = self.engine.redact_piece(&mut self.scratch, &self.carry, piece);
        self.carry = carry;
        self.tally.add(&tally);
        masked
    }
}

/// A writer that masks what a program writes before it reaches the writer behind it: for a program's own log.
///
/// Complete lines go through at once; an incomplete one waits for its end, also when the writer is flushed, because half
/// a secret is no secret yet. [`MaskingWriter::finish`] writes it.
///
/// ```
/// use std::io::Write;
/// use std::sync::Arc;
/// use inkout::engine::{Engine, Limits, MaskingWriter, Policy};
/// use inkout::rules::Catalog;
///
/// let engine = Engine::compile(Catalog::builtin().set, Policy::default(), &Limits::default())?;
/// let mut log = MaskingWriter::new(Arc::new(engine), Vec::new());
/// writeln!(log, "connecting to postgres://svc:{}@db/app", "hunter2")?;
/// assert_eq!(log.finish()?, b"connecting to postgres://svc:REDACTED.url-password@db/app\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct MaskingWriter<W> {
    stream: Stream,
    inner: W,
}

impl<W: io::Write> MaskingWriter<W> {
    /// Masks with `engine` what is written to `inner`.
    pub fn new(engine: Arc<Engine>, inner: W) -> MaskingWriter<W> {
        MaskingWriter { stream: Stream::new(engine), inner }
    }

    /// Writes the incomplete line at the end and returns the writer behind.
    ///
    /// # Errors
    /// Those of the writer behind.
    pub fn finish(mut self) -> io::Result<W> {
        let mut done = Ok(());
        self.stream.finish(|masked| {
            if done.is_ok() {
                done = self.inner.write_all(masked.as_bytes());
            }
        });
        done.and_then(|()| self.inner.flush()).map(|()| self.inner)
    }
}

impl<W: io::Write> io::Write for MaskingWriter<W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let mut done = Ok(());
        let inner = &mut self.inner;
        self.stream.push(buffer, |masked| {
            if done.is_ok() {
                done = inner.write_all(masked.as_bytes());
            }
        });
        done.map(|()| buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::engine::{HashKey, Limits, Policy, Purpose};
    use crate::rules::Catalog;

    fn engine(max_record_bytes: usize) -> Engine {
        let hash_key = HashKey::new(vec![7; 16]).ok();
        let policy = Policy { hash_key, ..Policy::default() };
        Engine::compile(Catalog::builtin().set, policy, &Limits { max_record_bytes, ..Limits::default() }).unwrap()
    }

    /// What was found, cut out of the pieces.
    fn found(engine: &Engine, text: &[u8]) -> Vec<String> {
        let (mut cutter, mut scratch, mut carry) =
            (Cutter::new(engine.limits.max_record_bytes), engine.scratch(), Carry::default());
        cutter.buffer().extend_from_slice(text);
        let mut found = Vec::new();
        while let Some(piece) = cutter.next_piece().or_else(|| cutter.finish()) {
            let (_, next, _) = engine.redact_piece(&mut scratch, &carry, &piece);
            let secrets = scratch.found().iter().map(|span| &piece.body()[span.start..span.end]);
            found.extend(secrets.map(|secret| String::from_utf8_lossy(secret).into_owned()));
            carry = next;
        }
        found
    }

    #[test]
    fn what_was_found_is_told_by_its_place_in_the_piece() {
        let engine = engine(64 << 10);
        assert_eq!(
            found(
                &engine,
                b"a
password=hunter2 b
c pwd=hunter3
"
            ),
            ["hunter2", "hunter3"]
        );
        let long = [vec![b' '; 200 << 10], b"password=hunter2 ".to_vec(), vec![b'.'; 100 << 10]].concat();
        assert_eq!(found(&engine, &long), ["hunter2"]);
        assert_eq!(engine.redact(&mut engine.scratch(), &Carry::default(), Bytes::new()).2, Tally::default());
    }

    #[test]
    fn a_fingerprint_does_not_depend_on_the_carrier() {
        let engine = engine(1 << 20);
        let of = |secret: &[u8]| engine.fingerprint(Purpose::Finding, secret).unwrap();
        assert_eq!(of(b"Bearer a/b-c+d"), of(b"a%2Fb-c%2Bd"));
        assert_ne!(of(b"a"), of(b"b"));
        assert_ne!(engine.fingerprint(Purpose::Allow, b"a").unwrap(), of(b"a"));
    }
}
