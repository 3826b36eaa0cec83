//! Behind every bound stands a secret: what is long, deep or many is masked to its end, not to where a limit is.

use inkout::engine::{Engine, Limits, Policy, Stream};
use inkout::rules::Catalog;
use std::sync::Arc;

fn engine() -> Arc<Engine> {
    let set = Catalog::builtin().set;
    Arc::new(Engine::compile(set, Policy::default(), &Limits::default()).expect("built-in rules compile"))
}

fn redacted(text: &str) -> String {
    let mut stream = Stream::new(engine());
    let mut out = Vec::new();
    stream.push(text.as_bytes(), |masked| out.extend_from_slice(masked.as_bytes()));
    stream.finish(|masked| out.extend_from_slice(masked.as_bytes()));
    String::from_utf8(out).expect("text stays text")
}

/// Nothing of what contains `secret` is left of `text`, and its number of lines is kept.
#[track_caller]
fn check(text: &str, secret: &str) -> String {
    let out = redacted(text);
    let left = out.matches(secret).count();
    assert_eq!(left, 0, "{left} of {} are left, the first at {:?}", text.matches(secret).count(), out.find(secret));
    assert_eq!(out.matches('\n').count(), text.matches('\n').count());
    out
}

/// `count` secrets that differ, written by `one` and joined.
fn many(count: usize, joint: &str, one: impl Fn(String) -> String) -> String {
    (0..count).map(|number| one(format!("s3cr3t{number}x"))).collect::<Vec<_>>().join(joint)
}

/// A number from a seed, spread over all its bits.
fn spread(seed: u128) -> u128 {
    let mixed = (seed + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835);
    (mixed ^ mixed >> 59).wrapping_mul(0xD6E8_FEB8_6659_FD93_8EBC_6AF0_9C88_C6E3)
}

#[test]
fn a_key_of_many_words_keeps_its_last() {
    let uuid = |seed: u128| {
        let hex = format!("{:032x}", spread(seed));
        format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
    };
    let lines = (0..1000).map(|seed| format!("tenant.{}.db.password=hunter2x\n", uuid(seed))).collect::<String>();
    check(&lines, "hunter2x");
    check(&format!("{}password=hunter2x\n", "a_".repeat(30)), "hunter2x");
}
