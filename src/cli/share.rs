//! `--share-key`: pseudonyms that are the same in all files of a bundle, and the key to them that does not travel with it.

use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use zeroize::Zeroizing;

use super::args::{ActionName, EngineArgs};
use super::names::Names;
use super::print::complain;
use super::setup::{self, Lines, Setup};
use crate::clean::Walked;
use crate::engine::{Engine, HashKey, Mode};

/// How long the key is.
const KEY_BYTES: usize = 32;

/// What keys made here are called; none of them is ever part of a bundle.
const NAME: (&str, &str) = ("inkout-share-", ".key");

/// The key that was asked for, if any.
pub(super) struct Share {
    /// Where it is.
    path: Option<PathBuf>,
    /// The text of a new one, which is in no file yet.
    new: Option<Zeroizing<String>>,
}

impl Share {
    /// What `--share-key` of `new` or a file means: `hash` with the key of that file. Nothing is written yet.
    pub(super) fn plan(asked: Option<&Path>, engine: &EngineArgs) -> anyhow::Result<(Share, EngineArgs)> {
        let mut engine = engine.clone();
        let Some(asked) = asked else { return Ok((Share { path: engine.hash_key_file.clone(), new: None }, engine)) };
        ensure!(engine.hash_key_file.is_none(), "--share-key and --hash-key-file both name the key; give one of them");
        let action = *engine.action.get_or_insert(ActionName::Hash);
        ensure!(action == ActionName::Hash, "--share-key writes tokens, so the action is `hash`; leave --action out");
        let new = asked == Path::new("new");
        ensure!(new || asked.exists(), "there is no share key {}; `--share-key new` makes one", asked.display());
        let stamp = setup::now().to_string().replace(['-', ':'], "");
        let path = if new { PathBuf::from(format!("{}{stamp}{}", NAME.0, NAME.1)) } else { asked.to_owned() };
        engine.hash_key_file = Some(path.clone());
        let new = if new { Some(random()?) } else { None };
        Ok((Share { path: Some(path), new }, engine))
    }

    /// Takes keys out of what is to be cleaned: with the bundle they would give everything away.
    pub(super) fn leave_out(&self, walked: &mut Walked, names: &Names<'_>) {
        let own = self.path.as_ref().and_then(|path| std::fs::canonicalize(path).ok());
        walked.files.retain(|file| {
            let name = file.path.file_name().unwrap_or_default().to_string_lossy();
            let named = name.starts_with(NAME.0) && name.ends_with(NAME.1);
            let key = named || own.is_some() && std::fs::canonicalize(&file.path).ok() == own;
            if key {
                complain(&format!("{}: a key, left out", names.path(&file.path)));
            }
            !key
        });
    }

    /// Compiles `setup`, under the new key where there is one.
    pub(super) fn compile(&self, mut setup: Setup, engine: &EngineArgs) -> anyhow::Result<Arc<Engine>> {
        let Some(key) = &self.new else { return setup.compile_enforcing(engine) };
        setup.config.mode = Mode::Enforce;
        let key = HashKey::new(key.trim_ascii_end().as_bytes().to_vec())?;
        setup.compile_under(Some(key), Lines::Ignore, |_, _| ())
    }

    /// Writes a new key to its file: readable by its owner alone, and never over another.
    pub(super) fn keep(&self) -> anyhow::Result<()> {
        let (Some(path), Some(key)) = (&self.path, &self.new) else { return Ok(()) };
        let cannot = || format!("cannot make the share key {}", path.display());
        let mut file = File::options().write(true).create_new(true).mode(0o600).open(path).with_context(cannot)?;
        file.write_all(key.as_bytes()).and_then(|()| file.sync_all()).with_context(cannot)?;
        complain(&format!(
            "share key written to {0}: keep it and do not send it; `inkout fingerprint --share-key {0}` looks a value up",
            path.display()
        ));
        Ok(())
    }
}

/// A new key as it stands in a file.
fn random() -> anyhow::Result<Zeroizing<String>> {
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    getrandom::fill(&mut *key).map_err(|error| anyhow::anyhow!("cannot make a share key: {error}"))?;
    Ok(Zeroizing::new(hex(&*key)))
}

/// Written without a reallocation, which would leave a part of the key in memory.
fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len() + 1);
    for byte in bytes {
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from(b"0123456789abcdef"[usize::from(digit)]));
        }
    }
    text.push('\n');
    text
}
