//! Reads inputs piece by piece for the subcommands that look at a log instead of passing it on.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crate::engine::{Cutter, Piece, is_wide};
use crate::pipe::{Input, WIDE};

/// How many bytes are read at once.
const BLOCK_BYTES: u64 = 256 << 10;

/// Hands every piece of the input at `path` (`-` is standard input) to `take`, in order.
pub(super) fn pieces(
    path: &Path,
    max_record_bytes: usize,
    take: impl FnMut(Piece) -> anyhow::Result<()>,
) -> anyhow::Result<io::Result<()>> {
    let opened: io::Result<Box<dyn Read>> = if path == Path::new("-") {
        Ok(Box::new(io::stdin().lock()))
    } else {
        File::open(path).map(|file| Box::new(file) as Box<dyn Read>)
    };
    match opened {
        Ok(mut input) => cut(&mut input, max_record_bytes, take),
        Err(error) => Ok(Err(error)),
    }
}

/// What exemptions call the input at `path`, as the plain filter does.
pub(super) fn name(path: &Path) -> String {
    if path == Path::new("-") { Input::Stdin.name() } else { Input::File(path.to_owned()).name() }
}

/// The outer error is `take`'s, the inner one the input's.
fn cut(
    input: &mut dyn Read,
    max_record_bytes: usize,
    mut take: impl FnMut(Piece) -> anyhow::Result<()>,
) -> anyhow::Result<io::Result<()>> {
    let mut cutter = Cutter::new(max_record_bytes);
    let mut first = true;
    let end = loop {
        match input.take(BLOCK_BYTES).read_to_end(cutter.buffer()) {
            Ok(0) => break Ok(()),
            Ok(_) if std::mem::take(&mut first) && is_wide(cutter.buffer()) => {
                return Ok(Err(io::Error::other(WIDE)));
            }
            Ok(_) => {}
            Err(error) => break Err(error),
        }
        while let Some(piece) = cutter.next_piece() {
            take(piece)?;
        }
    };
    while let Some(piece) = cutter.finish() {
        take(piece)?;
    }
    Ok(end)
}
