//! Haystacks for property tests: fragments of what logs and rules are made of, thrown together so that keys, quotes, escapes
//! and secrets meet in ways nobody wrote down. Not sample logs: nothing in them has to make sense.

use std::sync::LazyLock;

use proptest::prelude::*;
use proptest::sample::select;

use super::{Action, Engine, HashKey, Limits, Policy};
use crate::rules::{Catalog, generator};

const KEYS: &[&str] = &[
    "password",
    "Password",
    "PASSWD",
    "passwords.admin",
    "apiKey",
    "api_key",
    "API-KEY",
    "x-api-key",
    "api key",
    "token",
    "access_token",
    "accessToken",
    "secret",
    "clientSecret",
    "Authorization",
    "authorization",
    "Cookie",
    "Set-Cookie",
    "pin",
    "pinCode",
    "cvv2",
    "db.pass",
    "pwd",
    "connection_string",
    "JSESSIONID",
    "private_key",
    "--password",
    "--token",
    "mnemonic",
    "token_type",
    "max_tokens",
    "password_reset",
    "user",
    "msg",
    "name=\"password\"",
];
const JOINTS: &[&str] = &[
    "=",
    ":",
    ": ",
    " = ",
    "=>",
    " => ",
    ":=",
    "%3D",
    "::",
    "->",
    "==",
    "\\u003d",
    "&#61;",
    " is ",
    " ",
    "\": \"",
    "\":\"",
    "\\\":\\\"",
    "': '",
    "=\"",
    "='",
    "\": ",
    "\":[",
    "\":{\"a\":\"",
    "\",\"value\":\"",
    "\",\"",
    ">",
    ": |",
    "=[",
    "[0]=",
    "\u{ff1d}",
    " \"",
];
const MARKS: &[&str] = &[
    "\"", "'", "`", "\\\"", "\\\\\\\"", "\\u0022", "&quot;", "%22", "\u{201c}", "\u{201d}", "{", "}", "[", "]", "(",
    ")", "<", ">", "</a>", "<token>", "</token>", ",", ";", "|", "&", "&amp;", "?", "#", "%26", "%20", "\\", "\\\\",
    "\\n", "\\t", "\\/", "//", "/", "@", ":", ".", "-", "_", "=", "+", "*", "$", "!", "~", "^", "\t", "\r", "\0",
    "\x7f", "\u{e9}",
];
const HIDERS: &[&str] = &[
    "\x1b[31m",
    "\x1b[0m",
    "\x1b[1;33m",
    "^[[0m",
    "#033[0m",
    "\\u001b[0m",
    "\\u0061",
    "\\u0070assword",
    "%61",
    "%70assword=",
    "&#97;",
    "\\x61",
    "\u{200b}",
    "\u{feff}",
    "a\x08",
    "\u{ff41}",
    "\\141",
    "%2561",
];
const VALUES: &[&str] = &[
    "{alnum:20}",
    "{alnum:8}",
    "{hex:32}",
    "{digit:6}",
    "{digit:3}",
    "{base64:24}==",
    "{base64url:30}",
    "{lower:9}",
    "{uuid}",
    "{jwt}",
    "{b64:user:{alnum:9}}",
    "hunter2x",
    "p@ss w0rd",
    "s3cr3t!",
    "it's-0ne",
    "a,b;c=1",
    "x&y=2",
    "expired",
    "null",
    "true",
    "****",
    "****abcd",
    "${PW}",
    "{{ pw }}",
    "<pw>",
    "42",
    "-7.5",
    "Bearer {alnum:24}",
    "Basic {b64:u:{alnum:9}}",
    "token {alnum:20}",
    "Bearer",
    "Digest username=\"u\", nonce=\"{hex:16}\", response=\"{hex:32}\"",
    "sid={alnum:12}; Path=/; lang={lower:5}",
    "a1={alnum:9}; b=2",
    "postgres://u:{alnum:9}@h:5432/db",
    "https://u:p/w#1@h/",
    "redis://:{alnum:8}@c",
    "https://h:80/p?token={alnum:12}&x=1",
    "arn:aws:x:eu:0:secret:{alnum:6}",
    "[REDACTED:token]",
    "REDACTED.token",
    "[REDACTED:",
    "REDACTED.",
    "token.0123456789abcdef",
    "...",
    "1.5GB",
    "[104, 117, 110, 116, 101, 114, 50]",
    "{\"user\":\"u\",\"key\":\"{alnum:9}\"}",
    "[\"{alnum:9}\",\"{alnum:9}\"]",
];
/// What looks like the beginning of a rule's secret and is none.
const NEAR_MISSES: &[&str] = &[
    "ghp_",
    "ghp_{alnum:12}",
    "eyJ",
    "eyJhbGci.x",
    "AKIA",
    "AKIA{alnum:9}",
    "xoxb-1",
    "sk-",
    "sk_live_",
    "glpat-",
    "SG.",
    "://",
    "PRIVATE KEY",
    "BEGIN PRIVATE KEY",
    "-----END",
    "hvs.",
    "npm_",
    "curl -u ",
    "mysql -p",
    "Bearer ",
    "form-data; name=\"password\"",
];
const ARMOUR: &[&str] = &["RSA ", "", "OPENSSH ", "ENCRYPTED "];

