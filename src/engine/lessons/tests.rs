//! Learning over records: what one line by itself would say is what comes out of any blocks, by any number of workers.

use bytes::Bytes;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};

use super::*;
use crate::engine::{Action, Cutter, Limits, Mode, Policy, Tally};
use crate::rules::Catalog;

const CASES: u32 = 600;
const RECORDS: usize = 3;
/// So that a long record needs no megabyte.
const WINDOW: usize = 64 << 10;

fn policy(learn_records: usize) -> Policy {
    Policy { learn_records, ..Policy::default() }
}

fn compiled(policy: Policy) -> Engine {
    let limits = Limits { max_record_bytes: WINDOW, ..Limits::default() };
    Engine::compile(Catalog::builtin().set, policy, &limits).unwrap()
}

/// The stream's output, its carry and what was counted, cut at reads that end at `cuts`.
fn streamed(engine: &Engine, text: &[u8], cuts: &[usize]) -> (String, Carry, Tally) {
    let (mut cutter, mut scratch) = (Cutter::new(WINDOW), engine.scratch());
    let (mut carry, mut sum, mut out, mut from) = (Carry::default(), Tally::default(), Vec::new(), 0);
    for to in cuts.iter().copied().chain([text.len()]) {
        cutter.buffer().extend_from_slice(&text[from..to]);
        from = to;
        while let Some(piece) = cutter.next_piece().or_else(|| if to == text.len() { cutter.finish() } else { None }) {
            let (masked, next, tally) = engine.redact_piece(&mut scratch, &carry, &piece);
            out.extend_from_slice(masked.as_bytes());
            sum.add(&tally);
            carry = next;
        }
    }
    (String::from_utf8_lossy(&out).into_owned(), carry, sum)
}

#[track_caller]
fn check(engine: &Engine, text: &str, expected: &str) {
    assert_eq!(streamed(engine, text.as_bytes(), &[]).0, expected);
}

#[test]
fn a_value_of_a_key_is_masked_without_it_in_the_next_records() {
    let engine = compiled(policy(RECORDS));
    let text = "was n0tes-abc1\npassword=n0tes-abc1 n0tes-abc1\n{\"m\":\"x\\n0tes-abc1 y\\nn0tes-abc1\"}\nn0tes-abc12\n\
                xn0tes-abc1 (n0tes-abc1)\nn0tes-abc1\n";
    let masked = "was n0tes-abc1\npassword=REDACTED.password [REDACTED:password]\n\
                  {\"m\":\"xREDACTED.password y\\n[REDACTED:password]\"}\nn0tes-abc12\n\
                  xn0tes-abc1 ([REDACTED:password])\nn0tes-abc1\n";
    check(&engine, text, masked);
    check(&engine, masked, masked);
    check(&compiled(policy(0)), "password=hunter2xyz\nhunter2xyz\n", "password=REDACTED.password\nhunter2xyz\n");
    let seen_again = "token=abc123def\n\ntoken: \"abc123def\"\n\n\nuse abc123def\nabc123def\n";
    let masked = "token=REDACTED.token\n\ntoken: \"[REDACTED:token]\"\n\n\nuse [REDACTED:token]\nabc123def\n";
    check(&engine, seen_again, masked);
}

#[test]
fn what_is_no_secret_or_no_longer_one_is_not_learned() {
    let engine = compiled(policy(RECORDS));
    for text in [
        // Too short, of one kind, a number, and what was left in the clear.
        "password=hunter2\nhunter2\n",
        "password=hunterhunter\nhunterhunter\n",
        "{\"pin\":12345678.5}\n{\"n\":12345678.5}\n",
        "password=[REDACTED:password]\nREDACTED.password\n",
        "max_tokens=abcdef12\nabcdef12\n",
    ] {
        let out = streamed(&engine, text.as_bytes(), &[]).0;
        let second = |text: &str| text.lines().nth(1).unwrap().to_owned();
        assert_eq!(second(&out), second(text), "{text}");
    }
    // The name of a rule may be somebody's password; what we wrote is not.
    let odd = "password=github-token\n[REDACTED:github-token] github-token\n";
    check(&engine, odd, "password=REDACTED.password\n[REDACTED:github-token] [REDACTED:password]\n");
    let off = Policy { by_rule: [("password".to_owned(), Action::Keep)].into(), ..policy(RECORDS) };
    check(&compiled(off), "password=hunter2xyz\nhunter2xyz\n", "password=hunter2xyz\nhunter2xyz\n");
}

