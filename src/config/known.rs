//! The `[known]` table: where the values come from that are masked whatever they look like. Not the loading of them, which is
//! `secrets`' work: here they are names of files, variables and programs.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeValue, ValueDeserializer};

use super::file::Fault;

/// A command that has not ended by then is killed, unless it says otherwise.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest a start may be held up.
const MAX_TIMEOUT_SECONDS: u64 = 300;
/// How long a replaced value is looked for, unless the file says otherwise: whoever was not restarted with the new one is
/// noticed within a day.
const DEFAULT_GRACE: Duration = Duration::from_secs(24 * 3600);
/// The longest that may be: 90 days.
const MAX_GRACE_SECONDS: u64 = 90 * 24 * 3600;

/// Where known values come from, all of them together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownSources {
    /// Files of one value per line.
    pub files: Vec<PathBuf>,
    /// Names of environment variables; `*` and `?` stand for any text and any character.
    pub env: Vec<String>,
    /// Files of `NAME=value` lines.
    pub dotenv: Vec<PathBuf>,
    /// Folders whose files are values: mounted Kubernetes and Docker secrets.
    pub dirs: Vec<PathBuf>,
    /// Programs that print values.
    pub commands: Vec<KnownCommand>,
    /// Whom a finding of a value concerns.
    pub contacts: Vec<Contact>,
    /// How long a value is looked for after another took its place while the process runs.
    pub grace: Duration,
}

impl Default for KnownSources {
    fn default() -> KnownSources {
        let (files, env, dotenv, dirs) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        KnownSources { files, env, dotenv, dirs, commands: Vec::new(), contacts: Vec::new(), grace: DEFAULT_GRACE }
    }
}

/// A program that prints known values. No shell is involved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownCommand {
    /// What it is called in messages.
    pub name: String,
    /// The program and its arguments.
    pub argv: Vec<String>,
    /// How what it prints is read.
    pub output: CommandOutput,
    /// How long it may take.
    pub timeout: Duration,
}

/// How the output of a command is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CommandOutput {
    /// `NAME=value` lines.
    #[default]
    Dotenv,
    /// A flat JSON object, or an array of objects with `key` (or `name`) and `value`.
    Json,
}

/// Whom a finding of a known value concerns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact {
    /// Names of values; `*` and `?` stand for any text and any character.
    pub names: String,
    /// Who owns them.
    pub owner: Option<String>,
    /// Where they are revoked or rotated.
    pub revoke: Option<String>,
}

/// `[known]` as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KnownTable {
    #[serde(default)]
    files: Vec<PathBuf>,
    #[serde(default)]
    env: Vec<Spanned<String>>,
    #[serde(default)]
    dotenv: Vec<PathBuf>,
    #[serde(default)]
    dirs: Vec<PathBuf>,
    #[serde(default)]
    command: Vec<Spanned<CommandTable>>,
    #[serde(default)]
    contact: Vec<Spanned<ContactTable>>,
    grace_seconds: Option<Spanned<u64>>,
}

/// `[[known.command]]` as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CommandTable {
    name: String,
    argv: Vec<String>,
    output: Option<Spanned<String>>,
    timeout_seconds: Option<Spanned<u64>>,
}

/// `[[known.contact]]` as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ContactTable {
    names: String,
    owner: Option<String>,
    revoke: Option<String>,
}

/// The sources that `value` spells. Paths are relative to `folder`.
pub(super) fn parse(value: Spanned<DeValue<'_>>, folder: &Path) -> Result<KnownSources, Fault> {
    let table = KnownTable::deserialize(ValueDeserializer::from(value)).map_err(|error| Fault::explained(&error))?;
    let relative = |paths: Vec<PathBuf>| paths.into_iter().map(|path| folder.join(path)).collect();
    Ok(KnownSources {
        files: relative(table.files),
        env: table.env.into_iter().map(variable).collect::<Result<_, _>>()?,
        dotenv: relative(table.dotenv),
        dirs: relative(table.dirs),
        commands: table.command.into_iter().map(command).collect::<Result<_, _>>()?,
        contacts: table.contact.into_iter().map(contact).collect::<Result<_, _>>()?,
        grace: table.grace_seconds.map_or(Ok(DEFAULT_GRACE), |seconds| grace(&seconds))?,
    })
}

fn grace(seconds: &Spanned<u64>) -> Result<Duration, Fault> {
    if *seconds.get_ref() > MAX_GRACE_SECONDS {
        let told = format!("`grace_seconds` is a number up to {MAX_GRACE_SECONDS}, which is 90 days");
        return Err(Fault::new(seconds.span(), told));
    }
    Ok(Duration::from_secs(*seconds.get_ref()))
}

