//! Followed files as a source: a thread that follows them (see [`crate::tail`]), and a few lanes that its events go to. The
//! events of one file all go to one lane, so they stay in order; a lane that is full holds up the reading.

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
    /// Follows what `from` names, from where an earlier run left off, if `state` knows of one.
    ///
    /// # Errors
    /// When a pattern cannot be understood, or the system has no more threads.
    pub fn start(from: &FilesFrom, name: &str, state: Option<&State>, lanes: usize) -> Result<Files, SourceError> {
        let checkpoints = match state {
            Some(state) => state.checkpoints(name),
            None => Checkpoints::in_memory().map_err(SourceError::Follow)?,
        };
        let tailer = Tailer::new(options(from), checkpoints, Instant::now())?;
        let (senders, receivers): (Vec<_>, Vec<_>) = (0..lanes.max(1)).map(|_| channel(1)).unzip();
        let driver = Driver::start(tailer, move |event| offer(&senders, event)).map_err(SourceError::Follow)?;
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

fn options(from: &FilesFrom) -> TailOptions {
    let start_at = match from.start_at {
        StartAt::Beginning => crate::tail::StartAt::Beginning,
        StartAt::End => crate::tail::StartAt::End,
    };
    TailOptions { exclude: from.exclude.clone(), start_at, ..TailOptions::new(from.paths.clone()) }
}

fn offer(lanes: &[Sender<Event>], event: Event) -> Offer {
    // What is about no file in particular goes to the first lane.
    let lane = file(&event).map_or(0, |file| file.number() as usize % lanes.len());
    match lanes[lane].try_send(event) {
        Ok(()) => Offer::Taken,
        Err(TrySendError::Full(event)) => Offer::Full(event),
        Err(TrySendError::Closed(_)) => Offer::Closed,
    }
}

fn file(event: &Event) -> Option<FileId> {
    match event {
        Event::Opened { file, .. } | Event::Data { file, .. } | Event::Cut { file, .. } | Event::Ended { file } => {
            Some(*file)
        }
        _ => None,
    }
}
