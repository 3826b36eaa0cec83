//! House rules that a compiler does not know: who may import whom, what pure rooms may not touch, what every file begins
//! with, and that no secret of a known format stands in the tree.

use std::fs;
use std::path::{Path, PathBuf};

use inkout::engine::{Engine, Limits, Policy, Why};
use inkout::rules::Catalog;

/// Room, and the rooms it may import. `cli` may import everything.
const ROOMS: &[(&str, &[&str])] = &[
    ("engine", &[]),
    ("rules", &["engine"]),
    ("config", &["engine", "rules", "framing"]),
    ("otlp", &["engine"]),
    ("secrets", &["engine", "config"]),
    ("pipe", &["engine"]),
    ("markup", &[]),
    ("clean", &["engine", "rules", "config", "secrets"]),
    ("report", &["engine", "rules", "config", "secrets", "clean", "markup"]),
    ("exec", &["engine", "pipe"]),
    ("durable", &[]),
    ("spool", &["engine", "durable"]),
    ("tail", &["durable"]),
    ("framing", &[]),
    ("message", &["engine"]),
    ("tls", &[]),
    ("unix", &[]),
    ("sinks", &["tls", "engine", "framing", "message", "config", "metrics", "spool"]),
    ("sources", &["tls", "unix", "config", "metrics", "tail"]),
    (
        "pipeline",
        &[
            "tail", "engine", "framing", "message", "config", "metrics", "sources", "sinks", "workers", "findings",
            "log",
        ],
    ),
    ("workers", &["engine"]),
    ("metrics", &["engine", "config"]),
    ("findings", &["engine", "metrics", "config", "log"]),
    ("admin", &["unix", "markup", "metrics", "config"]),
    ("log", &["engine", "metrics", "config"]),
    ("hop", &["tls", "engine", "otlp", "workers", "metrics", "findings", "config"]),
    (
        "cli",
        &[
            "durable", "tls", "unix", "markup", "engine", "rules", "otlp", "config", "secrets", "pipe", "exec",
            "clean", "report", "framing", "message", "sinks", "sources", "pipeline", "workers", "metrics", "findings",
            "admin", "log", "spool", "tail", "hop",
        ],
    ),
];

const PURE: &[&str] = &["engine", "rules", "framing", "otlp"];
const IMPURE: &[&str] = &[
    "std::fs",
    "std::net",
    "std::env",
    "std::thread",
    "std::time",
    "std::process",
    "tokio",
    "tracing::",
    "println!",
    "eprintln!",
];

/// Files of `src` that are compiled for tests alone.
const TEST_ONLY: &[&str] = &["haystacks.rs", "naive.rs", "properties.rs", "tests.rs"];

/// Lines of code, tests and comments not counted, above which a file wants to be two.
const MAX_FILE_LINES: usize = 600;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of the repository") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_dir() && !matches!(name, "target" | ".git") {
            files(&path, found);
        } else if path.is_file() {
            found.push(path);
        }
    }
}

fn sources() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    ["src", "tests", "benches"].iter().for_each(|folder| files(&root().join(folder), &mut found));
    let rust = found.into_iter().filter(|path| path.extension().is_some_and(|end| end == "rs"));
    rust.map(|path| (path.clone(), fs::read_to_string(&path).expect("UTF-8"))).collect()
}

/// The room a source file is in, if any.
fn room_of(path: &Path) -> Option<&'static str> {
    if TEST_ONLY.iter().any(|name| path.file_name().is_some_and(|file| file == *name)) {
        return None;
    }
    let inner = path.strip_prefix(root().join("src")).ok()?;
    let first = inner.components().next()?.as_os_str().to_str()?.trim_end_matches(".rs");
    ROOMS.iter().map(|(room, _)| *room).find(|room| *room == first)
}

/// The part of a file that is neither test nor comment.
fn code(text: &str) -> impl Iterator<Item = &str> {
    let cut = text.find("#[cfg(test)]\nmod tests").unwrap_or(text.len());
    text[..cut].lines().filter(|line| !line.trim_start().starts_with("//") && !line.trim().is_empty())
}

