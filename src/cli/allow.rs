//! `inkout allow`: the way out of a false positive. Writes one drop-in file that the command and a running inkout read, and
//! lists those that are there. It takes no value: what is on a command line is in everybody's process list.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::args::{AllowArgs, AllowCommand, AllowListArgs};
use super::setup::{Lines, Setup, allow_files, now};
use super::{Exit, print};
use crate::config::{Allowed, Moment, duration};
use crate::engine::{AllowEntry, AllowValue};

const NO_FOLDER: &str = "say where the entries are kept: --allow-dir DIR, or `allow_dir` in the configuration";

pub(super) fn run(args: &AllowArgs) -> anyhow::Result<Exit> {
    match &args.command {
        Some(AllowCommand::List(list_args)) => list(list_args),
        None => write(args),
    }
}

fn write(args: &AllowArgs) -> anyhow::Result<Exit> {
    let setup = Setup::read(&args.engine)?;
    let folder = setup.config.allow_dir.clone().context(NO_FOLDER)?;
    let now = now();
    let allowed = allowed(args, now)?;
    let text = to_toml(&allowed);
    // It must be understood when it is read again, and its rule must be there.
    let read = Allowed::parse("the new entry", &text)?;
    let mut with = setup;
    with.config.allow = read;
    with.config.known = crate::config::KnownSources::default();
    with.compile(&args.engine, Lines::Ignore)?;
    let path = free_path(&folder, now, allowed.entry.rule.as_deref())?;
    save(&path, &text).with_context(|| format!("cannot write {}", path.display()))?;
    let until = allowed.expires.map_or_else(String::new, |expires| format!(" until {expires}"));
    print::page(|out| writeln!(out, "{}: {} is left in the clear{until}", path.display(), allowed.describe()))?;
    Ok(Exit::Done)
}

fn allowed(args: &AllowArgs, now: Moment) -> anyhow::Result<Allowed> {
    let lasting = args.lasting.as_deref().unwrap_or_default();
    let lasts = duration(lasting).with_context(|| format!("--for `{lasting}`: a number and m, h, d or w: 24h"))?;
    let fingerprint = |text: &String| {
        let digits = text.as_bytes().try_into().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_hexdigit()));
        digits.map(AllowValue::Fingerprint).context("--fingerprint: 16 digits of 0-9 and a-f")
    };
    let value = match (&args.regex, &args.fingerprint) {
        (Some(regex), _) => Some(AllowValue::Regex(regex.clone())),
        (None, Some(text)) => Some(fingerprint(text)?),
        (None, None) => None,
    };
    let (rule, path, source) = (args.rule.clone(), args.path.clone(), args.source.clone());
    let entry = AllowEntry { rule, value, path, source, force: args.force, place: "the new entry".to_owned() };
    Ok(Allowed { entry, reason: args.reason.clone().unwrap_or_default(), expires: Some(now.after(lasts)) })
}

/// The entry as a drop-in file.
fn to_toml(allowed: &Allowed) -> String {
    let AllowEntry { rule, value, path, source, force, .. } = &allowed.entry;
    let mut text = "# Written by `inkout allow`; remove the file to mask again.\n[[allow]]\n".to_owned();
    let mut field = |name: &str, value: &str| {
        let _ = writeln!(text, "{name} = {}", crate::rules::toml_string(value));
    };
    for (name, part) in [("rule", rule), ("path", path), ("source", source)] {
        part.iter().for_each(|part| field(name, part));
    }
    match value {
        None => {}
        Some(AllowValue::Literal(bytes)) => field("value", &String::from_utf8_lossy(bytes)),
        Some(AllowValue::Regex(regex)) => field("regex", regex),
        Some(AllowValue::Fingerprint(digits)) => field("fingerprint", &String::from_utf8_lossy(digits)),
    }
    allowed.expires.iter().for_each(|expires| field("expires", &expires.to_string()));
    field("reason", &allowed.reason);
    if *force {
        text.push_str("force = true\n");
    }
    text
}

/// A name that tells when and for what, and that no file has.
fn free_path(folder: &Path, now: Moment, rule: Option<&str>) -> anyhow::Result<PathBuf> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
    let stem = format!("{}-{}", now.to_string().replace([':', '-'], ""), rule.unwrap_or("any"));
    let names = (1..).map(|count| if count == 1 { format!("{stem}.toml") } else { format!("{stem}-{count}.toml") });
    let mut paths = names.map(|name| folder.join(name));
    Ok(paths.find(|path| !path.exists()).expect("a number is free"))
}

/// Under another name first: a running inkout must not read half of it.
fn save(path: &Path, text: &str) -> std::io::Result<()> {
    let draft = path.with_extension("toml.new");
    let mut file = fs::File::create_new(&draft)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all())?;
    fs::rename(&draft, path)
}

fn list(args: &AllowListArgs) -> anyhow::Result<Exit> {
    let setup = Setup::read(&args.engine)?;
    let now = now();
    let mut entries = setup.config.allow;
    if let Some(folder) = &setup.config.allow_dir {
        entries.extend(allow_files(folder)?);
    }
    let mut text = String::new();
    for allowed in &entries {
        let until = match allowed.expires {
            None => "for ever".to_owned(),
            Some(expires) if allowed.has_expired(now) => format!("expired {expires}"),
            Some(expires) => format!("until {expires}"),
        };
        let place = &allowed.entry.place;
        let _ = writeln!(text, "{place}: {} ({until}): {}", allowed.describe(), allowed.reason);
    }
    print::page(|out| out.write_all(text.as_bytes()))?;
    Ok(Exit::Done)
}
