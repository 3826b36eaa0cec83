//! Followed files as a source: a thread that follows them (see [`crate::tail`]), and a few lanes that its events go to. The
//! events of one file all go to one lane, so they stay in order; a lane that is full holds up the reading.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
use std::time::Instant;

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::SourceError;
use crate::config::daemon::{FilesFrom, StartAt};
use crate::tail::{Checkpoints, Driver, Event, FileId, Handle, Offer, State, TailOptions, Tailer};

/// Files that are being followed.
pub struct Files {
    /// Events, by lane.
    pub lanes: Vec<Lane>,
    driver: Driver,
}

/// The events of some of the files.
pub struct Lane {
    events: Receiver<Event>,
    handle: Handle,
}

impl Lane {
    /// The next event; `None` once nothing more is read.
    pub async fn next(&mut self) -> Option<Event> {
        let event = self.events.recv().await;
        self.handle.nudge();
        event
    }
}

impl Files {
    /// Follows what `from` names, from where an earlier run left off, if `state` knows of one. Of what that run passed on, the
    /// last `lines_before` lines of each file are told.
    ///
    /// # Errors
    /// When a pattern cannot be understood, or the system has no more threads.
    pub fn start(
        from: &FilesFrom,
        name: &str,
        state: Option<&State>,
        lanes: usize,
        lines_before: usize,
    ) -> Result<Files, SourceError> {
        let checkpoints = match state {
            Some(state) => state.checkpoints(name),
            None => Checkpoints::in_memory().map_err(SourceError::Follow)?,
        };
        let tailer = Tailer::new(options(from, lines_before), checkpoints, Instant::now())?;
        let (senders, receivers): (Vec<_>, Vec<_>) = (0..lanes.max(1)).map(|_| channel(1)).unzip();
        let mut of = Lanes::default();
        let driver =
            Driver::start(tailer, move |event| offer(&senders, &mut of, event)).map_err(SourceError::Follow)?;
        let handle = driver.handle();
        let lanes = receivers.into_iter().map(|events| Lane { events, handle: handle.clone() }).collect();
        Ok(Files { lanes, driver })
    }

    /// Takes acknowledgements, and the word to stop.
    pub fn handle(&self) -> Handle {
        self.driver.handle()
    }

    /// Writes down what was acknowledged last. It may wait for the disk.
    pub fn end(self) -> bool {
        drop(self.lanes);
        self.driver.join().unwrap_or(false)
    }
}

fn options(from: &FilesFrom, lines_before: usize) -> TailOptions {
    let start_at = match from.start_at {
        StartAt::Beginning => crate::tail::StartAt::Beginning,
        StartAt::End => crate::tail::StartAt::End,
    };
    TailOptions { exclude: from.exclude.clone(), start_at, lines_before, ..TailOptions::new(from.paths.clone()) }
}

/// Which lane the events of a file go to. Files of one path, one rotated away and its successor, share a lane: what stands in
/// the first comes before what stands in the second.
#[derive(Default)]
struct Lanes(HashMap<FileId, usize>);

impl Lanes {
    fn of(&mut self, event: &Event, count: usize) -> usize {
        match event {
            Event::Opened { file, path, .. } => {
                let lane = BuildHasherDefault::<DefaultHasher>::default().hash_one(path) as usize % count;
                *self.0.entry(*file).or_insert(lane)
            }
            Event::Data { file, .. } | Event::Cut { file, .. } | Event::Ended { file } => {
                self.0.get(file).copied().unwrap_or(0)
            }
            // What is about no file in particular goes to the first.
            _ => 0,
        }
    }

    /// Forgets a file of which nothing more comes.
    fn taken(&mut self, ended: Option<FileId>) {
        ended.map(|file| self.0.remove(&file));
    }
}

fn offer(senders: &[Sender<Event>], lanes: &mut Lanes, event: Event) -> Offer {
    let lane = lanes.of(&event, senders.len());
    let ended = if let Event::Ended { file } = &event { Some(*file) } else { None };
    match senders[lane].try_send(event) {
        Ok(()) => {
            lanes.taken(ended);
            Offer::Taken
        }
        Err(TrySendError::Full(event)) => Offer::Full(event),
        Err(TrySendError::Closed(_)) => Offer::Closed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tail::{Driver, TailOptions};

    /// The lane of each file that is opened below `folder`, by path.
    #[test]
    fn a_rotated_file_and_its_successor_share_a_lane() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a.log", "b.log", "c.log"] {
            std::fs::write(folder.path().join(name), "one\n").unwrap();
        }
        let pattern = folder.path().join("*.log").display().to_string();
        let options = TailOptions::new(vec![pattern]);
        let tailer = Tailer::new(options, Checkpoints::in_memory().unwrap(), Instant::now()).unwrap();
        let (told, opened) = std::sync::mpsc::channel();
        let mut lanes = Lanes::default();
        let driver = Driver::start(tailer, move |event| {
            let lane = lanes.of(&event, 64);
            if let Event::Opened { path, file, .. } = &event {
                let _ = told.send((path.clone(), *file, lane));
            }
            Offer::Taken
        });
        let driver = driver.unwrap();
        let next = || opened.recv_timeout(std::time::Duration::from_secs(20)).unwrap();
        let first: HashMap<_, _> = (0..3).map(|_| next()).map(|(path, file, lane)| (path, (file, lane))).collect();
        assert!(first.values().any(|(_, lane)| *lane != first.values().next().unwrap().1), "all lanes are used");
        std::fs::rename(folder.path().join("a.log"), folder.path().join("a.log.1")).unwrap();
        std::fs::write(folder.path().join("a.log"), "two\n").unwrap();
        let (path, file, lane) = next();
        assert!(path.ends_with("a.log") && file != first[&path].0);
        assert_eq!(lane, first[&path].1);
        driver.handle().stop();
        driver.join().unwrap();
    }
}