#[test]
fn in_audit_it_is_counted_as_if_enforced() {
    let text = b"password=hunter2xyz\nhunter2xyz hunter2xyz\n";
    let (_, _, enforced) = streamed(&compiled(policy(1)), text, &[]);
    let (out, _, audited) = streamed(&compiled(Policy { mode: Mode::Audit, ..policy(1) }), text, &[]);
    assert_eq!(out.as_bytes(), text);
    assert_eq!((audited.total(), &audited.findings), (3, &enforced.findings));
}

#[test]
fn no_more_is_remembered_than_has_room_and_nothing_of_it_is_shown() {
    let engine = compiled(policy(Policy::MAX_LEARN_RECORDS));
    let taught: String = (0..MAX_LESSONS + 2).map(|number| format!("password=hunter-{number:03}\n")).collect();
    let all = (0..MAX_LESSONS + 2).map(|number| format!("hunter-{number:03} ")).collect::<String>();
    let (out, carry, _) = streamed(&engine, (taught + &all + "\n").as_bytes(), &[]);
    let last = out.lines().last().unwrap();
    assert!(last.starts_with("hunter-000 hunter-001 [REDACTED:password] "), "{last}");
    assert_eq!(last.matches("hunter-").count(), 2);
    assert_eq!(carry.lessons.iter().count(), MAX_LESSONS);
    let shown = format!("{carry:?}");
    assert!(shown.contains("Lessons(64)") && !shown.contains("hunter"), "{shown}");
    let long = format!("a1{}", "x".repeat(MAX_VALUE));
    let (out, carry, _) = streamed(&engine, format!("password={long}\n{long}\n").as_bytes(), &[]);
    assert!(out.ends_with(&format!("\n{long}\n")) && carry.is_empty());
    let more = Policy::MAX_LEARN_RECORDS + 1;
    let refused = Engine::compile(Catalog::builtin().set, policy(more), &Limits::default()).unwrap_err();
    assert_eq!(refused.to_string(), "learn_records is 1001; a number from 0 (off) to 1000 is allowed");
}

#[test]
fn a_long_record_is_one_record() {
    let engine = compiled(policy(2));
    let fill = |len: usize| ". ".repeat(len / 2);
    let long = format!("{} use hunter2xyz {} token=abc123def {}", fill(WINDOW), fill(WINDOW), fill(3 * WINDOW));
    let text = format!("password=hunter2xyz\n{long}\nhunter2xyz abc123def\nhunter2xyz abc123def\nabc123def\n");
    let (out, ..) = streamed(&engine, text.as_bytes(), &[]);
    let lines: Vec<&str> = out.lines().collect();
    assert!(lines[1].contains(" use [REDACTED:password] ") && lines[1].contains(" token=REDACTED.token "));
    assert_eq!(lines[2], "[REDACTED:password] [REDACTED:token]");
    assert_eq!(lines[3], "hunter2xyz [REDACTED:token]");
    assert_eq!(lines[4], "abc123def");
    for step in [997, 65_537] {
        let cuts: Vec<usize> = (step..text.len()).step_by(step).collect();
        assert_eq!(streamed(&engine, text.as_bytes(), &cuts).0, out, "{step}");
    }
    // At the border of two windows, by each byte of it.
    for at in 0..12 {
        let text = format!("password=hunter2xyz\n{} hunter2xyz {}\n", fill(WINDOW - 12 + at), fill(2 * WINDOW));
        let (out, ..) = streamed(&engine, text.as_bytes(), &[]);
        assert!(!out.contains("hunter") && out.contains(" [REDACTED:password] "), "{at}");
    }
}

