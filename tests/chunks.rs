//! The same bytes come out however the input was cut, and a record too long to be held is masked at its window borders.

use std::sync::Arc;

use inkout::engine::{Engine, Known, KnownValue, Limits, Policy, Stream};
use inkout::rules::{Catalog, generator};

/// Windows of 64 KiB, so that a test needs no megabytes.
const WINDOW: usize = 64 << 10;

fn engine() -> Arc<Engine> {
    let limits = Limits { max_record_bytes: WINDOW, ..Limits::default() };
    Arc::new(Engine::compile(Catalog::builtin().set, Policy::default(), &limits).expect("built-in rules compile"))
}

fn redacted<'c>(engine: &Arc<Engine>, chunks: impl IntoIterator<Item = &'c [u8]>) -> Vec<u8> {
    let mut stream = Stream::new(Arc::clone(engine));
    let mut out = Vec::new();
    chunks.into_iter().for_each(|chunk| stream.push(chunk, |masked| out.extend_from_slice(masked.as_bytes())));
    stream.finish(|masked| out.extend_from_slice(masked.as_bytes()));
    out
}

const LOG: &str = r#"ts=1 level=info msg="login ok" password="{alnum:12}" dur=12ms
{"user":"ada","token":"ghp_{alnum:36}","n":1}
Authorization: Bearer {alnum:40} rejected
-----BEGIN RSA PRIVATE KEY-----
{pem}
{pem}
done
2026-03-04T05:06:07.000000001Z stdout P {"api_key":"{alnum:10}
2026-03-04T05:06:07.000000002Z stderr F unrelated
2026-03-04T05:06:07.000000003Z stdout F {alnum:10}","n":1}
secret: |
  {alnum:20}
next: 1
- name: DB_PASSWORD
  value: {alnum:12}
postgres://svc:{alnum:12}@db/app without a line end"#;

#[test]
fn a_log_cut_anywhere_comes_out_the_same() {
    let (engine, text) = (engine(), generator::expand(LOG, 5).expect("a template"));
    let text = text.as_bytes();
    let whole = redacted(&engine, [text]);
    assert_eq!(redacted(&engine, text.chunks(1)), whole, "byte by byte");
    for cut in 0..=text.len() {
        assert_eq!(redacted(&engine, [&text[..cut], &text[cut..]]), whole, "cut at {cut}");
    }
    let shown = String::from_utf8(whole).expect("ASCII");
    assert_eq!(shown.matches("REDACTED").count(), 9, "{shown}");
    assert!(shown.contains("\ndone\n") && shown.contains(" stderr F unrelated\n"), "{shown}");
}

#[test]
fn a_secret_at_any_border_of_a_long_record_is_masked_once() {
    let engine = engine();
    let secret = generator::expand("{alnum:24}", 9).expect("a generator");
    for border in [WINDOW, 2 * WINDOW] {
        for before in [0, 1, 5, 12, 20, 30, 40] {
            let head = "pad word ".repeat(border / 9 + 1)[..border - before - 1].to_owned();
            let text = format!("{head} api_key={secret} {}\nnext line\n", "tail ".repeat(WINDOW / 5));
            let expected = text.replace(&secret, "REDACTED.api-key");
            for step in [text.len(), 4093, 65_537] {
                let out = redacted(&engine, text.as_bytes().chunks(step));
                assert!(out == expected.as_bytes(), "border {border}, {before} before, by {step}");
            }
        }
    }
}

#[test]
fn a_secret_longer_than_a_window_can_see_is_swallowed_to_its_end() {
    let engine = engine();
    let long = "aB3".repeat(3 * WINDOW / 3);
    for (open, close) in [("{\"password\":\"", "\",\"n\":1}"), ("token=ghp_", " end")] {
        let text = format!("{open}{long}{close}\nnext\n");
        let out = String::from_utf8(redacted(&engine, text.as_bytes().chunks(10_007))).expect("ASCII");
        assert!(!out.contains("aB3aB3"), "{} bytes are left", out.len());
        assert!(out.ends_with(&format!("{close}\nnext\n")), "{}", &out[out.len().saturating_sub(80)..]);
        assert_eq!(out.matches("REDACTED").count(), 1);
    }
}

/// What a key owns goes on in records that are too long to be held, wherever the key stands.
#[test]
fn a_long_record_that_belongs_to_a_key_is_masked_to_its_end() {
    let engine = engine();
    let body = |lead: &str| format!("{lead}{}", "aB3dE5fG".repeat(WINDOW / 2));
    let begin = ["-----BEGIN RSA", "PRIVATE KEY-----"].join(" ");
    let words = "aB3dE5fG is, \"so\" it goes ".repeat(WINDOW / 8);
    let leaves = (0..WINDOW / 8).map(|at| format!("\"aB3dE5fG{at}\"")).collect::<Vec<_>>();
    let rows = (0..WINDOW / 8).map(|at| format!("({at},'aB3dE5fG{at}')")).collect::<Vec<_>>().join(",");
    let cases = [
        format!("password: |\n  {words}\nnext: 1\n"),
        format!("password: |\n  first\n{}\r\nnext: 1\n", body("  ")),
        format!("{begin}\n{}\nnext: 1\n", body("")),
        format!("{begin}\n{}\n{}\nnext: 1\n", "Q9z8".repeat(16), body("")),
        format!("{{\"credentials\":[{}],\"n\":1}}\nnext: 1\n", leaves.join(",")),
        format!("{{\"credentials\":{{\"a\":[{},\nnext: 1\n", leaves.join(",")),
        format!("INSERT INTO t (id,password) VALUES {rows};\nnext: 1\n"),
        format!("Cookie: {}\nnext: 1\n", (0..WINDOW / 8).map(|at| format!("c{at}=aB3dE5fG{at}; ")).collect::<String>()),
    ];
    for text in cases {
        let whole = redacted(&engine, [text.as_bytes()]);
        for step in [997, 65_537] {
            assert!(redacted(&engine, text.as_bytes().chunks(step)) == whole, "{} by {step}", &text[..40]);
        }
        let out = String::from_utf8(whole).expect("ASCII");
        let left = out.find("aB3dE5fG").map(|at| &out[at.saturating_sub(60)..out.len().min(at + 60)]);
        assert_eq!(left, None, "{}", &text[..40]);
        assert!(out.ends_with("\nnext: 1\n") && out.contains("REDACTED"), "{}", &out[out.len().saturating_sub(80)..]);
        assert_eq!(out.matches('\n').count(), text.matches('\n').count());
    }
}

/// A program's line that its runtime cut, with as much of the other stream between as comes in practice.
#[test]
fn fragments_belong_together_whatever_stands_between_and_however_they_came() {
    let engine = engine();
    let token = generator::expand("ghp_{alnum:36}", 3).expect("a generator");
    let (head, tail) = token.split_at(20);
    let stamp = "2026-03-04T05:06:07.000000001Z";
    let docker = |text: &str| format!("{{\"log\":\"{text}\",\"stream\":\"stdout\",\"time\":\"{stamp}\"}}\n");
    let mut cases = vec![format!("{}{}", docker(&format!("x {head}")), docker(&format!("{tail} y\\n")))];
    let letter = format!("{}n", &token[..19]);
    let rest = generator::expand("{alnum:20}", 4).expect("a generator");
    cases.push(format!("{}{}", docker(&format!("x {letter}")), docker(&format!("{rest} y\\n"))));
    for between in [0, 1, 70, 3000] {
        let chatter = format!("{stamp} stderr F waiting\n").repeat(between);
        let before = format!("{stamp} stdout F ready\n").repeat(40);
        cases.push(format!("{before}{stamp} stdout P x {head}\n{chatter}{stamp} stdout F {tail} y\n{before}"));
    }
    for text in cases {
        let whole = redacted(&engine, [text.as_bytes()]);
        let by_line = redacted(&engine, text.as_bytes().split_inclusive(|byte| *byte == b'\n'));
        let out = String::from_utf8(whole).expect("ASCII");
        assert_eq!(out, String::from_utf8(by_line).expect("ASCII"));
        assert!(out.contains("REDACTED") && !out.contains(tail) && !out.contains(&rest), "{} bytes", text.len());
    }
}

#[test]
fn a_known_value_of_several_lines_is_found_however_they_came() {
    let lines = ["sh0rt9x7", "an0ther-one", "a-l0nger-line-of-the-value"];
    let known = KnownValue { name: "file".to_owned(), value: lines.join("\n").into_bytes() };
    let (known, skipped) = Known::new(vec![known]);
    assert!(skipped.is_empty(), "{skipped:?}");
    let engine = Arc::into_inner(engine()).expect("one owner").with_known(Arc::new(known), None);
    let engine = Arc::new(engine.expect("a rule for known values"));
    let text = format!("{}\n", lines.join("\n"));
    let whole = redacted(&engine, [text.as_bytes()]);
    assert_eq!(redacted(&engine, text.as_bytes().split_inclusive(|byte| *byte == b'\n')), whole);
    assert_eq!(String::from_utf8(whole).expect("ASCII").matches("REDACTED:known-value").count(), 3);
}