fn variable(name: Spanned<String>) -> Result<String, Fault> {
    if name.get_ref().is_empty() || name.get_ref().contains('=') {
        return Err(Fault::new(name.span(), "`env` holds names of variables; `*` and `?` are allowed in them"));
    }
    Ok(name.into_inner())
}

fn command(table: Spanned<CommandTable>) -> Result<KnownCommand, Fault> {
    let at = table.span();
    let CommandTable { name, argv, output, timeout_seconds } = table.into_inner();
    if argv.first().is_none_or(String::is_empty) {
        return Err(Fault::new(at, "`argv` is a program and its arguments: argv = [\"program\", \"argument\"]"));
    }
    let output = match output.as_ref().map(|output| (output.get_ref().as_str(), output.span())) {
        None | Some(("dotenv", _)) => CommandOutput::Dotenv,
        Some(("json", _)) => CommandOutput::Json,
        Some((other, at)) => return Err(Fault::new(at, format!("unknown output `{other}`; known: dotenv, json"))),
    };
    let timeout = match timeout_seconds.as_ref().map(|seconds| (*seconds.get_ref(), seconds.span())) {
        None => DEFAULT_TIMEOUT,
        Some((seconds @ 1..=MAX_TIMEOUT_SECONDS, _)) => Duration::from_secs(seconds),
        Some((_, at)) => {
            return Err(Fault::new(at, format!("`timeout_seconds` is a number from 1 to {MAX_TIMEOUT_SECONDS}")));
        }
    };
    Ok(KnownCommand { name, argv, output, timeout })
}

fn contact(table: Spanned<ContactTable>) -> Result<Contact, Fault> {
    let at = table.span();
    let ContactTable { names, owner, revoke } = table.into_inner();
    if names.is_empty() || owner.is_none() && revoke.is_none() {
        return Err(Fault::new(at, "a contact has `names` and `owner`, `revoke` or both"));
    }
    Ok(Contact { names, owner, revoke })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn every_source_is_read_and_paths_are_relative_to_the_file() {
        let text = "[known]\ngrace_seconds = 7\nfiles = ['a']\nenv = ['*_TOKEN']\ndotenv = ['/x/.env']\ndirs = ['run']\n\
                    [[known.command]]\nname = 'vault'\nargv = ['vault', 'kv']\noutput = 'json'\ntimeout_seconds = 3\n\
                    [[known.command]]\nname = 'op'\nargv = ['op']\n\
                    [[known.contact]]\nnames = 'PAY_*'\nowner = 'payments'\n";
        let known = Config::parse("etc/inkout.toml", text).unwrap().known;
        assert_eq!(known.files, [Path::new("etc/a")]);
        assert_eq!(
            (known.dotenv.as_slice(), known.dirs.as_slice()),
            (&["/x/.env".into()][..], &["etc/run".into()][..])
        );
        let [vault, op] = &known.commands[..] else { panic!("{known:?}") };
        assert_eq!((vault.output, vault.timeout), (CommandOutput::Json, Duration::from_secs(3)));
        assert_eq!((op.output, op.timeout), (CommandOutput::Dotenv, DEFAULT_TIMEOUT));
        let [contact] = &known.contacts[..] else { panic!("{known:?}") };
        assert_eq!((&*contact.names, contact.owner.as_deref()), ("PAY_*", Some("payments")));
        assert_eq!((known.grace, Config::default().known.grace), (Duration::from_secs(7), DEFAULT_GRACE));
    }

    #[test]
    fn what_is_wrong_with_a_source_is_said_at_its_line() {
        let cases = [
            (
                "[known]\nfile = ['a']",
                "c.toml:2: unknown field `file`; known: files, env, dotenv, dirs, command, contact, grace_seconds",
            ),
            ("[known]\nenv = ['A=B']", "c.toml:2: `env` holds names"),
            ("[[known.command]]\nname = 'x'\nargv = []", "c.toml:1: `argv` is a program"),
            (
                "[[known.command]]\nname = 'x'\nargv = ['x']\noutput = 'yaml'",
                "c.toml:4: unknown output `yaml`; known: dotenv, json",
            ),
            (
                "[[known.command]]\nname = 'x'\nargv = ['x']\ntimeout_seconds = 0",
                "c.toml:4: `timeout_seconds` is a number from 1",
            ),
            ("[known]\ngrace_seconds = 9000000", "c.toml:2: `grace_seconds` is a number up to 7776000"),
            ("[[known.contact]]\nnames = 'x'", "c.toml:1: a contact has `names`"),
        ];
        for (text, message) in cases {
            let error = Config::parse("c.toml", text).expect_err(text).to_string();
            assert!(error.starts_with(message), "{text}\n{error}");
        }
    }
}
