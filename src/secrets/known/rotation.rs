//! Known values that were replaced while the process runs: they stay in force for a grace period, because somebody still logs
//! them. When that is asked for, and when it is over, is the caller's to say.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Loaded, Note, Values};
use crate::engine::{Known, KnownValue};
use crate::secrets::SecretError;

/// So many older generations are kept apart; beyond that the two oldest become one. Each costs a pass over the haystack.
const MAX_OLD: usize = 4;

/// The generations of the known values of one process. A copy shares the values.
#[derive(Clone, Debug, Default)]
pub struct Rotation {
    /// Of the values in use, from 1; 0 before there are any.
    generation: u64,
    current: Arc<Vec<KnownValue>>,
    /// The newest first.
    old: Vec<Old>,
    /// How many old generations are over and forgotten.
    forgotten: u64,
}

/// Values that were replaced at one time.
#[derive(Clone, Debug)]
struct Old {
    generation: u64,
    values: Arc<Vec<KnownValue>>,
    known: Arc<Known>,
    until: Instant,
}

/// What is to be looked for.
#[derive(Debug)]
pub struct InForce {
    /// The values in use.
    pub current: Arc<Known>,
    /// Those that were replaced, the newest first.
    pub grace: Vec<Arc<Known>>,
    /// What people should know.
    pub notes: Vec<Note>,
}

impl InForce {
    /// Whether nothing is looked for.
    pub fn is_empty(&self) -> bool {
        self.current.is_empty() && self.grace.is_empty()
    }
}

impl Rotation {
    /// Takes `values` into use. Those in use before that are not among them are looked for until `grace` after `now`.
    ///
    /// # Errors
    /// When a source that is needed has nothing that is looked for.
    pub fn turn(&mut self, values: Values, grace: Duration, now: Instant) -> Result<InForce, SecretError> {
        let next = Arc::new(values.values.clone());
        let changed = self.generation == 0 || bytes(&next) != bytes(&self.current);
        let generation = self.generation + u64::from(changed);
        let Loaded { known, notes } = values.finish(generation)?;
        let in_use = bytes(&next);
        let kept = self.old.iter().filter(|old| old.until > now).filter_map(|old| old.without(&in_use));
        let mut old: Vec<Old> = kept.collect();
        self.forgotten += self.old.iter().filter(|old| old.until <= now).count() as u64;
        let until = now.checked_add(grace).filter(|_| !grace.is_zero());
        if let (true, Some(until)) = (changed, until) {
            old.splice(0..0, Old::new(self.generation, self.current.to_vec(), until).without(&in_use));
        }
        while old.len() > MAX_OLD {
            let (last, before) = (old.pop(), old.pop());
            old.extend(last.zip(before).map(|(last, before)| before.with(&last)));
        }
        drop(in_use);
        (self.generation, self.current, self.old) = (generation, next, old);
        let grace = self.old.iter().map(|old| Arc::clone(&old.known)).collect();
        Ok(InForce { current: known, grace, notes })
    }

    /// How many old generations were ever over by `now`: when it grows, values are still looked for that need not be.
    pub fn over(&self, now: Instant) -> u64 {
        self.forgotten + self.old.iter().filter(|old| old.until <= now).count() as u64
    }
}

impl Old {
    fn new(generation: u64, values: Vec<KnownValue>, until: Instant) -> Old {
        let known = Known::new(values.clone()).0.of_generation(generation);
        Old { generation, values: Arc::new(values), known: Arc::new(known), until }
    }

    /// The same without what is `in_use` again; `None` if nothing is left to look for.
    fn without(&self, in_use: &HashSet<&[u8]>) -> Option<Old> {
        let left = |value: &&KnownValue| !in_use.contains(value.value.as_slice());
        let values: Vec<KnownValue> = self.values.iter().filter(left).cloned().collect();
        let same = values.len() == self.values.len();
        let old = if same { self.clone() } else { Old::new(self.generation, values, self.until) };
        (!old.known.is_empty()).then_some(old)
    }

