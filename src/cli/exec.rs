//! `inkout exec -- CMD…`: runs a program and masks what it prints. The values of its secret-named environment variables are
//! known without being named.

use std::ffi::{OsStr, OsString};
use std::io;
use std::time::Instant;

use super::args::ExecArgs;
use super::print::{self, complain};
use super::setup::{Lines, Setup};
use super::{Exit, filter, protect, stats};
use crate::engine::{Category, Engine, KnownValue, Scratch, Why};
use crate::exec::{self, Ended, ExecError, Program};
use crate::pipe::{Output, Summary};
use crate::secrets::HASH_KEY_VARIABLE;
use crate::secrets::known::Values;

/// Exit codes of shells for a program that is not there, or is no program.
const NOT_FOUND: u8 = 127;
const NOT_EXECUTABLE: u8 = 126;

pub(super) fn run(args: &ExecArgs) -> anyhow::Result<Exit> {
    let started = Instant::now();
    let setup = Setup::read(&args.engine)?;
    let mode = setup.config.mode;
    let lines = if args.stats { Lines::Count } else { Lines::Ignore };
    let engine = setup.compile_with(&args.engine, lines, add_secret_variables)?;
    filter::warn(mode);
    let stderr = rustix::stdio::stderr().try_clone_to_owned()?;
    let program = Program {
        argv: args.command.clone(),
        without: vec![HASH_KEY_VARIABLE.into()],
        with: size(),
        core: protect::core_limit_before(),
    };
    let ended = match exec::run(&engine, program, Output::new(print::stdout()?), Output::new(stderr)) {
        Ok(ended) => ended,
        Err(ExecError::Spawn { program, reason }) => return Ok(not_run(&program, &reason)),
        Err(error) => return Err(error.into()),
    };
    let exit = exit(&ended);
    if args.stats {
        let summary = Summary { tally: ended.tally, ..Summary::default() };
        stats::print(super::args::StatsWhat::Findings, &engine, &summary, started.elapsed());
    }
    Ok(exit)
}

fn not_run(program: &str, reason: &io::Error) -> Exit {
    complain(&format!("cannot run `{program}`: {reason}"));
    Exit::Code(if reason.kind() == io::ErrorKind::NotFound { NOT_FOUND } else { NOT_EXECUTABLE })
}

/// The program's own code, unless it succeeded and we did not.
fn exit(ended: &Ended) -> Exit {
    ended.failed.iter().for_each(|reason| complain(&format!("the program's output could not be passed on: {reason}")));
    if ended.left_open {
        complain(&"a process that the program left behind holds its output open; what it writes now goes nowhere");
    }
    if ended.cut_short {
        complain(&"stopped before everything was written");
    }
    let withheld = ended.tally.records_masked_whole;
    if withheld > 0 {
        complain(&format!("{withheld} records could not be inspected and were masked whole"));
    }
    let incomplete = !ended.failed.is_empty() || ended.cut_short || withheld > 0;
    if ended.code == 0 && incomplete { Exit::Incomplete } else { Exit::Code(ended.code) }
}

/// The size of our terminal, for a program that writes to a pipe and cannot ask for it.
fn size() -> Vec<(OsString, OsString)> {
    let outputs = [rustix::stdio::stdout(), rustix::stdio::stderr()];
    let Some(size) = outputs.into_iter().find_map(|fd| rustix::termios::tcgetwinsize(fd).ok()) else {
        return Vec::new();
    };
    let sides = [("COLUMNS", size.ws_col), ("LINES", size.ws_row)];
    let unset = |(name, count): &(&str, u16)| *count > 0 && std::env::var_os(name).is_none();
    sides.into_iter().filter(unset).map(|(name, count)| (name.into(), count.to_string().into())).collect()
}

/// Makes the secrets in our environment known, as the rules see them in `NAME=value`.
fn add_secret_variables(engine: &Engine, values: &mut Values) {
    let mut scratch = engine.scratch();
    let mut found = Vec::new();
    for (name, value) in std::env::vars_os() {
        secrets_of(engine, &mut scratch, &name, &value, &mut found);
    }
    if let Some(key) = std::env::var_os(HASH_KEY_VARIABLE) {
        found.push(KnownValue { name: HASH_KEY_VARIABLE.to_owned(), value: key.into_encoded_bytes() });
    }
    values.add("environment".to_owned(), found, false);
}

/// Adds the whole value of a variable whose name is a secret's, otherwise the secrets in it: the password of a URL.
fn secrets_of(engine: &Engine, scratch: &mut Scratch, name: &OsStr, value: &OsStr, found: &mut Vec<KnownValue>) {
    /// No rule knows it, and no key leaves it alone: stands for a value of several lines.
    const OPAQUE: &[u8] = b"x7Kq2mVw9Zt4Rb6N";
    let (label, name, value) = (name.to_string_lossy(), name.as_encoded_bytes(), value.as_encoded_bytes());
    let mut add = |secret: &[u8]| found.push(KnownValue { name: label.clone().into_owned(), value: secret.to_vec() });
    let several = value.trim_ascii_end().contains(&b'\n');
    let line = [name, b"=", if several { OPAQUE } else { value }].concat();
    let rules = engine.rules();
    let spans = engine.find(scratch, &line);
    let secrets = spans.iter().filter(|span| rules[span.rule.index()].category == Category::Credential);
    for span in secrets.filter(|span| span.start > name.len()) {
        let keyed = matches!(span.why, Why::Key { start: 0, .. });
        add(if several || keyed { value } else { &line[span.start..span.end] });
    }
    if several {
        // A configuration, perhaps: what is in it is secret by itself, or by a key of its own.
        let spans = engine.find(scratch, value);
        let secrets = spans.iter().filter(|span| rules[span.rule.index()].category == Category::Credential);
        secrets.for_each(|span| add(&value[span.start..span.end]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Limits, Policy};
    use crate::rules::Catalog;

    #[test]
    fn variables_are_secret_by_their_names_or_by_what_is_in_them() {
        let engine = Engine::compile(Catalog::builtin().set, Policy::default(), &Limits::default()).unwrap();
        let pem = "-----BEGIN X-----\nfjqkslghx\n-----END X-----\n";
        let cases = [
            ("DB_PASSWORD", "hunter2 x", "hunter2 x"),
            ("DEPLOY_PRIVATE_KEY", pem, pem),
            ("CFG", "a: 1\nurl: postgres://svc:hunter2@db/app\nb: 2", "hunter2"),
            ("SETTINGS", "{\n  \"password\": \"hunter2x\",\n  \"mode\": \"fast\"\n}\n", "hunter2x"),
            ("MOTD", "welcome\nto the machine\n", ""),
            ("DATABASE_URL", "postgres://svc:hunter2@db/app", "hunter2"),
            ("PWD", "/home/ada/work", ""),
            ("OLDPWD", "/home/ada", ""),
            ("PATH", "/usr/bin:/bin", ""),
            ("HOME", "/home/ada", ""),
            ("MAX_TOKENS", "4096", ""),
            ("SSH_AUTH_SOCK", "/tmp/ssh-1/agent.1", ""),
            ("AWS_ACCESS_KEY_ID_FILE", "/run/x", ""),
            ("TOKEN_URL", "https://h/x", ""),
        ];
        for (name, value, expected) in cases {
            let mut found = Vec::new();
            secrets_of(&engine, &mut engine.scratch(), name.as_ref(), value.as_ref(), &mut found);
            let values: Vec<String> = found.iter().map(|v| String::from_utf8_lossy(&v.value).into_owned()).collect();
            assert_eq!(values.concat(), expected, "{name}");
        }
    }
}
