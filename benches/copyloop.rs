//! The baseline of the benchmarks: reads a file, or standard input, and writes it out again in blocks of 256 KiB. It
//! looks at nothing, so it is what reading and writing alone cost.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;

/// The fastest block size for reading and writing measured on a core with 1 MiB of L2.
const BLOCK_BYTES: usize = 256 * 1024;

fn main() -> io::Result<()> {
    let mut source: Box<dyn Read> = match std::env::args_os().nth(1) {
        Some(path) => Box::new(File::open(path)?),
        None => Box::new(File::from(io::stdin().as_fd().try_clone_to_owned()?)),
    };
    // Not `io::stdout()`, which buffers lines.
    let mut sink = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    let mut block = vec![0; BLOCK_BYTES];
    loop {
        match source.read(&mut block)? {
            0 => return Ok(()),
            filled => sink.write_all(&block[..filled])?,
        }
    }
}
