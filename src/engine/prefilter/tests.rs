//! Every backend against `naive`, on literals and haystacks made to confuse it.

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use proptest::prelude::*;

use super::backend::Pass;
use super::features::Features;
use super::{Backend, CHUNK, Counts, Hit, Literal, Prefilter, Scratch, Tables, naive, tables};
use crate::engine::byteset::ByteSet;

const HEX: ByteSet = ByteSet::EMPTY.with_range(b'0', b'9').with_range(b'a', b'f');
const BASE64URL: ByteSet =
    ByteSet::from_bytes(b"-_").with_range(b'0', b'9').with_range(b'a', b'z').with_range(b'A', b'Z');

fn exact(text: &str) -> Literal {
    Literal { sets: text.bytes().map(ByteSet::of).collect() }
}

fn caseless(text: &str) -> Literal {
    Literal { sets: text.bytes().map(ByteSet::fold).collect() }
}

impl Literal {
    fn then(self, set: ByteSet, times: usize) -> Literal {
        Literal { sets: self.sets.iter().copied().chain(std::iter::repeat_n(set, times)).collect() }
    }
}

/// The shapes that rules have.
fn usual() -> Vec<Literal> {
    let mut literals: Vec<Literal> =
        ["ghp_", "AKIA", "xoxb-", "://", "-----BEGIN", "\u{1b}[", "a-rather-long-prefix_"].map(exact).to_vec();
    literals.extend(["token", "password", "api_key", "api-key", "authorization", "to"].map(caseless));
    literals.push(exact("eyJ").then(BASE64URL, 5));
    literals.push(exact("SG.").then(BASE64URL, 1));
    literals.push(exact("%").then(ByteSet::from_bytes(b"4567"), 1).then(HEX, 1));
    literals.push(exact("\\u00").then(ByteSet::from_bytes(b"234567"), 1).then(HEX, 1));
    literals.push(caseless("pwd").then(ByteSet::from_bytes(b"=:\"'"), 1));
    literals
}

fn prefilters(literals: &[Literal], tables: Option<&Tables>) -> Vec<Prefilter> {
    Pass::all().map(|pass| Prefilter::with(literals, tables, pass)).collect()
}

/// Every backend finds in `haystack` what `naive` finds.
fn check_with(prefilters: &[Prefilter], literals: &[Literal], haystack: &[u8]) {
    let expected = naive::find(literals, haystack);
    let (mut scratch, mut hits) = (Scratch::default(), vec![Hit { start: 7, literal: 7 }]);
    for prefilter in prefilters {
        let counts = prefilter.find(&mut scratch, haystack, &mut hits);
        let (backend, length) = (prefilter.backend(), haystack.len());
        assert!(hits == expected, "{backend}, {length} bytes: found {hits:?}, expected {expected:?}");
        assert_eq!(counts.literal_hits, expected.len() as u64);
        assert!(counts.candidates <= length as u64);
    }
}

fn check(literals: &[Literal], haystack: &[u8]) {
    check_with(&prefilters(literals, None), literals, haystack);
}

