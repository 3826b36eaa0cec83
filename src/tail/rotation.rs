//! What rotation makes of a name: `app.log` becomes `app.log.1`, `app.log-20261122`, `app.2026-11-22.log`, and with a
//! compressor behind it `app.log.1.gz`. Names only; whether it is the same file is `identity`'s.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

/// Ends of names that compressors write.
const COMPRESSED: &[&[u8]] = &[b".gz", b".zst", b".xz", b".bz2", b".lz4", b".lzma", b".zip", b".Z"];
/// A number in the middle of a name is part of it (`server-1.log`) unless it is as long as a date.
const MIN_DATE_DIGITS: usize = 6;

/// Whether `name` ends as a compressor would have it.
pub(super) fn is_compressed(name: &OsStr) -> bool {
    let name = name.as_bytes();
    COMPRESSED.iter().any(|end| name.len() > end.len() && name.ends_with(end))
}

/// The names that `name` may have had before it was rotated.
pub(super) fn bases(name: &OsStr) -> Vec<OsString> {
    let mut name = name.as_bytes();
    let mut found = Vec::new();
    if let Some(end) = COMPRESSED.iter().find(|end| name.len() > end.len() && name.ends_with(end)) {
        name = &name[..name.len() - end.len()];
        found.push(name.to_vec());
    }
    found.extend(without_suffix(name).map(<[u8]>::to_vec));
    found.extend(without_infix(name));
    found.into_iter().map(OsString::from_vec).collect()
}

/// Whether `path` may be a rotation of `base`, in the same folder.
pub(super) fn is_rotation(base: &Path, path: &Path) -> bool {
    let (Some(base_name), Some(name)) = (base.file_name(), path.file_name()) else { return false };
    base.parent() == path.parent() && bases(name).iter().any(|candidate| candidate == base_name)
}

/// `app.log.1`, `app.log-20261122`, `app.log.2026-11-22T10:00.3`, `app.log.old` → `app.log`.
fn without_suffix(name: &[u8]) -> Option<&[u8]> {
    if let Some(base) = name.strip_suffix(b".old").filter(|base| !base.is_empty()) {
        return Some(base);
    }
    let start = name.len() - name.iter().rev().take_while(|byte| is_stamp(**byte)).count();
    // The stamp begins with a separator, and what is before it is a name.
    let mark = &name[start..];
    (start > 0 && mark.len() > 1 && !mark[0].is_ascii_digit() && mark.iter().any(u8::is_ascii_digit))
        .then_some(&name[..start])
}

/// `app-20261122.log`, `app.1.log` → `app.log`.
fn without_infix(name: &[u8]) -> Option<Vec<u8>> {
    let dot = name.iter().rposition(|byte| *byte == b'.').filter(|dot| *dot > 0)?;
    let (stem, extension) = name.split_at(dot);
    let start = stem.len() - stem.iter().rev().take_while(|byte| is_stamp(**byte)).count();
    let mark = &stem[start..];
    let digits = mark.iter().filter(|byte| byte.is_ascii_digit()).count();
    let separated = mark.first().is_some_and(|byte| !byte.is_ascii_digit());
    let counted = mark.first() == Some(&b'.') && (1..=3).contains(&digits) && mark.len() == digits + 1;
    let rotated = start > 0 && separated && (digits >= MIN_DATE_DIGITS || counted);
    rotated.then(|| [&stem[..start], extension].concat())
}

/// What dates, times and counters are written with.
fn is_stamp(byte: u8) -> bool {
    byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'_' | b':' | b'T')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, base: &str, expected: bool) {
        let (base, path) = (Path::new("/var/log").join(base), Path::new("/var/log").join(name));
        assert_eq!(is_rotation(&base, &path), expected, "{name} of {base:?}");
    }

    #[test]
    fn rotated_names_lead_back_to_their_base() {
        for name in [
            "app.log.1",
            "app.log.12",
            "app.log.1.gz",
            "app.log.gz",
            "app.log-20261122",
            "app.log-20261122.zst",
            "app.log.2026-11-22",
            "app.log.2026-11-22T10:00",
            "app.log.old",
            "app-20261122.log",
            "app.2026-11-22.3.log",
            "app.1.log",
        ] {
            check(name, "app.log", true);
        }
    }

    #[test]
    fn other_names_do_not() {
        for name in [
            "app.log",
            "app.log.err",
            "app-1.log",
            "bapp.log.1",
            "app.log.1x",
            "app.logger",
            "other.log.1",
            "1",
            "app.log~",
        ] {
            check(name, "app.log", false);
        }
        assert!(!is_rotation(Path::new("/a/app.log"), Path::new("/b/app.log.1")));
        check("app.log.2", "app.log.1", false);
    }

    #[test]
    fn compressed_names_are_known() {
        for (name, expected) in [("a.gz", true), ("a.log.1.zst", true), (".gz", false), ("a.gzip", false)] {
            assert_eq!(is_compressed(OsStr::new(name)), expected, "{name}");
        }
    }
}