    /// This and an older one, as long as either is looked for.
    fn with(&self, older: &Old) -> Old {
        let values = self.values.iter().chain(older.values.iter()).cloned().collect();
        Old::new(self.generation, values, self.until.max(older.until))
    }
}

fn bytes(values: &[KnownValue]) -> HashSet<&[u8]> {
    values.iter().map(|value| value.value.as_slice()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn values(list: &[&str]) -> Values {
        let mut values = Values::default();
        let known = |text: &&str| KnownValue { name: format!("N_{text}"), value: text.as_bytes().to_vec() };
        values.add("test".to_owned(), list.iter().map(known).collect(), true);
        values
    }

    /// What is looked for by generation, the newest first.
    fn told(in_force: &InForce) -> Vec<(u64, Vec<String>)> {
        let sets = std::iter::once(&in_force.current).chain(&in_force.grace);
        let names = |known: &Known| (0..known.len()).filter_map(|index| known.name(index).map(str::to_owned)).collect();
        sets.map(|known| (known.generation(), names(known))).collect()
    }

    fn is(in_force: &InForce, expected: &[(u64, &[&str])]) {
        let named = |names: &[&str]| names.iter().map(|name| format!("N_{name}")).collect();
        let expected: Vec<(u64, Vec<String>)> =
            expected.iter().map(|(generation, names)| (*generation, named(names))).collect();
        assert_eq!(told(in_force), expected);
    }

    #[test]
    fn what_was_replaced_is_looked_for_until_its_time_is_over() {
        let (mut rotation, start) = (Rotation::default(), Instant::now());
        let mut turn = |list: &[&str], hours: u32| rotation.turn(values(list), HOUR, start + hours * HOUR / 4).unwrap();
        is(&turn(&["first-a", "stays-b"], 0), &[(1, &["first-a", "stays-b"])]);
        is(&turn(&["first-a", "stays-b"], 1), &[(1, &["first-a", "stays-b"])]);
        is(&turn(&["second-a", "stays-b"], 1), &[(2, &["second-a", "stays-b"]), (1, &["first-a"])]);
        is(&turn(&["third-a", "stays-b"], 3), &[(3, &["third-a", "stays-b"]), (2, &["second-a"]), (1, &["first-a"])]);
        assert_eq!((rotation.over(start + HOUR), rotation.over(start + 5 * HOUR / 4)), (0, 1));
        let mut turn = |list: &[&str], hours: u32| rotation.turn(values(list), HOUR, start + hours * HOUR / 4).unwrap();
        is(&turn(&["third-a", "stays-b"], 5), &[(3, &["third-a", "stays-b"]), (2, &["second-a"])]);
        is(&turn(&["second-a", "stays-b"], 6), &[(4, &["second-a", "stays-b"]), (3, &["third-a"])]);
        assert_eq!(rotation.over(start + 6 * HOUR / 4), 1);
        assert_eq!(rotation.over(start + 10 * HOUR / 4), 2);
    }

    #[test]
    fn many_rotations_are_kept_in_few_sets_and_none_is_forgotten() {
        let (mut rotation, now) = (Rotation::default(), Instant::now());
        let name = |number: usize| format!("value-{number:03}");
        for number in 0..20 {
            let in_force = rotation.turn(values(&[&name(number)]), HOUR, now).unwrap();
            assert!(in_force.grace.len() <= MAX_OLD);
            let all: usize = in_force.grace.iter().map(|known| known.len()).sum();
            assert_eq!(all, number);
        }
    }

    #[test]
    fn without_a_grace_period_nothing_is_kept_and_a_refused_set_changes_nothing() {
        let (mut rotation, now) = (Rotation::default(), Instant::now());
        rotation.turn(values(&["first-a"]), Duration::ZERO, now).unwrap();
        assert!(rotation.turn(values(&["short"]), HOUR, now).is_err());
        is(&rotation.turn(values(&["second-a"]), Duration::ZERO, now).unwrap(), &[(2, &["second-a"])]);
        let gone = rotation.turn(Values::default(), HOUR, now).unwrap();
        is(&gone, &[(3, &[]), (2, &["second-a"])]);
        assert!(!gone.is_empty());
    }
}
