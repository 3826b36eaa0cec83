//! Records that are known from their number, and the judgement of what arrived.

use std::collections::BTreeMap;

/// The `number`-th record of `stream`, with a secret in it. Its length and its secret depend on both.
pub(crate) fn record(stream: u64, number: u64) -> String {
    let hash = mix(stream, number);
    let filler = "x".repeat((hash % 300) as usize);
    format!("stream={stream} number={number} password={secret} filler={filler}", secret = secret(stream, number))
}

/// What must become of it.
pub(crate) fn masked(stream: u64, number: u64) -> String {
    record(stream, number).replace(&secret(stream, number), "REDACTED.password")
}

fn secret(stream: u64, number: u64) -> String {
    format!("Zq{:016x}Zq", mix(number, stream))
}

/// Any well-mixed function will do (splitmix64).
fn mix(one: u64, other: u64) -> u64 {
    let mut x = one.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(other).wrapping_add(0x9E37_79B9_7F4A_7C15);
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

/// What arrived, by stream.
#[derive(Debug, Default)]
pub(crate) struct Judgement {
    /// How often each record arrived whole.
    pub(crate) arrived: BTreeMap<u64, BTreeMap<u64, usize>>,
    /// Lines that are no record: torn, leaked or made up.
    pub(crate) wrong: Vec<String>,
    /// Records that came after a later one of their stream, in the order of arrival.
    pub(crate) late: usize,
}

impl Judgement {
    /// Judges lines in the order they arrived.
    pub(crate) fn of<'l>(lines: impl IntoIterator<Item = &'l str>) -> Judgement {
        let mut judgement = Judgement::default();
        let mut highest: BTreeMap<u64, u64> = BTreeMap::new();
        for line in lines {
            let Some((stream, number)) = numbers(line).filter(|(stream, number)| masked(*stream, *number) == line)
            else {
                judgement.wrong.push(line.chars().take(200).collect());
                continue;
            };
            *judgement.arrived.entry(stream).or_default().entry(number).or_default() += 1;
            let highest = highest.entry(stream).or_insert(number);
            judgement.late += usize::from(number < *highest);
            *highest = number.max(*highest);
        }
        judgement
    }

    /// Records below `count` of `stream` that never arrived.
    pub(crate) fn lost(&self, stream: u64, count: u64) -> Vec<u64> {
        let none = BTreeMap::new();
        let arrived = self.arrived.get(&stream).unwrap_or(&none);
        (0..count).filter(|number| !arrived.contains_key(number)).collect()
    }

    /// Records that arrived more than once, counted once for each time too many.
    pub(crate) fn duplicates(&self) -> usize {
        self.arrived.values().flat_map(BTreeMap::values).map(|times| times - 1).sum()
    }

    /// Everything arrived once and in order.
    #[track_caller]
    pub(crate) fn assert_exact(&self, streams: u64, count: u64) {
        self.assert_whole(streams, count);
        assert_eq!((self.duplicates(), self.late), (0, 0), "duplicates, and records out of order");
    }

    /// Everything arrived, some of it perhaps more than once.
    #[track_caller]
    pub(crate) fn assert_whole(&self, streams: u64, count: u64) {
        assert_eq!(self.wrong, Vec::<String>::new(), "torn, leaked or made up");
        for stream in 0..streams {
            let lost = self.lost(stream, count);
            assert!(lost.is_empty(), "stream {stream} lost {} of {count}, the first is {}", lost.len(), lost[0]);
        }
    }
}

fn numbers(line: &str) -> Option<(u64, u64)> {
    let mut words = line.split(' ');
    let stream = words.next()?.strip_prefix("stream=")?.parse().ok()?;
    let number = words.next()?.strip_prefix("number=")?.parse().ok()?;
    Some((stream, number))
}

#[test]
fn the_oracle_sees_what_is_lost_torn_leaked_late_or_twice() {
    let lines = |wanted: &[&str]| wanted.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
    let all = [masked(0, 0), masked(0, 1), masked(0, 2)];
    let judge = |lines: &[String]| Judgement::of(lines.iter().map(String::as_str));
    judge(&all).assert_exact(1, 3);
    assert_eq!(judge(&[all[0].clone(), all[2].clone()]).lost(0, 3), [1]);
    assert_eq!(judge(&[all[0].clone(), all[0].clone()]).duplicates(), 1);
    assert_eq!(judge(&[all[1].clone(), all[0].clone()]).late, 1);
    assert_eq!(judge(&lines(&[&all[0][..20]])).wrong.len(), 1);
    assert_eq!(judge(&[record(0, 0)]).wrong.len(), 1, "a secret that was not masked");
}
