//! Bytes in, bytes out of the library: encodings, line ends, private keys over lines, audit, and a validator that panics.
//! Each `golden/NAME.in` is expanded by the generators of rule examples, so that no secret stands in the tree; what must come
//! out stands in `NAME.out`. Binary input is put together here. What the program does around the library is not tested here.

use bytes::Bytes;
use inkout::engine::{
    Carry, Category, Engine, Limits, Masked, Matcher, Mode, Origin, Policy, Rule, RuleSet, Tally, Validator,
    ValidatorRole,
};
use inkout::rules::{Catalog, generator};

fn engine(policy: Policy) -> Engine {
    Engine::compile(Catalog::builtin().set, policy, &Limits::default()).unwrap_or_else(|error| panic!("{error}"))
}

fn redact(engine: &Engine, input: &[u8]) -> (Masked, Tally) {
    let block = Bytes::copy_from_slice(input);
    let (masked, _, tally) = engine.redact(&mut engine.scratch(), &Carry::default(), block);
    (masked, tally)
}

fn expand(text: &str) -> String {
    // The armour of a key is written with its label alone: a whole one would be found in our own repository.
    let armoured = text.replace("<BEGIN ", "-----BEGIN ").replace("<END ", "-----END ").replace(" KEY>", " KEY-----");
    generator::expand(&armoured, 1).unwrap_or_else(|error| panic!("{error}"))
}

#[track_caller]
fn check(name: &str, input: &str, expected: &str) {
    let (masked, _) = redact(&engine(Policy::default()), expand(input).as_bytes());
    let found = String::from_utf8_lossy(masked.as_bytes()).into_owned();
    assert_eq!(found, expand(expected), "{name}");
}

macro_rules! golden {
    ($($name:ident),* $(,)?) => { $(
        #[test]
        fn $name() {
            let input = include_str!(concat!("golden/", stringify!($name), ".in"));
            check(stringify!($name), input, include_str!(concat!("golden/", stringify!($name), ".out")));
        }
    )* };
}

golden!(
    a_private_key_across_lines_keeps_its_armour,
    a_truncated_private_key_ends_before_other_words,
    a_private_key_escaped_on_one_line_is_found,
    a_private_key_behind_a_prefix_is_found_record_by_record,
    two_private_keys_of_two_pods_are_told_apart,
    carriers_keep_their_grammar,
    assignments_of_many_languages_are_read,
    what_a_program_puts_behind_a_scheme_is_found,
    what_is_glued_to_a_key_goes_with_it,
    tables_are_read_by_the_names_of_their_columns,
    a_value_is_found_however_it_is_said,
    a_value_is_found_in_what_languages_make_of_it,
    values_that_stand_beside_more_are_found_and_nothing_else,
    a_private_key_behind_a_name_is_found_behind_any_prefix,
);

/// A token whose rule knows it anywhere.
fn token() -> String {
    expand("ghp_{alnum:36}")
}

#[track_caller]
fn check_bytes(input: &[u8], expected: &[u8]) {
    let (masked, tally) = redact(&engine(Policy::default()), input);
    assert_eq!(String::from_utf8_lossy(masked.as_bytes()), String::from_utf8_lossy(expected));
    assert_eq!(masked.as_bytes(), expected);
    assert_eq!((tally.bytes_in, tally.bytes_out), (input.len() as u64, expected.len() as u64));
}

/// `input` with every `TOKEN` as a token, and what comes out.
#[track_caller]
fn check_around(input: &[u8]) {
    let with = |text: &str| {
        let parts: Vec<&[u8]> = split(input, b"TOKEN");
        parts.join(text.as_bytes())
    };
    check_bytes(&with(&token()), &with("[REDACTED:github-token]"));
}

fn split<'i>(input: &'i [u8], mark: &[u8]) -> Vec<&'i [u8]> {
    let mut parts = Vec::new();
    let mut rest = input;
    while let Some(at) = rest.windows(mark.len()).position(|window| window == mark) {
        parts.push(&rest[..at]);
        rest = &rest[at + mark.len()..];
    }
    parts.push(rest);
    parts
}

#[test]
fn empty_input_stays_empty() {
    check_bytes(b"", b"");
}

#[test]
fn line_ends_of_every_kind_stay() {
    check_around(b"a TOKEN b\r\nc TOKEN\r\n\r\nd");
    check_around(b"a TOKEN\rb TOKEN\r\rc\r");
    check_around(b"\n\nTOKEN\n\n");
    check_around(b"no last line end, TOKEN");
}

