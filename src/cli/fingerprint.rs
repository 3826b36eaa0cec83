//! `inkout fingerprint`: what a value is called where it was hashed. The value comes from standard input or is typed without
//! an echo; it is never an argument, which others can read, and never printed.

use std::io::{self, IsTerminal as _, Read, Write as _};
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;
use rustix::termios::{self, LocalModes, OptionalActions, SpecialCodeIndex, Termios};
use zeroize::Zeroizing;

use super::names::Names;
use super::paths::stop_flag;
use super::print::{self, complain};
use super::setup;
use super::{Closed, Exit};
use crate::clean::{self, Observer, ReadOptions, Scanned, Seen, Shared, WalkOptions};
use crate::engine::{Engine, Limits, Policy, Purpose};
use crate::rules::Catalog;

/// A longer value is a file.
const MAX_VALUE_BYTES: usize = 64 << 10;

/// `inkout fingerprint`
#[derive(Args, Debug)]
pub(super) struct FingerprintArgs {
    /// The key that `clean --share-key new` made
    #[arg(long, value_name = "FILE", conflicts_with = "hash_key_file")]
    share_key: Option<PathBuf>,
    /// The key of the `hash` action; without it INKOUT_HASH_KEY
    #[arg(long, value_name = "FILE")]
    hash_key_file: Option<PathBuf>,
    /// Look for it in these files, folders and archives, and tell where it stands; exit 1 if nowhere
    #[arg(long = "in", value_name = "PATH", num_args = 1..)]
    places: Vec<PathBuf>,
}

pub(super) fn run(args: &FingerprintArgs, closed: Closed) -> anyhow::Result<Exit> {
    let key = setup::given_hash_key(args.share_key.as_ref().or(args.hash_key_file.as_ref()).map(PathBuf::as_path))?;
    let key = key.context("a fingerprint needs the key: --share-key or --hash-key-file FILE")?;
    let policy = Policy { hash_key: Some(key), ..Policy::default() };
    let engine = Arc::new(Engine::compile(Catalog::builtin().set, policy, &Limits::default())?);
    if closed.stdin {
        complain(&"standard input: it is closed");
        return Ok(Exit::Incomplete);
    }
    let value = if io::stdin().is_terminal() { typed() } else { piped() };
    let value = match value {
        Ok(value) => value,
        Err(error) => {
            complain(&format!("standard input: {error}"));
            return Ok(Exit::Incomplete);
        }
    };
    anyhow::ensure!(!value.is_empty(), "no value was given");
    anyhow::ensure!(!value.contains(&b'\n'), "one value at a time: this one has line ends");
    let of = |purpose| {
        let digits = engine.fingerprint(purpose, &value).expect("the policy has a key");
        String::from_utf8_lossy(&digits).into_owned()
    };
    let token = of(Purpose::Placeholder);
    if !args.places.is_empty() {
        return look_up(args, &engine, token.as_bytes());
    }
    let (finding, allow) = (of(Purpose::Finding), of(Purpose::Allow));
    print::page(|out| {
        writeln!(out, "token    {token}  in hashed text: [RULE:{token}] or RULE.{token}")?;
        writeln!(out, "finding  {finding}  in findings")?;
        writeln!(out, "allow    {allow}  in allow lists")
    })?;
    Ok(Exit::Done)
}

/// The value in a pipe or a file, without one line end at its end.
fn piped() -> io::Result<Zeroizing<Vec<u8>>> {
    // Made once, so that no part of the value is left behind by growing.
    let mut value = Zeroizing::new(Vec::with_capacity(MAX_VALUE_BYTES + 1));
    io::stdin().lock().take(MAX_VALUE_BYTES as u64 + 1).read_to_end(&mut value)?;
    if value.len() > MAX_VALUE_BYTES {
        return Err(io::Error::other(format!("a value has at most {MAX_VALUE_BYTES} bytes")));
    }
    for end in [b'\n', b'\r'] {
        if value.last() == Some(&end) {
            value.pop();
        }
    }
    Ok(value)
}

/// The terminal as it was, whatever happens.
struct Restore(Termios);

impl Drop for Restore {
    fn drop(&mut self) {
        let _ = termios::tcsetattr(io::stdin().as_fd(), OptionalActions::Flush, &self.0);
    }
}

/// The value as it is typed. Signals are off meanwhile, so that Ctrl-C does not leave a terminal without an echo.
fn typed() -> io::Result<Zeroizing<Vec<u8>>> {
    let before = termios::tcgetattr(io::stdin().as_fd())?;
    let mut quiet = before.clone();
    quiet.local_modes.remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG);
    quiet.special_codes[SpecialCodeIndex::VMIN] = 1;
    quiet.special_codes[SpecialCodeIndex::VTIME] = 0;
    let restore = Restore(before);
    termios::tcsetattr(io::stdin().as_fd(), OptionalActions::Flush, &quiet)?;
    // Asked only now: what is typed in answer is neither shown nor a signal.
    let _ = write!(io::stderr(), "value (it is not shown): ");
    let value = keys();
    drop(restore);
    let _ = writeln!(io::stderr());
    value
}

