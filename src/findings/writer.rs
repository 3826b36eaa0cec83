//! The thread that writes the stream. Nobody waits for it: what it cannot take stays in the book, what it cannot write is
//! counted.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::book::Now;
use super::line::Line;
use super::{FindingsOptions, Shared};
use crate::log::{Guard, Masker};

/// How often the book is asked for what is due.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

pub(super) enum Order {
    Write(Box<Line>),
    Stop,
}

/// Where lines go.
enum Out {
    Stdout(File),
    File(LogFile),
}

/// A file that is renamed when it is large, and opened again when somebody else renamed it.
struct LogFile {
    path: PathBuf,
    file: File,
    max_bytes: u64,
}

/// Writes masked lines.
pub(super) struct Writer {
    out: Out,
    masker: Masker,
}

impl Writer {
    /// Opens what `options` name. Every line goes through `guard` before it is written.
    pub(super) fn open(options: &FindingsOptions, guard: &Guard) -> io::Result<Writer> {
        let out = if options.is_stdout() {
            Out::Stdout(File::from(rustix::stdio::stdout().try_clone_to_owned()?))
        } else {
            Out::File(LogFile::open(&options.path, options.max_size)?)
        };
        Ok(Writer { out, masker: guard.masker() })
    }

    /// Writes until it is told to stop.
    pub(super) fn run(mut self, shared: &Shared, orders: &Receiver<Order>) {
        let mut swept = Instant::now();
        loop {
            match orders.recv_timeout(SWEEP_EVERY) {
                Ok(Order::Write(line)) => self.write(&line, shared),
                Ok(Order::Stop) | Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {}
            }
            if swept.elapsed() >= SWEEP_EVERY {
                swept = Instant::now();
                let due = shared.book().sweep(Now::read(), super::CHANNEL);
                due.iter().for_each(|line| self.write(line, shared));
            }
        }
        while let Ok(Order::Write(line)) = orders.try_recv() {
            self.write(&line, shared);
        }
        let last = shared.book().close(Now::read());
        last.iter().for_each(|line| self.write(line, shared));
    }

    fn write(&mut self, line: &Line, shared: &Shared) {
        let mut json = serde_json::to_vec(line).expect("a line is strings and numbers");
        json.push(b'\n');
        if self.out.append(self.masker.mask(json).as_bytes()).is_err() {
            shared.metrics.findings_unwritten(1);
        }
    }
}

impl Out {
    fn append(&mut self, line: &[u8]) -> io::Result<()> {
        match self {
            // In one call, so that lines of others do not come between.
            Out::Stdout(file) => file.write_all(line),
            Out::File(log) => log.append(line),
        }
    }
}

impl LogFile {
    fn open(path: &Path, max_bytes: u64) -> io::Result<LogFile> {
        Ok(LogFile { path: path.to_owned(), file: open(path)?, max_bytes })
    }

    fn append(&mut self, line: &[u8]) -> io::Result<()> {
        self.reopen_if_moved()?;
        if self.file.metadata()?.len() + line.len() as u64 > self.max_bytes {
            let mut old = self.path.clone().into_os_string();
            old.push(".1");
            fs::rename(&self.path, old)?;
            self.file = open(&self.path)?;
        }
        self.file.write_all(line)
    }

    fn reopen_if_moved(&mut self) -> io::Result<()> {
        let held = rustix::fs::fstat(self.file.as_fd())?;
        let there = fs::metadata(&self.path);
        if there.is_ok_and(|there| (there.dev(), there.ino()) == (held.st_dev, held.st_ino)) {
            return Ok(());
        }
        self.file = open(&self.path)?;
        Ok(())
    }
}

/// For appending, and for its owner alone: it tells where secrets leak.
fn open(path: &Path) -> io::Result<File> {
    let no_follow = i32::try_from(rustix::fs::OFlags::NOFOLLOW.bits()).expect("a flag of open(2) fits");
    OpenOptions::new().append(true).create(true).mode(0o600).custom_flags(no_follow).open(path)
}
