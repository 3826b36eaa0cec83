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

#[test]
fn every_row_of_a_column_is_masked() {
    let rows = |count| many(count, ",", |secret| format!("({},'{secret}','x)')", secret.len()));
    let out = check(&format!("INSERT INTO users (id, password, note) VALUES {};\nnext\n", rows(3000)), "s3cr3t");
    assert!(out.contains(",'x)'),(") && out.ends_with("'x)');\nnext\n"), "the other columns are left");
    check(
        &format!("insert into users (password) values ('a','{}", rows(2).replace(['\'', '(', ')', ','], " ")),
        "s3cr3t",
    );
    let columns = |name| format!("({})", [name; 400].join(","));
    let row = many(400, ",", |secret| format!("'{secret}'"));
    check(&format!("INSERT INTO t {} VALUES ({row}),({row});\n", columns("db_password")), "s3cr3t");
}

#[test]
fn every_cookie_of_a_header_is_masked() {
    let cookies = many(6000, "; ", |secret| format!("c{}={secret}", secret.len()));
    check(&format!("Cookie: {cookies}\nnext\n"), "s3cr3t");
    let out = check(&format!("{{\"cookie\":\"{cookies}\",\"n\":1}}\n"), "s3cr3t");
    assert!(out.ends_with("\",\"n\":1}\n"));
    let out = check(&format!("Set-Cookie: sid={}; Path=/\nnext\n", "s3cr3t".repeat(500_000)), "s3cr3t");
    // Of a header that no window holds whole, the rest goes too.
    assert!(out.ends_with("REDACTED.cookie\nnext\n"), "{}", &out[out.len().saturating_sub(99)..]);
}

#[test]
fn a_password_in_a_url_may_be_of_any_length() {
    for len in [100, 600, 20_000] {
        let out = check(&format!("dial postgres://svc:{}@db/app failed\n", "s3cr3t".repeat(len / 6)), "s3cr3t");
        assert!(out.starts_with("dial postgres://svc:REDACTED") && out.ends_with("@db/app failed\n"), "{out}");
    }
    check(&format!("postgres://{}:s3cr3t7@db/app\n", "user".repeat(200)), "s3cr3t");
}

#[test]
fn lines_of_a_value_end_where_their_grammar_says() {
    let lines = |lead: &str| many(3000, "\n", |secret| format!("{lead}{secret}"));
    let out = check(&format!("credentials: |\n{}\nnext: 1\n", lines("  ")), "s3cr3t");
    assert!(out.ends_with("\nnext: 1\n"));
    let part = "--b\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\n";
    let out = check(&format!("{part}{}\r\n--b--\r\nnext\n", lines("")), "s3cr3t");
    assert!(out.ends_with("\r\n--b--\r\nnext\n"));
    let body = "aB3dE5fG".repeat(8);
    let (begin, end) = (["-----BEGIN PGP PRIVATE", "KEY BLOCK-----"].join(" "), "-----END");
    check(&format!("{begin}\n\n{}{end}\n", format!("{body}\n").repeat(2000)), "aB3dE5fG");
    check(&format!("key=\"{begin}\\n{}{end}\"\n", format!("{body}\\n").repeat(2000)), "aB3dE5fG");
}

#[test]
fn every_leaf_of_a_secret_structure_is_masked() {
    let leaves = many(6000, ",", |secret| format!("\"k{}\":\"{secret}\"", secret.len()));
    let out = check(&format!("{{\"credentials\":{{{leaves}}},\"n\":1}}\nnext\n"), "s3cr3t");
    assert!(out.ends_with("},\"n\":1}\nnext\n"));
    for depth in [23, 24, 25, 26, 500] {
        let (open, close) = ("[".repeat(depth), "]".repeat(depth));
        let out = check(&format!("{{\"password\":{open}\"s3cr3tdeep1\"{close},\"n\":1}}\n"), "s3cr3t");
        assert!(out.ends_with("],\"n\":1}\n"), "{depth}");
        check(&format!("{{\"credentials\":{{\"a\":{open}\"x\"{close},\"b\":\"s3cr3tafter\"}}}}\n"), "s3cr3t");
    }
    let mut nested = String::from("\"s3cr3tinmost\"");
    for _ in 0..30 {
        nested = format!("{{\"password\":{nested},\"b\":\"s3cr3tbeside\"}}");
    }
    let out = check(&format!("{nested}\n"), "s3cr3t");
    let parsed: serde_json::Value = serde_json::from_str(&out).expect("JSON stays JSON");
    assert!(parsed["password"]["password"]["b"].as_str().is_some_and(|leaf| leaf.starts_with("[REDACTED")));
    check(&format!("password=[{}]\n", many(200, " ", |secret| secret)), "s3cr3t");
    check(&format!("[\"password\",\"{}\"]\n", "s3cr3t".repeat(2000)), "s3cr3t");
    check(&format!("auth=UserAuth{{id={},password=s3cr3t9}}\n", "x1".repeat(700)), "s3cr3t");
}

#[test]
fn a_block_scalar_is_one_behind_a_prefix_a_comment_a_tag_or_an_anchor() {
    for mark in ["|", ">-", "|2", "| # s3e below", "&a |", "!!binary |", "!vault |", "&a !!binary |+ # x", "|\r"] {
        let out = check(&format!("a:\n  password: {mark}\n    s3cr3t1 x\n\n     s3cr3t2\n  next: 1\n"), "s3cr3t");
        assert!(out.ends_with("\n  next: 1\n") && out.contains(&format!("password: {mark}\n")), "{out}");
    }
    let log =
        "web-1  |   password: |-\nweb-1  |     s3cr3t1\ndb-1   | 1 ready\nweb-1  |     s3cr3t2\nweb-1  |   next: 1\n";
    let out = check(log, "s3cr3t");
    assert!(out.contains("\ndb-1   | 1 ready\n") && out.ends_with("\nweb-1  |   next: 1\n"), "{out}");
    let out = check("12:03:04 INFO password: |\n  s3cr3t1\n  s3cr3t2\n12:03:05 INFO   next\nplain\n", "s3cr3t");
    assert!(out.ends_with("plain\n"), "{out}");
    check("password: !!str s3cr3t9\ntoken: !!binary \"s3cr3t8x\"\n", "s3cr3t");
    check("password: !s3cr3t9 x\n", "s3cr3t");
}
