//! A thread that runs a [`Tailer`]: it hands events on one by one, waits while nobody takes them, and is woken by changes.

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::event::{Event, FileId};
use super::tailer::Tailer;
use super::watch::{Bell, Wakings, Watch};

/// How long a refused event waits for [`Handle::nudge`] before it is offered again: longer and longer.
const OFFER_AGAIN: Duration = Duration::from_millis(5);
const MAX_OFFER_AGAIN: Duration = Duration::from_millis(80);
/// A folder that was just deleted and made anew is watched again at the next look.
const WATCH_AGAIN: Duration = Duration::from_secs(5);

/// What became of an event that was handed on.
#[derive(Debug)]
pub enum Offer {
    /// It was taken.
    Taken,
    /// There is no room for it now; it is offered again.
    Full(Event),
    /// Nobody will take any more. Following ends.
    Closed,
}

/// A thread that follows files.
pub struct Driver {
    thread: JoinHandle<Tailer>,
    handle: Handle,
}

/// Tells the thread what happened on this side. Cheap to clone.
#[derive(Clone)]
pub struct Handle(Arc<Bell>);

impl Handle {
    /// See [`Tailer::acked`].
    pub fn acked(&self, file: FileId, offset: u64) {
        self.0.ring(|wakings| wakings.acked.push((file, offset)));
    }

    /// There is room for an event that was refused.
    pub fn nudge(&self) {
        self.0.nudge();
    }

    /// Nothing more is read. What was acknowledged before is written down.
    pub fn stop(&self) {
        self.0.ring(|wakings| wakings.stop = true);
    }
}

impl Driver {
    /// Starts the thread. `offer` must not block, so that checkpoints are written while nobody takes events.
    ///
    /// # Errors
    /// When there is no thread to be had.
    pub fn start(tailer: Tailer, offer: impl FnMut(Event) -> Offer + Send + 'static) -> io::Result<Driver> {
        let bell = Arc::new(Bell::default());
        let handle = Handle(Arc::clone(&bell));
        let thread = thread::Builder::new().name("tail".to_owned());
        let thread = thread.spawn(move || follow(tailer, &bell, offer))?;
        Ok(Driver { thread, handle })
    }

    /// For whoever takes the events.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Waits until it has stopped, takes the last acknowledgements, and writes them down. True when they are on disk.
    ///
    /// # Errors
    /// When the thread panicked.
    pub fn join(self) -> thread::Result<bool> {
        self.handle.stop();
        let mut tailer = self.thread.join()?;
        take(&mut tailer, self.handle.0.wait(Instant::now()));
        Ok(tailer.save(Instant::now()))
    }
}

fn follow(mut tailer: Tailer, bell: &Arc<Bell>, mut offer: impl FnMut(Event) -> Offer) -> Tailer {
    let mut watch = Watch::new(Arc::clone(bell));
    let mut watched_at = None;
    loop {
        let now = Instant::now();
        let events = tailer.poll(now);
        if watched_at.is_none_or(|at| now.saturating_duration_since(at) >= WATCH_AGAIN)
            || !watch.knows(tailer.folders())
        {
            let watched = watch.set(tailer.folders());
            tailer.set_watched(watched.all);
            if watched.more {
                tailer.scan_soon();
                tailer.check_soon();
            }
            watched_at = Some(now);
        }
        for event in events {
            if !hand_on(&mut tailer, bell, &mut offer, event) {
                return tailer;
            }
        }
        let wakings = bell.wait(tailer.next_poll(Instant::now()));
        if wakings.stop {
            take(&mut tailer, wakings);
            return tailer;
        }
        take(&mut tailer, wakings);
    }
}

/// False when following ends.
fn hand_on(tailer: &mut Tailer, bell: &Bell, offer: &mut impl FnMut(Event) -> Offer, mut event: Event) -> bool {
    let mut patience = OFFER_AGAIN;
    loop {
        match offer(event) {
            Offer::Taken => return true,
            Offer::Closed => return false,
            Offer::Full(refused) => event = refused,
        }
        let wakings = bell.wait(Instant::now() + patience);
        patience = (patience * 2).min(MAX_OFFER_AGAIN);
        let stop = wakings.stop;
        take(tailer, wakings);
        tailer.save_if_due(Instant::now());
        if stop {
            return false;
        }
    }
}

fn take(tailer: &mut Tailer, wakings: Wakings) {
    wakings.acked.into_iter().for_each(|(file, offset)| tailer.acked(file, offset));
    wakings.touched.into_iter().for_each(|path| tailer.touched(&path));
    if wakings.scan {
        tailer.scan_soon();
    }
}