#[test]
fn a_room_imports_only_the_rooms_it_may() {
    for (path, text) in sources() {
        let Some(room) = room_of(&path) else { continue };
        let (_, allowed) = ROOMS.iter().find(|(name, _)| *name == room).expect("a listed room");
        for line in code(&text) {
            for (other, _) in ROOMS.iter().filter(|(other, _)| *other != room && !allowed.contains(other)) {
                assert!(
                    !line.contains(&format!("crate::{other}")),
                    "{}: {room} may not import {other}: {line}",
                    path.display()
                );
            }
        }
    }
}

#[test]
fn every_folder_of_src_is_a_room() {
    for entry in fs::read_dir(root().join("src")).expect("src") {
        let path = entry.expect("an entry").path();
        let name = path.file_stem().and_then(|name| name.to_str()).expect("a name").to_owned();
        let known = ROOMS.iter().any(|(room, _)| *room == name) || matches!(name.as_str(), "lib" | "main");
        assert!(known, "{} is in no row of the table", path.display());
    }
}

/// Only the engine makes masked bytes. The spool has its own door, for what it stored before.
#[test]
fn only_the_spool_takes_masked_bytes_from_disk() {
    let door = "from_".to_owned() + "spool(";
    for (path, text) in sources().into_iter().filter(|(_, text)| text.contains(&door)) {
        let inner = path.strip_prefix(root()).expect("a file of the repository");
        let allowed = inner.starts_with("src/spool") || inner == Path::new("src/engine/masked.rs");
        assert!(allowed, "{} makes masked bytes", path.display());
        assert_eq!(text.matches(&door).count(), 1, "{}", path.display());
    }
}

#[test]
fn pure_rooms_touch_nothing_outside() {
    for (path, text) in sources() {
        if room_of(&path).is_some_and(|room| PURE.contains(&room)) {
            for line in code(&text) {
                let touched = IMPURE.iter().find(|name| line.contains(**name));
                assert!(touched.is_none(), "{}: {touched:?} in a pure room: {line}", path.display());
            }
        }
    }
}

#[test]
fn every_file_says_what_it_is_and_none_is_too_long() {
    for (path, text) in sources() {
        let generated = path.file_name().is_some_and(|name| name == "generated.rs");
        assert!(text.starts_with("//!"), "{} does not begin with //!", path.display());
        let lines = code(&text).count();
        assert!(generated || lines <= MAX_FILE_LINES, "{} has {lines} lines of code", path.display());
    }
}

#[test]
fn nothing_half_done_is_left_in_the_code() {
    let marks = [
        "dbg".to_owned() + "!(",
        "todo".to_owned() + "!(",
        "unimplemented".to_owned() + "!(",
        "#[ign".to_owned() + "ore",
    ];
    for (path, text) in sources() {
        let left = marks.iter().find(|mark| text.contains(mark.as_str()));
        assert!(left.is_none(), "{}: {left:?}", path.display());
    }
}

/// Examples are written with generators (`{alnum:36}`) or marked (`«`), so a format that stands in full is a real one.
#[test]
fn no_secret_of_a_known_format_stands_in_the_tree() {
    let engine =
        Engine::compile(Catalog::builtin().set, Policy::default(), &Limits::default()).expect("built-in rules compile");
    let mut scratch = engine.scratch();
    let mut found = Vec::new();
    files(&root(), &mut found);
    for path in found {
        let text = fs::read(&path).expect("a readable file");
        for span in engine.find_all(&mut scratch, &text) {
            let secret = String::from_utf8_lossy(&text[span.start..span.end]);
            let word = !secret.contains(|c: char| c.is_ascii_digit());
            let written = word || secret.contains(['{', '«', '$', '[', '(', '<']) || secret.contains("REDACTED");
            let line = 1 + text[..span.start].iter().filter(|byte| **byte == b'\n').count();
            let rule = &engine.rules()[span.rule.index()].id;
            assert!(
                !matches!(span.why, Why::Pattern { .. }) || written,
                "{}:{line}: looks like a {rule}",
                path.display()
            );
        }
    }
}