#[test]
fn fixed_cases_are_found() {
    let literals = [exact("ghp_"), caseless("token"), exact("eyJ").then(BASE64URL, 2), exact("\u{1b}["), exact("://")];
    let prefilters = prefilters(&literals, None);
    let cases: &[(&str, &[(u32, u16)])] = &[
        ("", &[]),
        ("g", &[]),
        ("ghp", &[]),
        ("ghp_", &[(0, 0)]),
        ("GHP_", &[]),
        ("ghp_ghp_", &[(0, 0), (4, 0)]),
        ("gghp__", &[(1, 0)]),
        ("ToKeN tokentoke", &[(0, 1), (6, 1)]),
        ("T\u{f}KEN TOKE\u{e} [oken", &[]),
        ("eyJab eyJ-_ eyJa. eyJa", &[(0, 2), (6, 2)]),
        ("\u{1b}[0m\u{1b}", &[(0, 3)]),
        ("\u{1b}", &[]),
        ("x\u{1b}[", &[(1, 3)]),
        ("a://", &[(1, 4)]),
        ("://:/", &[(0, 4)]),
        ("ghp_token://eyJaa\u{1b}[", &[(0, 0), (4, 1), (9, 4), (12, 2), (17, 3)]),
    ];
    let (mut scratch, mut hits) = (Scratch::default(), Vec::new());
    for prefilter in &prefilters {
        for (haystack, expected) in cases {
            prefilter.find(&mut scratch, haystack.as_bytes(), &mut hits);
            let found: Vec<(u32, u16)> = hits.iter().map(|hit| (hit.start, hit.literal)).collect();
            assert_eq!(&found, expected, "{} in {haystack:?}", prefilter.backend());
        }
    }
}

#[test]
fn a_backend_the_processor_has_is_the_one_used() {
    for backend in Backend::available() {
        assert_eq!(Prefilter::new(&usual(), None, backend).backend(), backend);
    }
    assert_eq!(Backend::available()[0], Backend::detect());
    assert_eq!(Backend::available().last(), Some(&Backend::Portable));
    assert_eq!(
        [Backend::Avx512, Backend::Avx2, Backend::Portable].map(|b| b.to_string()),
        ["AVX-512", "AVX2", "portable"]
    );
}

#[test]
fn the_same_literal_twice_is_found_twice() {
    check(&[exact("abcd"), exact("abcd"), caseless("ABCD"), exact("bc")], b"xabcdABCDabc");
}

#[test]
fn no_literals_find_nothing() {
    check(&[], b"ghp_");
    check(&[Literal { sets: Box::new([ByteSet::EMPTY, ByteSet::ALL]) }], b"ghp_");
}

#[test]
fn literals_of_classes_alone_are_found_everywhere() {
    let literals =
        [exact("").then(ByteSet::ALL, 2), exact("").then(BASE64URL, 3), exact("").then(HEX, 48), exact("ab")];
    for length in 0..150 {
        check(&literals, &b"ab%cd ef0123456789\xff".repeat(20)[..length]);
    }
}

#[test]
fn every_length_is_searched_to_its_last_byte() {
    let literals = usual();
    let prefilters = prefilters(&literals, None);
    let line = b"%4axoxb-password=://tok\\u0041eyJhbGciOiTOKEN-----BEGIN pwd: SG.a\x1b[ghp_Api-Key".repeat(4);
    for length in 0..=300 {
        check_with(&prefilters, &literals, &line[..length]);
        check_with(&prefilters, &literals, &line[300 - length..300]);
    }
}

#[test]
fn a_literal_is_found_at_every_distance_from_start_and_end() {
    let literals = usual();
    let prefilters = prefilters(&literals, None);
    for shift in 0..=260 {
        for literal in ["ghp_", "AUTHORIZATION", "a-rather-long-prefix_", "\u{1b}[", "%7f"] {
            let before = ".".repeat(shift);
            check_with(&prefilters, &literals, format!("{before}{literal}").as_bytes());
            check_with(&prefilters, &literals, format!("{literal}{before}").as_bytes());
            check_with(&prefilters, &literals, format!("{before}{literal}{before}").as_bytes());
        }
    }
}

#[test]
fn a_literal_across_two_chunks_is_found() {
    let literals = usual();
    let prefilters = prefilters(&literals, None);
    for shift in 0..30 {
        let mut haystack = vec![b'-'; 2 * CHUNK + 100];
        haystack[CHUNK - shift..][..21].copy_from_slice(b"a-rather-long-prefix_");
        check_with(&prefilters, &literals, &haystack);
    }
}

