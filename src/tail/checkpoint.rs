//! How far each file was read and delivered, on disk: written beside, synced, renamed, and the folder synced. Hashes, sizes
//! and paths; never a byte of a file. Not when it is written.
//!
//! The file is two lines of JSON: a version with the SHA-256 of the second line, and the files. Whatever else stands there
//! is not trusted in part: it is put aside, said aloud, and everything that is found is read from its beginning. Reading a
//! line twice is a nuisance; starting silently at the end loses what came while nobody looked.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::durable::{beside, private, replace};

use super::identity::{FileKey, Fingerprint, Print, PrintKey, Trail, hex, unhex};

const VERSION: u32 = 1;
/// A file larger than this is not one of ours: ten times what 100,000 files need.
const MAX_BYTES: u64 = 1 << 30;
/// Places kept for each file.
const TRAIL_PLACES: usize = 8;

/// Why the state cannot be used; the operator is to blame.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// Two processes would overwrite each other's checkpoints.
    #[error("{path}: another process is using it; each needs a state folder or checkpoint file of its own", path = path.display())]
    InUse {
        /// The lock.
        path: PathBuf,
    },
    /// The folder or one of its files cannot be made or opened.
    #[error("{path}: {reason}", path = path.display())]
    Unusable {
        /// What.
        path: PathBuf,
        /// Why.
        reason: io::Error,
    },
}

/// The lock is held for as long as any of them lives.
#[derive(Clone)]
struct Held {
    prints: PrintKey,
    _lock: Arc<File>,
}

/// A folder for the state of one process: locked, and with the key of its hashes.
pub struct State {
    folder: PathBuf,
    held: Held,
}

impl State {
    /// Makes the folder (mode 0700) if it is not there, and locks it.
    ///
    /// # Errors
    /// When another process holds it, or it cannot be written.
    pub fn open(folder: &Path) -> Result<State, StateError> {
        make_folder(folder)?;
        let held = hold(&folder.join("lock"), &folder.join("key"))?;
        Ok(State { folder: folder.to_owned(), held })
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The checkpoints of the source called `source`.
    pub fn checkpoints(&self, source: &str) -> Checkpoints {
        let name: String = source.bytes().map(file_name_part).collect();
        Checkpoints::load(self.folder.join(format!("{name}.checkpoint")), self.held.clone())
    }
}

/// A source's name as a part of a file name.
fn file_name_part(byte: u8) -> String {
    match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    }
}

/// What is known of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) id: Fingerprint,
    /// The path it is followed under, whatever it is called by now.
    pub(super) path: PathBuf,
    pub(super) key: FileKey,
    /// Everything before was delivered.
    pub(super) offset: u64,
    /// How large it was when it was last looked at.
    pub(super) size: u64,
    pub(super) modified: (i64, i64),
    /// Whether nothing more is expected of it.
    pub(super) done: bool,
    pub(super) head: Print,
    pub(super) trail: Trail,
}

/// What was found at the start.
#[derive(Debug)]
pub(super) enum Loaded {
    /// No checkpoint was ever written here.
    Nothing,
    /// In the order of their rotation.
    Files(Vec<Known>),
    /// Why it is not to be trusted.
    Broken(String),
}

/// Checkpoints of one source.
pub struct Checkpoints {
    /// `None`: in memory only.
    path: Option<PathBuf>,
    prints: PrintKey,
    loaded: Loaded,
    _lock: Option<Arc<File>>,
}

impl Checkpoints {
    /// None at all: every start begins as the first one did.
    ///
    /// # Errors
    /// When the system has no randomness to give.
    pub fn in_memory() -> io::Result<Checkpoints> {
        Ok(Checkpoints { path: None, prints: PrintKey::new(&*random_key()?), loaded: Loaded::Nothing, _lock: None })
    }

    /// In the file at `path`, with a lock and a key beside it.
    ///
    /// # Errors
    /// When another process holds it, or its folder cannot be written.
    pub fn at(path: &Path) -> Result<Checkpoints, StateError> {
        let held = hold(&beside(path, ".lock"), &beside(path, ".key"))?;
        Ok(Checkpoints::load(path.to_owned(), held))
    }

    fn load(path: PathBuf, held: Held) -> Checkpoints {
        let loaded = match read(&path) {
            Ok(None) => Loaded::Nothing,
            Ok(Some(bytes)) => parse(&bytes).map_or_else(Loaded::Broken, Loaded::Files),
            Err(reason) => Loaded::Broken(reason.to_string()),
        };
        if matches!(loaded, Loaded::Broken(_)) {
            // Kept to be looked at. If it cannot be moved, saving will fail and say so.
            let aside = beside(&path, ".broken");
            let _ =
                fs::rename(&path, &aside).or_else(|_| fs::remove_file(&aside).and_then(|()| fs::rename(&path, &aside)));
        }
        Checkpoints { path: Some(path), prints: held.prints, loaded, _lock: Some(held._lock) }
    }

