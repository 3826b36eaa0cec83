//! What must not slip through: values that look like templates, like what we write, or like nothing a literal gives away.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use super::{Action, Carry, Engine, HashKey, Limits, Policy};
use crate::rules::Catalog;

fn engine(policy: Policy) -> Engine {
    Engine::compile(Catalog::builtin().set, policy, &Limits::default()).expect("built-in rules compile")
}

fn redacted(engine: &Engine, text: &str) -> String {
    let (masked, ..) = engine.redact(&mut engine.scratch(), &Carry::default(), Bytes::copy_from_slice(text.as_bytes()));
    String::from_utf8(masked.as_bytes().to_vec()).expect("UTF-8")
}

#[test]
fn a_value_that_only_begins_like_what_we_write_is_masked_whole() {
    let engine = engine(Policy::default());
    for text in [
        "password=****!Secret99x",
        "\"password\":\"****-Secret99x\"",
        "password=[REDACTED:x]!realS3cret",
        "password=REDACTED.x/realS3cret9",
        "token: [REDACTED:t]-ab12cd34ef56",
        "password: ****Secret99x",
    ] {
        let out = redacted(&engine, text);
        assert!(!out.contains("ecret") && !out.contains("ab12") && !out.contains("S3cret"), "{text}: {out}");
        assert_eq!(redacted(&engine, &out), out, "{text}");
    }
    for text in ["password=REDACTED.password, port=1", "x [REDACTED:password]/path y", "password=[REDACTED:password])"]
    {
        assert_eq!(redacted(&engine, text), text);
    }
}

#[test]
fn a_value_that_looks_like_code_is_masked_in_quotes_and_where_it_is_none() {
    let engine = engine(Policy::default());
    for secret in ["Summer(2024)", "Winter{2024}", "$ECRET123", "%PASS1%", "<S3cret9x>", "Token{a64f992}", "get()"] {
        for text in [format!("{{\"password\":\"{secret}\"}}"), format!("password='{secret}'")] {
            assert!(!redacted(&engine, &text).contains(secret), "{text}");
        }
    }
    for secret in ["Hunter(2)", "Passw0rd{1", "$ECRET123"] {
        let text = format!("password={secret} next");
        assert!(!redacted(&engine, &text).contains(secret), "{text}");
    }
    for text in
        ["password = get_password()", "PASSWORD=${DB_PASSWORD}", "password=$DB_PASSWORD", "token=Token{a64f992}"]
    {
        assert_eq!(redacted(&engine, text), text);
    }
}

#[test]
fn the_default_of_a_variable_is_as_secret_as_the_variable() {
    let engine = engine(Policy::default());
    assert_eq!(redacted(&engine, "DB_PASSWORD=\"${PW:-hunter2x}\""), "DB_PASSWORD=\"[REDACTED:password]\"");
    assert_eq!(redacted(&engine, "DB_PASSWORD=\"${PW:-}\""), "DB_PASSWORD=\"${PW:-}\"");
}

#[test]
fn a_placeholder_that_would_hide_keys_is_refused() {
    for template in ["[secret]", "[token]", "[PASSWORD]", "[api-key:{rule}]"] {
        let policy = Policy { placeholder: Some(template.to_owned()), ..Policy::default() };
        let refused = Engine::compile(Catalog::builtin().set, policy, &Limits::default()).map(drop);
        let said = refused.expect_err(template).to_string();
        assert!(said.contains(template) && said.contains("key"), "{said}");
    }
    for template in ["[gone]", "***SECRET***", "[masked:{rule}]"] {
        engine(Policy { placeholder: Some(template.to_owned()), ..Policy::default() });
    }
}

#[test]
fn sixteen_digits_behind_any_word_are_no_hash_of_ours() {
    let policy = || Policy { hash_key: HashKey::new(vec![7; 32]).ok(), ..Policy::default() };
    let hashing = engine(Policy { action: Action::Hash, ..policy() });
    for text in ["token=svc-payments.9f86d081884c7d65", "password=\"db.0123456789abcdef\""] {
        let out = redacted(&hashing, text);
        assert_ne!(out, text);
        // What one inkout wrote with a key is left by another without it.
        assert_eq!(redacted(&engine(Policy::default()), &out), out);
    }
}

#[test]
fn a_fragment_goes_unmasked_for_no_choice_of_rules() {
    // The first rule of the set is off, and its id is what nothing else is known of a span that only goes on.
    let mut set = Catalog::builtin().set;
    let password = set.rules.iter().position(|rule| rule.id == "password").expect("a built-in rule");
    set.rules.swap(1, password);
    set.rules.truncate(2);
    let by_rule = BTreeMap::from([(set.rules[0].id.clone(), Action::Keep)]);
    let policy = Policy { by_rule, ..Policy::default() };
    let engine = Arc::new(Engine::compile(set, policy, &Limits::default()).expect("two rules compile"));
    let mut stream = super::Stream::new(engine);
    let mut out = Vec::new();
    let text = format!("{{\"password\":\"{}\"}}\n", "aB3".repeat(1 << 20));
    stream.push(text.as_bytes(), |masked| out.extend_from_slice(masked.as_bytes()));
    stream.finish(|masked| out.extend_from_slice(masked.as_bytes()));
    assert_eq!(String::from_utf8(out).expect("UTF-8"), "{\"password\":\"[REDACTED:password]\"}\n");
}