/// Every example of every built-in rule, before expansion.
static EXAMPLES: LazyLock<Vec<String>> = LazyLock::new(|| {
    let notes = Catalog::builtin().notes;
    notes.into_iter().flat_map(|notes| notes.examples.into_iter().chain(notes.counter_examples)).collect()
});

fn expand(text: &str, seed: u64) -> String {
    generator::expand(text, seed).expect("a fragment's generators are known").replace(['«', '»'], "")
}

fn of(list: &'static [&'static str]) -> impl Strategy<Value = String> {
    (select(list), 0..1000u64).prop_map(|(text, seed)| expand(text, seed))
}

fn armour() -> impl Strategy<Value = String> {
    (select(ARMOUR), 0..1000u64, select(vec!["\n", "\\n", " ", "\r\n", ""])).prop_map(|(label, seed, end)| {
        // Put together here: a whole one would be found in our own repository.
        let line = |what: &str| format!("{0}{what} {label}PRIVATE KEY{0}", "-".repeat(5));
        let body = expand("{pem}", seed);
        format!("{}{end}{body}{end}{}{end}", line("BEGIN"), line("END"))
    })
}

fn fragment(hiders: u32) -> impl Strategy<Value = String> {
    prop_oneof![
        hiders.max(1) => of(HIDERS),
        240 => of(KEYS),
        240 => of(JOINTS),
        240 => of(VALUES),
        200 => of(MARKS),
        60 => of(NEAR_MISSES),
        80 => (0..EXAMPLES.len(), 0..1000u64).prop_map(|(at, seed)| expand(&EXAMPLES[at], seed)),
        20 => armour(),
        120 => Just(" ".to_owned()),
        60 => select(vec!["\n", "\r\n", "\n\n", "\n  ", "\n--b\n"]).prop_map(str::to_owned),
        40 => proptest::collection::vec(proptest::char::range(' ', '~'), 1..6).prop_map(|chars| chars.into_iter().collect()),
    ]
}

/// A few lines of fragments, now and then cut in the middle of a character.
pub(super) fn haystack() -> impl Strategy<Value = Vec<u8>> {
    lines_of(60)
}

/// The same without colours and encoded letters: a placeholder before a colour is glued to what follows in a view.
pub(super) fn plain_haystack() -> impl Strategy<Value = Vec<u8>> {
    lines_of(0)
}

fn lines_of(hiders: u32) -> impl Strategy<Value = Vec<u8>> {
    (proptest::collection::vec(fragment(hiders), 1..20), 0..8usize).prop_map(|(fragments, cut)| {
        let mut bytes = fragments.concat().into_bytes();
        bytes.truncate(if cut == 0 { bytes.len() * 3 / 4 } else { bytes.len() });
        bytes
    })
}

/// An engine of the built-in rules.
pub(super) fn engine(policy: Policy) -> Engine {
    let hash_key = HashKey::new(vec![7; 32]).expect("a long key");
    let policy = Policy { hash_key: Some(hash_key), ..policy };
    Engine::compile(Catalog::builtin().set, policy, &Limits::default()).unwrap_or_else(|error| panic!("{error}"))
}

/// A policy of one action for everything.
pub(super) fn all(action: Action) -> Policy {
    Policy { action, by_category: Default::default(), ..Policy::default() }
}