    /// Where they are, if anywhere.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    pub(super) fn take_loaded(&mut self) -> Loaded {
        std::mem::replace(&mut self.loaded, Loaded::Nothing)
    }

    pub(super) fn prints(&self) -> &PrintKey {
        &self.prints
    }

    /// Replaces what is on disk, or leaves it as it was.
    pub(super) fn save(&self, known: impl Iterator<Item = Known>) -> io::Result<()> {
        let Some(path) = &self.path else { return Ok(()) };
        replace(path, &render(known)?)
    }
}

fn make_folder(folder: &Path) -> Result<(), StateError> {
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|reason| StateError::Unusable { path: folder.to_owned(), reason })
}

fn hold(lock: &Path, key: &Path) -> Result<Held, StateError> {
    let unusable = |path: &Path| {
        let path = path.to_owned();
        move |reason| StateError::Unusable { path, reason }
    };
    let file = private().create(true).truncate(false).open(lock).map_err(unusable(lock))?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(rustix::io::Errno::WOULDBLOCK) => return Err(StateError::InUse { path: lock.to_owned() }),
        Err(error) => return Err(unusable(lock)(error.into())),
    }
    let prints = PrintKey::new(&*key_at(key).map_err(unusable(key))?);
    Ok(Held { prints, _lock: Arc::new(file) })
}

/// The key in the file at `path`; a new one if there is none, or no whole one. With another key no file is recognised, and
/// all are read again.
fn key_at(path: &Path) -> io::Result<Zeroizing<[u8; 32]>> {
    let mut key = Zeroizing::new([0; 32]);
    match private().open(path).and_then(|mut file| file.read_exact(&mut *key)) {
        Ok(()) => return Ok(key),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof) => {}
        Err(error) => return Err(error),
    }
    let key = random_key()?;
    replace(path, &*key)?;
    Ok(key)
}

fn random_key() -> io::Result<Zeroizing<[u8; 32]>> {
    let mut key = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *key).map_err(io::Error::other)?;
    Ok(key)
}

fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let file = match private().write(false).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    file.take(MAX_BYTES).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

#[derive(Serialize, Deserialize)]
struct Header {
    inkout_checkpoint: u32,
    sha256: String,
}

#[derive(Serialize, Deserialize)]
struct Body {
    files: Vec<Entry>,
}

#[derive(Serialize, Deserialize)]
struct Entry {
    id: String,
    path: Name,
    #[serde(flatten)]
    key: FileKey,
    offset: u64,
    size: u64,
    modified: (i64, i64),
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    done: bool,
    head: Place,
    trail: Vec<Place>,
}

/// A path as text, or as bytes where it is none.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Name {
    Text(String),
    Bytes(Vec<u8>),
}

/// `[from, to, hash]`
#[derive(Serialize, Deserialize)]
struct Place(u64, u64, String);

impl From<&Print> for Place {
    fn from(print: &Print) -> Place {
        Place(print.from, print.to, hex(&print.hash))
    }
}

impl Place {
    fn print(&self) -> Option<Print> {
        let hash = unhex(&self.2)?;
        (self.0 <= self.1).then_some(Print { from: self.0, to: self.1, hash })
    }
}

impl From<Known> for Entry {
    fn from(known: Known) -> Entry {
        let path = match known.path.into_os_string().into_string() {
            Ok(text) => Name::Text(text),
            Err(other) => Name::Bytes(other.as_bytes().to_vec()),
        };
        Entry {
            id: hex(&known.id.0),
            path,
            key: known.key,
            offset: known.offset,
            size: known.size,
            modified: known.modified,
            done: known.done,
            head: Place::from(&known.head),
            trail: known.trail.extract(known.offset, TRAIL_PLACES).iter().map(Place::from).collect(),
        }
    }
}

impl Entry {
    fn known(self) -> Option<Known> {
        let path = match self.path {
            Name::Text(text) => PathBuf::from(text),
            Name::Bytes(bytes) => PathBuf::from(std::ffi::OsString::from_vec(bytes)),
        };
        Some(Known {
            id: Fingerprint(unhex(&self.id)?),
            path,
            key: self.key,
            offset: self.offset,
            size: self.size,
            modified: self.modified,
            done: self.done,
            head: self.head.print()?,
            trail: self.trail.iter().map(Place::print).collect::<Option<Trail>>()?,
        })
    }
}

fn render(known: impl Iterator<Item = Known>) -> io::Result<Vec<u8>> {
    let body = serde_json::to_string(&Body { files: known.map(Entry::from).collect() })?;
    let header = Header { inkout_checkpoint: VERSION, sha256: checksum(body.as_bytes()) };
    Ok(format!("{}\n{body}\n", serde_json::to_string(&header)?).into_bytes())
}

