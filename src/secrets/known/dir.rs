//! A folder whose files are values: Kubernetes secrets as they are mounted, Docker's `/run/secrets`.
//!
//! Kubernetes mounts `NAME -> ..data/NAME`, `..data -> ..TIME` and the folder `..TIME`, and exchanges `..data` when the secret
//! changes. Names that begin with two dots are skipped, `.dockerconfigjson` is a name as any other; links are followed to the
//! files behind them.

use std::fs;
use std::io::{self, Read};
use std::path::Path;

use rustix::fs::Mode;
use zeroize::Zeroizing;

use super::Note;
use crate::engine::KnownValue;
use crate::secrets::SecretError;

/// More than this is read of no file: it would be skipped for its length.
const MAX_VALUE_BYTES: u64 = (16 << 10) + 2;
/// More files are no folder of secrets.
const MAX_FILES: usize = 100_000;

/// The value of every regular file of the folder at `path`, without one line end at its end, by name.
pub(super) fn read(path: &Path, place: &str, notes: &mut Vec<Note>) -> Result<Vec<KnownValue>, SecretError> {
    let refuse = |reason: String| SecretError::Known { place: place.to_owned(), reason };
    let entries = fs::read_dir(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let mut entries = entries.map_err(|error| refuse(error.to_string()))?;
    if entries.len() > MAX_FILES {
        return Err(refuse(format!("more than {MAX_FILES} files")));
    }
    entries.sort_by_key(fs::DirEntry::file_name);
    let mut values = Vec::new();
    let mut exposed = false;
    for entry in entries {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with("..") {
            continue;
        }
        let no_value = |reason| Note::NoValue { place: place.to_owned(), name: name.clone(), reason };
        let kind = fs::metadata(entry.path()).map_err(|error| refuse(format!("`{name}`: {error}")))?.file_type();
        if kind.is_dir() {
            notes.push(no_value("it is a folder; name it as one of its own"));
        } else if !kind.is_file() {
            notes.push(no_value("it is no regular file"));
        } else {
            let (value, open) = value(&entry.path()).map_err(|error| refuse(format!("`{name}`: {error}")))?;
            exposed |= open;
            if !value.is_empty() {
                values.push(KnownValue { name, value: value.to_vec() });
            }
        }
    }
    if exposed {
        notes.push(Note::Exposed { place: place.to_owned() });
    }
    Ok(values)
}

/// A file's content without one line end at its end, and whether others than its owner and group can read it: Kubernetes
/// gives mounted secrets to a group on purpose.
fn value(path: &Path) -> io::Result<(Zeroizing<Vec<u8>>, bool)> {
    let file = fs::File::open(path)?;
    let mode = Mode::from_raw_mode(rustix::fs::fstat(&file)?.st_mode);
    let mut value = Zeroizing::new(Vec::with_capacity(MAX_VALUE_BYTES as usize));
    file.take(MAX_VALUE_BYTES).read_to_end(&mut value)?;
    let mut len = value.len();
    len -= usize::from(value[..len].ends_with(b"\n"));
    len -= usize::from(value[..len].ends_with(b"\r"));
    value.truncate(len);
    Ok((value, mode.intersects(Mode::ROTH)))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn a_mounted_kubernetes_secret_is_read_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::create_dir(path("..2026_11_22")).unwrap();
        let files =
            [("user", "ada"), ("password", "fjqkslgh\n"), ("key", "a\nb\r\n"), ("empty", "\n"), (".npmrc", "x\n")];
        for (name, value) in files {
            let file = path("..2026_11_22").join(name);
            fs::write(&file, value).unwrap();
            fs::set_permissions(&file, PermissionsExt::from_mode(0o640)).unwrap();
            symlink(format!("..data/{name}"), path(name)).unwrap();
        }
        symlink("..2026_11_22", path("..data")).unwrap();
        fs::create_dir(path("more")).unwrap();
        let mut notes = Vec::new();
        let values = read(folder.path(), "d", &mut notes).unwrap();
        let shown: Vec<(&str, &[u8])> =
            values.iter().map(|value| (value.name.as_str(), value.value.as_slice())).collect();
        assert_eq!(shown, [(".npmrc", &b"x"[..]), ("key", b"a\nb"), ("password", b"fjqkslgh"), ("user", b"ada")]);
        assert_eq!(notes.len(), 1);
        assert_eq!(notes[0].to_string(), "d: `more` is not looked for: it is a folder; name it as one of its own");
        fs::set_permissions(path("user"), PermissionsExt::from_mode(0o644)).unwrap();
        read(folder.path(), "d", &mut notes).unwrap();
        assert!(notes.contains(&Note::Exposed { place: "d".to_owned() }));
    }

    #[test]
    fn a_link_to_nowhere_and_a_folder_that_is_missing_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        symlink("..data/gone", folder.path().join("password")).unwrap();
        let error = read(folder.path(), "d", &mut Vec::new()).unwrap_err().to_string();
        assert!(error.starts_with("d: `password`: No such file"), "{error}");
        assert!(read(&folder.path().join("none"), "d", &mut Vec::new()).is_err());
    }
}
