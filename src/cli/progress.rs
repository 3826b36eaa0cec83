//! A bar on standard error while work goes on that takes long; nothing where nobody looks.

use std::io;
use std::io::IsTerminal as _;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::clean::Shared;

/// Work that is done sooner needs no bar.
const PATIENCE: Duration = Duration::from_millis(400);
const EVERY: Duration = Duration::from_millis(100);
const TEMPLATE: &str = "{bar:24} {percent:>3} %  {bytes}/{total_bytes}  {bytes_per_sec}  {msg}  {eta} left";

/// Does `work` beside a bar for `files` files of `bytes` bytes, unless `quiet`.
pub(super) fn beside<T>(shared: &Arc<Shared>, files: usize, bytes: u64, quiet: bool, work: impl FnOnce() -> T) -> T {
    if quiet || !io::stderr().is_terminal() {
        return work();
    }
    let (done, waiting) = mpsc::channel::<()>();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            if waiting.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
                let bar = ProgressBar::new(bytes);
                if let Ok(style) = ProgressStyle::with_template(TEMPLATE) {
                    bar.set_style(style);
                }
                draw(&bar, shared, files);
                while waiting.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
                    draw(&bar, shared, files);
                }
                bar.finish_and_clear();
            }
        });
        let answer = work();
        drop(done);
        answer
    })
}

fn draw(bar: &ProgressBar, shared: &Shared, files: usize) {
    let now = |count: &std::sync::atomic::AtomicU64| count.load(Ordering::Relaxed);
    let progress = &shared.progress;
    // A file that grows is longer than it was said to be.
    let read = now(&progress.bytes);
    let checking = if read >= bar.length().unwrap_or(0) { "  checking the result" } else { "" };
    let (done, findings) = (now(&progress.files), now(&progress.findings));
    bar.set_message(format!("{done}/{files} files  {findings} findings{checking}"));
    bar.set_length(bar.length().unwrap_or(0).max(read));
    bar.set_position(read);
}
