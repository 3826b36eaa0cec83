//! Known values from everywhere they may be: files, dotenv files, the environment, folders of mounted secrets, and programs
//! that print them. It finds nothing in a log: that is the engine's [`Known`].
//!
//! [`Values::read`] reads every source or fails: a redactor that knows half of the values it was told of would leak the other half.
//! What is read and not looked for (too short, a common word) is named in [`Loaded::notes`]; no note holds a value.

mod command;
mod dir;
mod dotenv;
mod json;
mod rotation;

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use rustix::fs::Mode;
use zeroize::Zeroizing;

use super::SecretError;
pub use rotation::{InForce, Rotation};

pub use crate::config::{CommandOutput, Contact, KnownCommand, KnownSources};
use crate::engine::{Known, KnownValue, SkipReason, glob, is_wide};

/// A longer file is no list of values.
const MAX_FILE_BYTES: u64 = 64 << 20;

/// Known values, ready to be looked for.
#[derive(Debug)]
pub struct Loaded {
    /// What the engine takes.
    pub known: Arc<Known>,
    /// What people should be told, in the order of the sources.
    pub notes: Vec<Note>,
}

/// Something to tell people about a source. It holds names, never values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// A source that more than its owner can read.
    Exposed {
        /// The source.
        place: String,
    },
    /// A value that is not looked for.
    Skipped {
        /// The source.
        place: String,
        /// The value's name.
        name: String,
        /// Why.
        reason: SkipReason,
    },
    /// Something in a folder that is no value.
    NoValue {
        /// The folder.
        place: String,
        /// What is in it.
        name: String,
        /// Why it is none.
        reason: &'static str,
    },
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Note::Exposed { place } => write!(f, "{place} can be read by others; chmod 600 it"),
            Note::Skipped { place, name, reason } => {
                write!(f, "{place}: known value `{name}` is not looked for: {reason}")
            }
            Note::NoValue { place, name, reason } => write!(f, "{place}: `{name}` is not looked for: {reason}"),
        }
    }
}

/// Values as they are collected, with where each came from.
#[derive(Debug, Default)]
pub struct Values {
    values: Vec<KnownValue>,
    sources: Vec<Source>,
    notes: Vec<Note>,
}

/// One source, with where its values end in the list.
#[derive(Debug)]
struct Source {
    place: String,
    end: usize,
    /// Whether it is an error if nothing of it is looked for.
    needed: bool,
}

impl Values {
    /// Reads all of `sources`.
    ///
    /// # Errors
    /// When one of them cannot be read, is not as its format says, fails, or takes too long.
    pub fn read(sources: &KnownSources) -> Result<Values, SecretError> {
        let mut values = Values::default();
        for path in &sources.files {
            values.add_file("known values file", path, lines)?;
        }
        for path in &sources.dotenv {
            values.add_file("known dotenv file", path, dotenv::parse)?;
        }
        for name in &sources.env {
            values.add_variables(name)?;
        }
        for path in &sources.dirs {
            let place = format!("known values folder {}", path.display());
            let found = dir::read(path, &place, &mut values.notes)?;
            values.add(place, found, true);
        }
        for command in &sources.commands {
            let place = format!("known values command `{}`", command.name);
            let text = command::output(command, &place)?;
            let found = match command.output {
                CommandOutput::Dotenv => dotenv::parse(&text, &place)?,
                CommandOutput::Json => json::parse(&text, &place)?,
            };
            values.add(place, found, true);
        }
        Ok(values)
    }

    /// Adds values from `place`. Where they are not `needed` it is no error if none of them is looked for.
    pub fn add(&mut self, place: String, values: Vec<KnownValue>, needed: bool) {
        self.values.extend(values);
        self.sources.push(Source { place, end: self.values.len(), needed });
    }

    /// Makes every form of every value.
    ///
    /// # Errors
    /// When a source that is needed has nothing that is looked for.
    pub fn finish(self, generation: u64) -> Result<Loaded, SecretError> {
        let Values { values, sources, mut notes } = self;
        let count = values.len();
        let (known, skipped) = Known::new(values);
        let mut looked_for = vec![true; count];
        for skipped in &skipped {
            // The same value from two sources is looked for once, and nothing is amiss.
            let twice = matches!(skipped.reason, SkipReason::Duplicate { of } if looked_for[of]);
            looked_for[skipped.index] = twice;
        }
        let mut start = 0;
        for source in &sources {
            let its = |skipped: &&crate::engine::Skipped| (start..source.end).contains(&skipped.index);
            notes.extend(skipped.iter().filter(its).filter(|skipped| !looked_for[skipped.index]).map(|skipped| {
                Note::Skipped { place: source.place.clone(), name: skipped.name.clone(), reason: skipped.reason }
            }));
            if source.needed && !looked_for[start..source.end].contains(&true) {
                let reason = "it holds no value of 6 or more bytes to look for".to_owned();
                return Err(SecretError::Known { place: source.place.clone(), reason });
            }
            start = source.end;
        }
        Ok(Loaded { known: Arc::new(known.of_generation(generation)), notes })
    }