#[test]
fn three_hundred_kibibytes_of_near_misses_are_searched_exactly() {
    let literals = usual();
    let parts: &[&[u8]] =
        &[b"ghp_", b"ghp-", b"tokem", b"token", b"passwort", b"://", b":/", b" INFO ", b"\xf0\x9f\x94\x92", b"\0"];
    let mut haystack = Vec::new();
    let mut state = 1u32;
    while haystack.len() < 300 << 10 {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        haystack.extend_from_slice(parts[(state >> 16) as usize % parts.len()]);
    }
    check(&literals, &haystack);
}

#[test]
fn ready_tables_change_nothing_that_is_found() {
    let literals = usual();
    let sample = b"2024-01-01T00:00:00Z INFO token=abc password: x https://example.com/%4f ".repeat(50);
    let ready = tables::build(&literals, &sample);
    assert!(ready.are_for(&literals));
    let mut more = literals.clone();
    more.extend([exact("added"), caseless("later")]);
    assert!(!ready.are_for(&more));
    assert!(ready.of_front(&more, Features::Hashes).is_some());
    assert!(ready.of_front(&more[1..], Features::Nibbles).is_none());
    let haystack = b"added token=ghp_ LATER \x1b[1m %41 \\u0041 aPi_KeY eyJhbGciOi ://".repeat(9);
    check_with(&prefilters(&literals, Some(&ready)), &literals, &haystack);
    check_with(&prefilters(&more, Some(&ready)), &more, &haystack);
    check_with(&prefilters(&more[1..], Some(&ready)), &more[1..], &haystack);
}

#[test]
fn tables_made_from_a_sample_let_fewer_candidates_through() {
    let words = "latest request response protocol passenger secretary section author coke crumb api access accent";
    let sample = words.repeat(500);
    let mut literals = usual();
    literals.extend(["access_key", "secret_key", "client_secret", "private_key", "passphrase"].map(caseless));
    literals.extend(["glpat-", "npm_", "pypi-", "sk_live_", "hvs.", "dop_v1_", "AIza", "ATATT3"].map(exact));
    let ready = tables::build(&literals, sample.as_bytes());
    for pass in Pass::all() {
        let candidates = |tables| {
            let prefilter = Prefilter::with(&literals, tables, pass);
            prefilter.find(&mut Scratch::default(), sample.as_bytes(), &mut Vec::new()).candidates
        };
        assert!(candidates(Some(&ready)) <= candidates(None), "{}", pass.backend());
    }
}

#[test]
fn tables_are_written_as_rust() {
    let source = tables::build(&usual(), b"").to_source();
    assert!(source.starts_with("//! "));
    assert!(source.contains("pub(crate) const HASH: u64 = 0x"));
    assert!(source.contains("pub(crate) const HASHES: &[(u8, u8)] = &[\n    ("));
    assert!(source.ends_with("),\n];\n"));
    assert_eq!(source, tables::build(&usual(), b"").to_source(), "the same input makes the same tables");
}

#[test]
fn an_automaton_finds_the_same() {
    let words = ["token", "ghp_", "password", "pass", "word", "://", "to", "key_", "api_key"];
    let literals = words.map(caseless);
    let automaton = AhoCorasick::builder().kind(Some(AhoCorasickKind::DFA)).ascii_case_insensitive(true).build(words);
    let automaton = automaton.expect("nine words fit");
    let haystack = b"PassWord=tokentoken://GHP_passwordpass api_keytoKEY_".repeat(40);
    let found = automaton.find_overlapping_iter(&haystack);
    let mut expected: Vec<Hit> =
        found.map(|found| Hit { start: found.start() as u32, literal: found.pattern().as_u32() as u16 }).collect();
    expected.sort_unstable();
    let (mut scratch, mut hits) = (Scratch::default(), Vec::new());
    for prefilter in prefilters(&literals, None) {
        prefilter.find(&mut scratch, &haystack, &mut hits);
        assert_eq!(hits, expected, "{}", prefilter.backend());
    }
}

