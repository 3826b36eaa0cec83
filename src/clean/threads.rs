//! Threads that take one file after the other, what they share, and what each keeps.

use std::cmp::Reverse;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::rewrite::OpenFolders;
use super::scan::ReadOptions;
use super::walk::FileEntry;
use crate::engine::{Cutter, Engine, Scratch};

/// A file of this size is begun before the smaller ones, so that it is not the last that everybody waits for.
const LARGE_BYTES: u64 = 8 << 20;

/// How far the work is; read by whoever draws it.
#[derive(Debug, Default)]
pub struct Progress {
    /// Bytes of files that were read, as they lie on the disk.
    pub bytes: AtomicU64,
    /// Files that are done.
    pub files: AtomicU64,
    /// Secrets found.
    pub findings: AtomicU64,
}

/// What all threads share.
#[derive(Debug)]
pub struct Shared {
    /// What is looked for.
    pub engine: Arc<Engine>,
    /// How files are read.
    pub read: ReadOptions,
    /// Set to have every thread end at its next piece.
    pub stop: Arc<AtomicBool>,
    /// How far the work is.
    pub progress: Progress,
    /// How many threads there may be.
    threads: usize,
    /// How many of them have a file.
    busy: AtomicUsize,
}

impl Shared {
    /// For work with `engine` on `threads` threads, until `stop` is set.
    pub fn new(engine: Arc<Engine>, read: ReadOptions, threads: usize, stop: Arc<AtomicBool>) -> Arc<Shared> {
        Arc::new(Shared { engine, read, stop, progress: Progress::default(), threads, busy: AtomicUsize::new(0) })
    }

    /// Whether the work is to end.
    pub fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Whether a long file may be read on several threads: the others have nothing left to do.
    pub(super) fn has_idle_threads(&self) -> bool {
        self.busy.load(Ordering::Relaxed) < self.threads
    }
}

/// What one thread keeps from file to file.
pub struct Worker {
    pub(super) shared: Arc<Shared>,
    pub(super) scratch: Scratch,
    pub(super) cutter: Cutter,
    /// The first block of a file, before it is known what the file is.
    pub(super) block: Vec<u8>,
    /// Whether what is found now counts as progress.
    pub(super) metered: bool,
    pub(super) folders: OpenFolders,
    /// How many threads may be at one file of it.
    pub(super) threads: usize,
}

impl Worker {
    /// A worker that is alone.
    pub fn new(shared: &Arc<Shared>) -> Worker {
        let scratch = shared.engine.scratch();
        let cutter = Cutter::new(shared.engine.limits().max_record_bytes);
        Worker {
            shared: Arc::clone(shared),
            scratch,
            cutter,
            block: Vec::new(),
            metered: true,
            folders: OpenFolders::default(),
            threads: shared.threads,
        }
    }

    /// One that works while another does that has a file on several threads.
    pub(super) fn beside(shared: &Arc<Shared>) -> Worker {
        Worker { threads: shared.threads / 2, ..Worker::new(shared) }
    }

    /// Whether its file is worth more threads now.
    pub(super) fn may_share(&self) -> bool {
        self.threads > 1 && self.shared.has_idle_threads()
    }
}

/// Does `work` for every file on several threads; the answers stand in the order of the files.
pub fn each<T: Send>(
    shared: &Arc<Shared>,
    files: &[FileEntry],
    work: impl Fn(&mut Worker, &FileEntry) -> T + Sync,
) -> Vec<T> {
    let mut order: Vec<usize> = (0..files.len()).collect();
    order.sort_by_key(|index| Reverse(Some(files[*index].size).filter(|size| *size >= LARGE_BYTES)));
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::with_capacity(files.len()));
    let run = || {
        let mut worker = Worker::new(shared);
        shared.busy.fetch_add(1, Ordering::Relaxed);
        while let Some(index) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
            let answer = work(&mut worker, &files[*index]);
            shared.progress.files.fetch_add(1, Ordering::Relaxed);
            done.lock().unwrap_or_else(PoisonError::into_inner).push((*index, answer));
        }
        shared.busy.fetch_sub(1, Ordering::Relaxed);
    };
    std::thread::scope(|scope| {
        for _ in 1..shared.threads.clamp(1, files.len().max(1)) {
            scope.spawn(run);
        }
        run();
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_unstable_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, answer)| answer).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write as _;

    use super::super::walk::{WalkOptions, walk};
    use super::super::{Observer, Seen, scan_file};
    use super::*;
    use crate::engine::{Limits, Policy};
    use crate::rules::Catalog;

    /// Notes where every finding stands.
    #[derive(Default)]
    struct Notes(Vec<(Option<String>, u64, u64)>);

    impl Observer for Notes {
        fn piece(&mut self, seen: &Seen<'_>) {
            let member = seen.member.map(|name| String::from_utf8_lossy(name).into_owned());
            for span in seen.found {
                let before = &seen.piece.body()[..span.start];
                let line = seen.line + memchr::memchr_iter(b'\n', before).count() as u64;
                self.0.push((member.clone(), seen.offset + span.start as u64, line));
            }
        }
    }

    #[test]
    fn findings_are_told_by_file_member_offset_and_line() {
        let folder = tempfile::tempdir().unwrap();
        let text = format!("{}a password=hunter2\n", "clean line\n".repeat(60_000));
        let place = (11 * 60_000 + 11, 60_001);
        fs::write(folder.path().join("a.log"), &text).unwrap();
        let gzip = fs::File::create(folder.path().join("b.log.gz")).unwrap();
        let mut gzip = flate2::write::GzEncoder::new(gzip, flate2::Compression::fast());
        gzip.write_all(text.as_bytes()).unwrap();
        gzip.finish().unwrap();
        let mut tar = tar::Builder::new(fs::File::create(folder.path().join("c.tar")).unwrap());
        tar.append_path_with_name(folder.path().join("a.log"), "x/a.log").unwrap();
        tar.append_path_with_name(folder.path().join("b.log.gz"), "x/b.log.gz").unwrap();
        tar.finish().unwrap();
        let engine = Engine::compile(Catalog::builtin().set, Policy::default(), &Limits::default()).unwrap();
        let shared = Shared::new(Arc::new(engine), ReadOptions::default(), 2, Arc::default());
        let walked = walk(&[folder.path().to_owned()], &WalkOptions::default()).unwrap();
        let found = each(&shared, &walked.files, |worker, file| {
            let mut notes = Notes::default();
            let scanned = scan_file(worker, file, &mut notes).unwrap();
            assert_eq!(scanned.tally.total(), notes.0.len() as u64);
            notes.0
        });
        let at = |member: Option<&str>| (member.map(str::to_owned), place.0, place.1);
        assert_eq!(found, [vec![at(None)], vec![at(None)], vec![at(Some("x/a.log")), at(Some("x/b.log.gz"))]]);
    }
}