fn keys() -> io::Result<Zeroizing<Vec<u8>>> {
    const CTRL_C: u8 = 3;
    const CTRL_D: u8 = 4;
    const CTRL_U: u8 = 0x15;
    let mut value = Zeroizing::new(Vec::with_capacity(MAX_VALUE_BYTES));
    let mut byte = [0];
    loop {
        let count = rustix::io::read(io::stdin().as_fd(), &mut byte)?;
        match byte[0] {
            _ if count == 0 => return Ok(value),
            b'\r' | b'\n' | CTRL_D => return Ok(value),
            CTRL_C => return Err(io::Error::new(io::ErrorKind::Interrupted, "interrupted")),
            CTRL_U => value.clear(),
            // A character may have several bytes.
            0x08 | 0x7f => while value.pop().is_some_and(|last| (0x80..0xc0).contains(&last)) {},
            byte if value.len() < MAX_VALUE_BYTES => value.push(byte),
            _ => return Err(io::Error::other(format!("a value has at most {MAX_VALUE_BYTES} bytes"))),
        }
    }
}

/// Tells where a token stands.
struct Search<'t> {
    token: &'t [u8],
    /// The end of the piece before, where its line goes on: a token may stand across the cut.
    cut: Vec<u8>,
    /// The member and line of each.
    found: Vec<(Option<Vec<u8>>, u64)>,
}

impl Search<'_> {
    fn add(&mut self, member: Option<&[u8]>, line: u64) {
        let place = (member.map(<[u8]>::to_vec), line);
        if self.found.last() != Some(&place) {
            self.found.push(place);
        }
    }
}

impl Observer for Search<'_> {
    fn begin(&mut self, _: Option<&[u8]>) {
        self.cut.clear();
    }

    fn piece(&mut self, seen: &Seen<'_>) {
        let body = seen.piece.body();
        let part = self.token.len() - 1;
        let mut across = std::mem::take(&mut self.cut);
        across.extend_from_slice(&body[..part.min(body.len())]);
        if memchr::memmem::find(&across, self.token).is_some() {
            self.add(seen.member, seen.line);
        }
        if seen.piece.goes_on() {
            self.cut = body[body.len().saturating_sub(part)..].to_vec();
        }
        let (mut from, mut line) = (0, seen.line);
        for at in memchr::memmem::find_iter(body, self.token) {
            line += memchr::memchr_iter(b'\n', &body[from..at]).count() as u64;
            from = at;
            self.add(seen.member, line);
        }
    }
}

/// What of the file at `path` was not looked at, and might hold the token.
fn gaps(names: &Names<'_>, path: &Path, scanned: &Scanned) -> Vec<String> {
    let path = names.path(path);
    let whole = scanned.skip.filter(|skip| skip.is_gap()).map(|skip| format!("{path}: not inspected: {skip}"));
    let members = scanned.skipped.iter().filter(|(_, skip)| skip.is_gap());
    let named = members.map(|(name, skip)| format!("{path}!{}: not inspected: {skip}", names.bytes(name)));
    whole.into_iter().chain(named).collect()
}

fn look_up(args: &FingerprintArgs, engine: &Arc<Engine>, token: &[u8]) -> anyhow::Result<Exit> {
    let walked = clean::walk(&args.places, &WalkOptions { threads: 1, ..WalkOptions::default() })?;
    let shared = Shared::new(Arc::clone(engine), ReadOptions::default(), 1, stop_flag()?);
    let done = clean::each(&shared, &walked.files, |worker, file| {
        let mut search = Search { token, cut: Vec::new(), found: Vec::new() };
        let scanned = clean::scan_file(worker, file, &mut search);
        (search.found, scanned)
    });
    let names = Names::new(engine);
    for (path, reason) in &walked.failed {
        complain(&format!("{}: {}", names.path(path), names.reason(reason)));
    }
    let mut complete = walked.failed.is_empty();
    let mut lines = Vec::new();
    for (file, (found, scanned)) in walked.files.iter().zip(done) {
        lines.extend(found.into_iter().map(|(member, line)| match member {
            Some(member) => format!("{}!{}:{line}", names.path(&file.path), names.bytes(&member)),
            None => format!("{}:{line}", names.path(&file.path)),
        }));
        let gaps = match scanned {
            Ok(scanned) => gaps(&names, &file.path, &scanned),
            Err(reason) => vec![format!("{}: {}", names.path(&file.path), names.reason(&reason))],
        };
        complete &= gaps.is_empty();
        gaps.iter().for_each(|gap| complain(gap));
    }
    print::unless_left(print::page(|out| lines.iter().try_for_each(|line| writeln!(out, "{line}"))))?;
    Ok(match (complete, lines.is_empty()) {
        (false, _) => Exit::Incomplete,
        (true, true) => Exit::Findings(1),
        (true, false) => Exit::Done,
    })
}
