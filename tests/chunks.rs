//! The same bytes come out however the input was cut, and a record too long to be held is masked at its window borders.

use std::sync::Arc;

use inkout::engine::{Engine, Limits, Policy, Stream};
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