#[test]
fn what_a_container_runtime_cut_teaches_and_is_found() {
    let line = |kind: &str, text: &str| format!("2026-03-04T05:06:07.000000001Z stdout {kind} {text}\n");
    let engine = compiled(policy(RECORDS));
    let text = [
        line("P", "a password=hunt"),
        line("F", "er2xyz b"),
        line("F", "use hunter2xyz"),
        line("P", "and hunte"),
        line("F", "r2xyz"),
    ];
    let masked = [
        line("P", "a password=REDACTED.password"),
        line("F", " b"),
        line("F", "use [REDACTED:password]"),
        line("P", "and [REDACTED:password]"),
        line("F", ""),
    ];
    check(&engine, &text.concat(), &masked.concat());
}

#[test]
fn another_engine_takes_over_the_values_whose_rules_it_has() {
    let engine = compiled(policy(5));
    let (_, carry, _) = streamed(&engine, b"token=abc123def\npassword=hunter2xyz\n", &[]);
    let next = |other: &Engine| {
        let carry = other.take_over(&carry, &engine);
        let text = Bytes::from_static(b"hunter2xyz abc123def\nx\nhunter2xyz abc123def\n");
        let masked = other.redact(&mut other.scratch(), &carry, text).0;
        String::from_utf8_lossy(masked.as_bytes()).into_owned()
    };
    let mut fewer = Catalog::builtin().set;
    fewer.rules.retain(|rule| rule.id != "token");
    let fewer = Engine::compile(fewer, policy(2), &Limits::default()).unwrap();
    assert_eq!(next(&fewer), "[REDACTED:password] abc123def\nx\nhunter2xyz abc123def\n");
    assert_eq!(next(&compiled(policy(0))), "hunter2xyz abc123def\nx\nhunter2xyz abc123def\n");
    let off = Policy { by_rule: [("password".to_owned(), Action::Keep)].into(), ..policy(5) };
    assert_eq!(next(&compiled(off)), "hunter2xyz [REDACTED:token]\nx\nhunter2xyz [REDACTED:token]\n");
}

const VALUES: [&str; 7] =
    ["hunter2xyz", "hunter2xyz-abc", "n0tes-abc1", "abc123def", "-abc123def", "a1!a1!a1!", "x=hunter2xyz"];

fn line() -> impl Strategy<Value = String> {
    let value = || select(VALUES.to_vec());
    prop_oneof![
        3 => value().prop_map(|value| format!("at password={value} and")),
        1 => (value(), value()).prop_map(|(one, other)| format!("token: \"{one}\", {{\"password\":\"{other}\"}}")),
        3 => value().prop_map(|value| format!("use {value}, then")),
        2 => (value(), value()).prop_map(|(one, other)| format!("{one}{other} \\n{one}/{other}")),
        1 => value().prop_map(|value| format!("{{\"password\":{{\"a\":\"{value}\"}},\"b\":\"{value}\"}}")),
        4 => Just("nothing".to_owned()),
        1 => Just(String::new()),
        1 => Just("-----BEGIN RSA PRIVATE KEY-----".to_owned()),
    ]
}

fn text() -> impl Strategy<Value = String> {
    (proptest::collection::vec(line(), 0..24), any::<bool>())
        .prop_map(|(lines, ended)| lines.join("\n") + if ended { "\n" } else { "" })
}

fn for_all<S: Strategy>(strategy: S, check: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(ProptestConfig::with_cases(CASES), rng);
    runner.run(&strategy, check).unwrap_or_else(|error| panic!("{error}"));
}

