//! What masks our own words, in the log and in the findings stream: the engines of all pipelines, one after the other,
//! exchanged when theirs are. It masks no data.

use std::sync::{Arc, PoisonError, RwLock};

use bytes::Bytes;

use crate::engine::{Carry, Engine, Masked, Scratch};

/// The engines that every line of our own goes through. Clones share them.
#[derive(Clone)]
pub struct Guard(Arc<RwLock<Arc<[Arc<Engine>]>>>);

impl Guard {
    /// These engines, one at least; each must enforce.
    pub fn new(engines: Vec<Arc<Engine>>) -> Guard {
        Guard(Arc::new(RwLock::new(engines.into())))
    }

    /// From the next line on these are used.
    pub fn swap(&self, engines: Vec<Arc<Engine>>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = engines.into();
    }

    /// For one who writes lines.
    pub(crate) fn masker(&self) -> Masker {
        Masker { guard: self.clone(), engines: Arc::new([]), scratches: Vec::new() }
    }

    fn engines(&self) -> Arc<[Arc<Engine>]> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl From<Arc<Engine>> for Guard {
    fn from(engine: Arc<Engine>) -> Guard {
        Guard::new(vec![engine])
    }
}

/// A guard and the memory to use it.
pub(crate) struct Masker {
    guard: Guard,
    /// As they were at the last line.
    engines: Arc<[Arc<Engine>]>,
    /// By engine.
    scratches: Vec<Scratch>,
}

impl Masker {
    /// One line of ours, masked by each engine.
    pub(crate) fn mask(&mut self, line: impl Into<Bytes>) -> Masked {
        let engines = self.guard.engines();
        if !Arc::ptr_eq(&engines, &self.engines) {
            self.scratches = engines.iter().map(|engine| engine.scratch()).collect();
            self.engines = engines;
        }
        let (mut line, mut masked) = (line.into(), None);
        for (engine, scratch) in self.engines.iter().zip(&mut self.scratches) {
            let next = engine.redact(scratch, &Carry::default(), line).0;
            line = next.clone().into_bytes();
            masked = Some(next);
        }
        masked.expect("a guard has an engine")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Known, KnownValue, Limits, Policy};
    use crate::rules::Catalog;

    fn engine(known: &str) -> Arc<Engine> {
        let engine = Engine::compile(Catalog::builtin().set, Policy::default(), &Limits::default()).unwrap();
        let (known, _) = Known::new(vec![KnownValue { name: "NAME".to_owned(), value: known.into() }]);
        Arc::new(engine.with_known(Arc::new(known), None).unwrap())
    }

    #[test]
    fn a_line_goes_through_every_engine_of_the_set_in_use() {
        let guard = Guard::new(vec![engine("correcthorse"), engine("batterystaple")]);
        let mut masker = guard.masker();
        let mut check = |line: &str, expected: &str| {
            assert_eq!(String::from_utf8_lossy(masker.mask(line.to_owned()).as_bytes()), expected);
        };
        check(
            "of correcthorse and batterystaple, password=hunter2",
            "of [REDACTED:known-value] and [REDACTED:known-value], password=REDACTED.password",
        );
        check("of nothing", "of nothing");
        guard.swap(vec![engine("zebracrossing")]);
        check("of correcthorse and zebracrossing", "of correcthorse and [REDACTED:known-value]");
    }
}