#[test]
fn nul_bytes_stay() {
    check_around(b"\0a\0TOKEN\0b\0\0\n\0TOKEN\0");
}

#[test]
fn all_byte_values_stay() {
    let all: Vec<u8> = (0..=255).collect();
    check_around(&[&all[..], b" TOKEN ", &all, b"\n", &all].concat());
}

#[test]
fn what_is_not_utf_8_stays() {
    check_around(b"\xff\xfe\xc0\x80 TOKEN \xed\xa0\x80\n\xf4\x90\x80\x80TOKEN\xe2\x80\n");
}

/// A view of UTF-16 does not exist yet: nothing of such a file may change.
#[test]
fn utf_16_stays_byte_for_byte() {
    let text = format!("\u{feff}password is set\r\nlevel=info {}\r\n", "ok ".repeat(40));
    let (little, big): (Vec<[u8; 2]>, Vec<[u8; 2]>) =
        text.encode_utf16().map(|unit| (unit.to_le_bytes(), unit.to_be_bytes())).unzip();
    for bytes in [little.concat(), big.concat()] {
        check_bytes(&bytes, &bytes);
    }
}

#[test]
fn audit_changes_no_byte_and_counts_as_if_enforced() {
    let input = expand("a ghp_{alnum:36}\r\npassword={alnum:12}\nlast");
    let (_, enforced) = redact(&engine(Policy::default()), input.as_bytes());
    let (masked, audited) = redact(&engine(Policy { mode: Mode::Audit, ..Policy::default() }), input.as_bytes());
    assert_eq!(masked.as_bytes(), input.as_bytes());
    assert_eq!((audited.total(), &audited.findings), (2, &enforced.findings));
}

fn rule(id: &str, pattern: &str, validator: Option<Validator>) -> Rule {
    Rule {
        id: id.to_owned(),
        summary: id.to_owned(),
        category: Category::Credential,
        matcher: Matcher::Pattern(pattern.to_owned()),
        validator,
        validator_role: ValidatorRole::Label,
        always_scan: false,
        shadow: false,
        whole_value: false,
        keywords: Vec::new(),
        min_entropy: None,
        allow: Vec::new(),
        origin: Origin::default(),
    }
}

/// An engine with a rule that panics where `boomboom` stands, and one that finds `tokenX` and a digit.
fn fragile(mode: Mode) -> Engine {
    let panics = Validator::new("panics", |_| panic!("injected"));
    let rules =
        vec![rule("fragile", "(?<secret>boomboom)", Some(panics)), rule("sound", "(?<secret>tokenX[0-9])", None)];
    let set = RuleSet { rules, ..RuleSet::default() };
    Engine::compile(set, Policy { mode, ..Policy::default() }, &Limits::default())
        .unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn a_record_on_which_a_rule_panics_is_masked_whole() {
    let (masked, tally) = redact(&fragile(Mode::Enforce), b"a tokenX1\nb boomboom tokenX2\r\nc tokenX3\nd boomboom");
    let expected = "a [REDACTED:sound]\n[REDACTED:uninspected]\r\nc [REDACTED:sound]\n[REDACTED:uninspected]";
    assert_eq!(String::from_utf8_lossy(masked.as_bytes()), expected);
    assert_eq!((tally.records_masked_whole, tally.total()), (2, 2));
    assert_eq!(tally.bytes_out, expected.len() as u64);
}

#[test]
fn a_record_on_which_a_rule_panics_is_masked_whole_in_audit_too() {
    let (masked, tally) = redact(&fragile(Mode::Audit), b"a tokenX1\nb boomboom\n");
    assert_eq!(masked.as_bytes(), b"a tokenX1\n[REDACTED:uninspected]\n");
    assert_eq!((tally.records_masked_whole, tally.total()), (1, 1));
}

#[test]
fn a_worker_goes_on_behind_a_panic() {
    let engine = fragile(Mode::Enforce);
    let mut scratch = engine.scratch();
    let mut run = |text: &'static str| {
        let (masked, _, _) = engine.redact(&mut scratch, &Carry::default(), Bytes::from_static(text.as_bytes()));
        String::from_utf8_lossy(masked.as_bytes()).into_owned()
    };
    assert_eq!(run("boomboom\n"), "[REDACTED:uninspected]\n");
    assert_eq!(run("a tokenX1\n"), "a [REDACTED:sound]\n");
}
