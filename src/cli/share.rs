//! `--share-key`: pseudonyms that are the same in all files of a bundle, and the key to them that does not travel with it.

use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use zeroize::Zeroizing;

use super::args::{ActionName, EngineArgs};
use super::print::complain;
use super::watch;

/// How long the key is.
const KEY_BYTES: usize = 32;

/// A key that was asked for.
pub(super) enum Share {
    /// A new one, in this file.
    New(PathBuf),
    /// The one in this file.
    Known,
}

impl Share {
    /// What `--share-key` of `new` or a file means: `hash` with the key of that file. Nothing is written yet.
    pub(super) fn plan(asked: &Path, engine: &EngineArgs) -> anyhow::Result<(Share, EngineArgs)> {
        let mut engine = engine.clone();
        anyhow::ensure!(
            engine.hash_key_file.is_none(),
            "--share-key and --hash-key-file name the same key; give one of them"
        );
        let action = *engine.action.get_or_insert(ActionName::Hash);
        anyhow::ensure!(
            action == ActionName::Hash,
            "--share-key makes pseudonyms, so the action is `hash`; leave --action out"
        );
        let (share, path) = if asked == Path::new("new") {
            let stamp = watch::now().to_string().replace(['-', ':'], "");
            let path = PathBuf::from(format!("inkout-share-{stamp}.key"));
            (Share::New(path.clone()), path)
        } else {
            anyhow::ensure!(asked.exists(), "there is no share key {}; `--share-key new` makes one", asked.display());
            (Share::Known, asked.to_owned())
        };
        engine.hash_key_file = Some(path);
        Ok((share, engine))
    }

    /// Makes the key, if it is a new one: readable by its owner alone, and never over another.
    pub(super) fn make(&self) -> anyhow::Result<()> {
        let Share::New(path) = self else { return Ok(()) };
        let cannot = || format!("cannot make the share key {}", path.display());
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        getrandom::fill(&mut *key).map_err(|error| anyhow::anyhow!("{error}")).with_context(cannot)?;
        let text: Zeroizing<String> = Zeroizing::new(hex(&*key));
        let mut file = File::options().write(true).create_new(true).mode(0o600).open(path).with_context(cannot)?;
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).with_context(cannot)?;
        complain(&format!(
            "share key written to {}: keep it and do not send it; `inkout fingerprint --share-key` looks tokens up with it",
            path.display()
        ));
        Ok(())
    }
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