    fn add_file(
        &mut self,
        what: &str,
        path: &Path,
        parse: impl FnOnce(&[u8], &str) -> Result<Vec<KnownValue>, SecretError>,
    ) -> Result<(), SecretError> {
        let place = format!("{what} {}", path.display());
        let (text, exposed) = read_file(path, &place)?;
        if exposed {
            self.notes.push(Note::Exposed { place: place.clone() });
        }
        let values = parse(&text, &place)?;
        self.add(place, values, true);
        Ok(())
    }

    /// Adds the environment variables whose name is as `name` says.
    fn add_variables(&mut self, name: &str) -> Result<(), SecretError> {
        let place = format!("known environment variable `{name}`");
        let fits = |(variable, _): &(std::ffi::OsString, _)| glob(name, variable.as_encoded_bytes());
        let found: Vec<KnownValue> =
            std::env::vars_os().filter(fits).map(|(name, value)| variable(&name, value)).collect();
        if found.is_empty() {
            return Err(SecretError::Known { place, reason: "no such variable is set".to_owned() });
        }
        self.add(place, found, true);
        Ok(())
    }
}

/// An environment variable as a known value.
pub(super) fn variable(name: &std::ffi::OsStr, value: std::ffi::OsString) -> KnownValue {
    KnownValue { name: name.to_string_lossy().into_owned(), value: value.into_encoded_bytes() }
}

/// The content of a file, and whether it can be read by more than its owner.
fn read_file(path: &Path, place: &str) -> Result<(Zeroizing<Vec<u8>>, bool), SecretError> {
    let unreadable = |reason: io::Error| SecretError::Known { place: place.to_owned(), reason: reason.to_string() };
    let file = File::open(path).map_err(unreadable)?;
    let stat = rustix::fs::fstat(&file).map_err(|errno| unreadable(errno.into()))?;
    let mut text = Zeroizing::new(Vec::with_capacity(usize::try_from(stat.st_size).unwrap_or(0).min(1 << 20) + 1));
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut text).map_err(unreadable)?;
    if text.len() as u64 > MAX_FILE_BYTES {
        let reason = format!("it has more than {MAX_FILE_BYTES} bytes and is no list of values");
        return Err(SecretError::Known { place: place.to_owned(), reason });
    }
    Ok((text, Mode::from_raw_mode(stat.st_mode).intersects(Mode::RGRP | Mode::ROTH)))
}

/// One value per line, named by the line's number, without the blanks around it: an editor leaves them, and no log has them.
/// Empty lines are none.
fn lines(text: &[u8], place: &str) -> Result<Vec<KnownValue>, SecretError> {
    if is_wide(text) || memchr::memchr(0, text).is_some() {
        let reason = "it is UTF-16 or no text; a list of values is UTF-8, one value in each line".to_owned();
        return Err(SecretError::Known { place: place.to_owned(), reason });
    }
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let lines = text.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii).enumerate();
    let named =
        |(index, line): (usize, &[u8])| KnownValue { name: format!("line {}", index + 1), value: line.to_vec() };
    Ok(lines.filter(|(_, line)| !line.is_empty()).map(named).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(name: &str, value: &str) -> KnownValue {
        KnownValue { name: name.to_owned(), value: value.as_bytes().to_vec() }
    }

    #[test]
    fn what_is_not_looked_for_is_named_and_the_same_value_twice_is_not() {
        let mut values = Values::default();
        values.add("one".to_owned(), vec![value("A", "fjqkslgh"), value("B", "abc"), value("C", "true")], true);
        values.add("two".to_owned(), vec![value("D", "fjqkslgh")], true);
        let loaded = values.finish(7).unwrap();
        let notes: Vec<String> = loaded.notes.iter().map(ToString::to_string).collect();
        assert_eq!(
            notes,
            [
                "one: known value `B` is not looked for: shorter than 6 bytes",
                "one: known value `C` is not looked for: shorter than 6 bytes",
            ]
        );
        assert_eq!(loaded.known.generation(), 7);
    }

    #[test]
    fn lines_are_values_without_marks_and_blanks() {
        let list = "\u{feff}fjqkslgh\r\n\n two words \t\nlast";
        let values = lines(list.as_bytes(), "f").unwrap();
        let shown: Vec<(&str, &[u8])> = values.iter().map(|value| (&*value.name, &*value.value)).collect();
        assert_eq!(shown, [("line 1", &b"fjqkslgh"[..]), ("line 3", b"two words"), ("line 4", b"last")]);
        for wide in [&b"\xff\xfeh\0u\0"[..], b"\xfe\xff\0h\0u", b"h\0u\0n\0"] {
            let error = lines(wide, "f").unwrap_err().to_string();
            assert!(error.starts_with("f: it is UTF-16 or no text"), "{error}");
        }
    }

    #[test]
    fn a_source_without_a_value_is_refused_where_it_is_needed() {
        for (needed, refused) in [(true, true), (false, false)] {
            let mut values = Values::default();
            values.add("one".to_owned(), vec![value("A", "fjqkslgh")], true);
            values.add("two".to_owned(), vec![value("B", "abc")], needed);
            let error = values.finish(0).err().map(|error| error.to_string());
            let expected = "two: it holds no value of 6 or more bytes to look for";
            assert_eq!(error.as_deref(), refused.then_some(expected));
        }
    }
}