/// Line by line, by the definition: what is known is a list of values and the lines up to which they are.
fn naive(engine: &Engine, plain: &Engine, text: &[u8]) -> String {
    let mut known: Vec<(Vec<u8>, RuleId, usize)> = Vec::new();
    let (mut out, mut scratch, mut carry) = (Vec::new(), plain.scratch(), Carry::default());
    for (number, line) in text.split_inclusive(|byte| *byte == b'\n').enumerate() {
        carry = plain.scan(&mut scratch, &carry, line);
        let mut spans = std::mem::take(&mut scratch.spans);
        let mut taught: Vec<Span> = spans.clone();
        taught.retain(|span| matches!(span.why, Why::Key { .. }) && plain.is_lesson(&line[span.start..span.end]));
        taught.sort_by_key(|span| (span.start, span.rule));
        let mut masked = spans.clone();
        span::unite(&mut masked);
        for (value, rule, _) in known.iter().filter(|(.., to)| number <= *to) {
            let mut from = 0;
            for start in 0..line.len() {
                let place = start..start + value.len();
                if start < from || !line[start..].starts_with(value) {
                    continue;
                }
                from = place.end;
                if stands_alone(line, start, value.len())
                    && !masked.iter().any(|span| span.start <= start && place.end <= span.end)
                {
                    let start = behind_no_escape(line, start, line[start]);
                    let form = if needs_bare(line, start) { Form::Bare } else { Form::Bracket };
                    spans.push(Span { start, end: place.end, rule: *rule, form, why: Why::Learned });
                }
            }
        }
        span::unite(&mut spans);
        let mut from = 0;
        for span in spans {
            out.extend_from_slice(&line[from..span.start]);
            engine.write_span(&span, &line[span.start..span.end], &mut out);
            from = span.end;
        }
        out.extend_from_slice(&line[from..]);
        for span in taught {
            let value = line[span.start..span.end].to_vec();
            known.retain(|(other, ..)| *other != value);
            known.push((value, span.rule, number + engine.learn_records()));
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[test]
fn what_comes_out_is_what_each_line_says_by_itself() {
    let (engine, plain) = (compiled(policy(RECORDS)), compiled(policy(0)));
    for_all(text(), |text| {
        let (out, ..) = streamed(&engine, text.as_bytes(), &[]);
        prop_assert_eq!(&out, &naive(&engine, &plain, text.as_bytes()), "from {}", text);
        let (again, ..) = streamed(&engine, out.as_bytes(), &[]);
        prop_assert_eq!(again, out);
        Ok(())
    });
}

#[test]
fn how_the_input_was_cut_does_not_show() {
    let engine = compiled(policy(RECORDS));
    for_all((text(), proptest::collection::vec(any::<Index>(), 0..6)), |(text, cuts)| {
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
        cuts.sort_unstable();
        let (whole, carry, tally) = streamed(&engine, text.as_bytes(), &[]);
        let (out, behind, counted) = streamed(&engine, text.as_bytes(), &cuts);
        prop_assert_eq!(out, whole, "from {} cut at {:?}", text, cuts);
        prop_assert_eq!(behind, carry);
        prop_assert_eq!(counted.findings, tally.findings);
        Ok(())
    });
}

#[test]
fn a_guess_that_holds_is_what_would_have_come_out() {
    let engine = compiled(policy(RECORDS));
    let held = std::cell::Cell::new((0, 0));
    for_all((text(), any::<Index>()), |(text, cut)| {
        let text = text.as_bytes();
        let ends: Vec<usize> = memchr_iter(b'\n', text).map(|end| end + 1).collect();
        prop_assume!(!ends.is_empty());
        let (first, second) = text.split_at(ends[cut.index(ends.len())]);
        let (mut scratch, mut other) = (engine.scratch(), engine.scratch());
        let carry = engine.redact(&mut scratch, &Carry::default(), Bytes::copy_from_slice(first)).1;
        let piece = Piece::records(Bytes::copy_from_slice(second));
        let real = engine.redact_piece(&mut scratch, &carry, &piece);
        let (masked, guess, tally) = engine.redact_piece(&mut other, &Carry::default(), &piece);
        let (mut yes, mut no) = held.get();
        match engine.carry_behind(&other, &carry, &guess, &piece) {
            Some(behind) => {
                let count = |tally: &Tally| tally.findings.clone();
                prop_assert_eq!((masked, behind, count(&tally)), (real.0, real.1, count(&real.2)));
                yes += i32::from(!carry.is_empty());
            }
            None => no += i32::from(masked != real.0),
        }
        held.set((yes, no));
        Ok(())
    });
    let (yes, no) = held.get();
    assert!(yes > 50 && no > 50, "{yes} guesses held and {no} did not");
}