fn checksum(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The reason names no byte of the file.
fn parse(bytes: &[u8]) -> Result<Vec<Known>, String> {
    if bytes.is_empty() {
        return Err("it is empty".to_owned());
    }
    let torn = || "it is torn: it is not two lines with a matching checksum".to_owned();
    let mut lines = bytes.split_inclusive(|byte| *byte == b'\n');
    let header: Header = serde_json::from_slice(lines.next().unwrap_or_default())
        .map_err(|_| "it is no checkpoint file of inkout".to_owned())?;
    if header.inkout_checkpoint != VERSION {
        return Err(format!("its version is {}; this inkout knows {VERSION}", header.inkout_checkpoint));
    }
    let body = lines.next().and_then(|line| line.strip_suffix(b"\n")).ok_or_else(torn)?;
    if checksum(body) != header.sha256 || lines.next().is_some() {
        return Err(torn());
    }
    let body: Body = serde_json::from_slice(body).map_err(|_| torn())?;
    body.files.into_iter().map(Entry::known).collect::<Option<_>>().ok_or_else(torn)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn known(path: &str) -> Known {
        let print = |to| Print { from: 0, to, hash: [9; 16] };
        Known {
            id: Fingerprint([5; 16]),
            path: PathBuf::from(path),
            key: FileKey { device: 3, inode: 4 },
            offset: 50,
            size: 60,
            modified: (1, 2),
            done: false,
            head: print(60),
            trail: [print(20), print(50)].into_iter().collect(),
        }
    }

    fn saved(folder: &Path) -> PathBuf {
        let path = folder.join("c");
        Checkpoints::at(&path).unwrap().save([known("/var/log/a.log"), known("/b")].into_iter()).unwrap();
        path
    }

    fn loaded(path: &Path) -> Loaded {
        Checkpoints::at(path).unwrap().take_loaded()
    }

    #[test]
    fn what_is_saved_is_loaded() {
        let folder = tempfile::tempdir().unwrap();
        let path = saved(folder.path());
        let Loaded::Files(files) = loaded(&path) else { panic!("a good file") };
        assert_eq!(files, [known("/var/log/a.log"), known("/b")]);
        for name in ["c", "c.key", "c.lock"] {
            let mode = fs::metadata(folder.path().join(name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
    }

    #[test]
    fn a_path_that_is_no_text_is_kept() {
        let path = PathBuf::from(std::ffi::OsString::from_vec(b"/log/\xff\xfe".to_vec()));
        let entry = Entry::from(Known { path: path.clone(), ..known("") });
        assert_eq!(entry.known().unwrap().path, path);
    }

    #[test]
    fn a_file_torn_at_any_byte_is_broken_and_put_aside() {
        let folder = tempfile::tempdir().unwrap();
        let path = saved(folder.path());
        let whole = fs::read(&path).unwrap();
        for len in 0..whole.len() {
            fs::write(&path, &whole[..len]).unwrap();
            assert!(matches!(loaded(&path), Loaded::Broken(_)), "{len} of {} bytes", whole.len());
            assert!(!path.exists() && folder.path().join("c.broken").exists());
        }
        for place in 0..whole.len() {
            let mut flipped = whole.clone();
            flipped[place] ^= 1;
            fs::write(&path, &flipped).unwrap();
            assert!(matches!(loaded(&path), Loaded::Broken(_)), "bit of byte {place}");
        }
    }

    #[test]
    fn other_things_in_its_place_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c");
        for (text, expected) in [
            ("", "it is empty"),
            ("hello", "it is no checkpoint file of inkout"),
            ("{\"inkout_checkpoint\":9,\"sha256\":\"\"}\n{}\n", "its version is 9; this inkout knows 1"),
            ("{\"inkout_checkpoint\":0,\"sha256\":\"\"}\n{}\n", "its version is 0; this inkout knows 1"),
        ] {
            fs::write(&path, text).unwrap();
            let Loaded::Broken(why) = loaded(&path) else { panic!("{text}") };
            assert_eq!(why, expected);
        }
        fs::create_dir(&path).unwrap();
        assert!(matches!(loaded(&path), Loaded::Broken(_)));
        assert!(matches!(loaded(&path), Loaded::Nothing));
    }

    #[test]
    fn a_second_process_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let state = State::open(&folder.path().join("state")).unwrap();
        let again = State::open(&folder.path().join("state"));
        assert!(matches!(again, Err(StateError::InUse { .. })));
        let checkpoints = state.checkpoints("a b/../c");
        assert_eq!(checkpoints.path().unwrap(), folder.path().join("state/a%20b%2F%2E%2E%2Fc.checkpoint"));
        drop(state);
        assert!(State::open(&folder.path().join("state")).is_err(), "the checkpoints still hold the lock");
        drop(checkpoints);
        assert!(State::open(&folder.path().join("state")).is_ok());
    }

    #[test]
    fn a_failed_save_leaves_the_old_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = saved(folder.path());
        let checkpoints = Checkpoints::at(&path).unwrap();
        let before = fs::read(&path).unwrap();
        fs::create_dir(folder.path().join("c.new")).unwrap();
        assert!(checkpoints.save(std::iter::empty()).is_err());
        assert_eq!(fs::read(&path).unwrap(), before);
    }
}