#[test]
fn a_scratch_keeps_nothing() {
    let literals = usual();
    let [mut used, mut hits, mut again] = [(); 3].map(|()| Vec::new());
    let mut scratch = Scratch::default();
    for prefilter in prefilters(&literals, None) {
        prefilter.find(&mut scratch, &b"token://".repeat(3000), &mut used);
        let counts = prefilter.find(&mut scratch, b"a token", &mut hits);
        assert_eq!(counts, prefilter.find(&mut Scratch::default(), b"a token", &mut again));
        assert_eq!(hits, again);
        assert_eq!(Counts { literal_hits: 2, ..counts }, counts);
    }
}

/// One position: mostly one byte of a small alphabet, so that literals overlap; now and then a class.
fn set() -> impl Strategy<Value = ByteSet> {
    prop_oneof![
        8 => proptest::sample::select(b"abAB01_:%/\x01\xe1".as_slice()).prop_map(ByteSet::of),
        3 => proptest::sample::select(b"abxyz".as_slice()).prop_map(ByteSet::fold),
        1 => Just(HEX),
        1 => Just(BASE64URL),
        1 => Just(ByteSet::from_bytes(b"aB")),
        1 => (any::<u8>(), any::<u8>()).prop_map(|(low, high)| ByteSet::EMPTY.with_range(low.min(high), low.max(high))),
    ]
}

fn literal() -> impl Strategy<Value = Literal> {
    let len = prop_oneof![4 => 2..=6usize, 2 => 7..=12usize, 1 => 13..=48usize];
    len.prop_flat_map(|len| proptest::collection::vec(set(), len)).prop_map(|sets| Literal { sets: sets.into() })
}

/// A piece of haystack: a literal's member, perhaps cut or with one byte changed, or something else.
#[derive(Clone, Debug)]
struct Piece {
    literal: proptest::sample::Index,
    pick: u8,
    cut: Option<proptest::sample::Index>,
    change: Option<(proptest::sample::Index, u8)>,
    after: Vec<u8>,
}

fn piece() -> impl Strategy<Value = Piece> {
    use proptest::option::weighted;
    let after = proptest::collection::vec(proptest::sample::select(b"ab01_ \xe1\n".as_slice()), 0..4);
    (
        any::<proptest::sample::Index>(),
        any::<u8>(),
        weighted(0.3, any::<proptest::sample::Index>()),
        weighted(0.3, any::<(proptest::sample::Index, u8)>()),
        after,
    )
        .prop_map(|(literal, pick, cut, change, after)| Piece { literal, pick, cut, change, after })
}

fn haystack(literals: &[Literal], pieces: &[Piece], shift: usize) -> Vec<u8> {
    let mut haystack = b"ab_:".iter().copied().cycle().take(shift).collect::<Vec<u8>>();
    for piece in pieces {
        let literal = piece.literal.get(literals);
        let member = |set: &ByteSet| set.iter().nth(usize::from(piece.pick) % set.len());
        let mut bytes: Vec<u8> = literal.sets.iter().filter_map(member).collect();
        if let Some((at, byte)) = &piece.change {
            *at.get_mut(&mut bytes) = *byte;
        }
        bytes.truncate(piece.cut.as_ref().map_or(bytes.len(), |cut| cut.index(bytes.len())));
        haystack.extend(bytes.into_iter().chain(piece.after.iter().copied()));
    }
    haystack
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn every_backend_finds_what_is_there(
        literals in proptest::collection::vec(literal(), 1..60),
        pieces in proptest::collection::vec(piece(), 0..40),
        shift in 0..=260usize,
        ready in any::<bool>(),
    ) {
        let haystack = haystack(&literals, &pieces, shift);
        let tables = ready.then(|| tables::build(&literals, &haystack));
        check_with(&prefilters(&literals, tables.as_ref()), &literals, &haystack);
        check_with(&prefilters(&literals, None), &literals, &haystack[shift..]);
    }
}
