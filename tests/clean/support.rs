//! Runs the program on folders that are made for one test.

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::{Command, Output, Stdio};

#[path = "../shared/folder.rs"]
mod folder;
#[path = "../shared/program.rs"]
mod program;

pub(crate) use folder::{Folder, names};
pub(crate) use program::{PROGRAM, code, inkout, stderr, stdout};

/// A line that holds a secret, and what it becomes.
pub(crate) const SECRET: &str = "level=info password=hunter2 user=ada\n";
pub(crate) const MASKED: &str = "level=info password=REDACTED.password user=ada\n";
pub(crate) const CLEAN: &str = "level=info nothing to see here\n";

/// Clean lines that are worth more threads: 9 MiB, and more than one when they are packed.
pub(crate) fn long() -> String {
    let line = |number: u64| format!("{:016x} {CLEAN}", number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    (1..200_000).map(line).collect()
}

/// Runs `inkout clean` to its end.
pub(crate) fn clean<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Output {
    finish(inkout().arg("clean").args(arguments))
}

/// Runs a command to its end.
pub(crate) fn finish(command: &mut Command) -> Output {
    command.stdin(Stdio::null()).output().expect("the program runs")
}

/// Fails unless the run did everything without a word of complaint.
#[track_caller]
pub(crate) fn well(output: &Output) {
    assert_eq!((code(output), stderr(output).as_str()), (0, ""), "{}", stdout(output));
}

/// Fails unless the run ended with `code` and said all of `parts` on standard error.
#[track_caller]
pub(crate) fn fails(output: &Output, expected: i32, parts: &[&str]) {
    let said = stderr(output);
    assert_eq!(code(output), expected, "{said}");
    parts.iter().for_each(|part| assert!(said.contains(part), "`{part}` is not in: {said}"));
}

pub(crate) fn read(path: &Path) -> Vec<u8> {
    fs::read(path).expect("a readable file")
}

#[track_caller]
pub(crate) fn holds(path: &Path, expected: impl AsRef<[u8]>) {
    let (is, expected) = (read(path), expected.as_ref());
    let shown = |bytes: &[u8]| String::from_utf8_lossy(&bytes[..bytes.len().min(300)]).into_owned();
    assert!(is == expected, "{}: {} bytes: {}", path.display(), is.len(), shown(&is));
}

pub(crate) fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).expect("a file").permissions().mode() & 0o7777
}

pub(crate) fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("permissions are set");
}

/// Everything that tells whether a file was touched.
pub(crate) fn identity(path: &Path) -> (u64, u64, i64, i64, i64, i64) {
    let is = fs::symlink_metadata(path).expect("a file");
    (is.ino(), is.size(), is.mtime(), is.mtime_nsec(), is.ctime(), is.ctime_nsec())
}

pub(crate) fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(content).expect("it is compressed");
    encoder.finish().expect("it is compressed")
}

pub(crate) fn gunzip(packed: &[u8]) -> Vec<u8> {
    let mut content = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::MultiGzDecoder::new(packed), &mut content).expect("whole gzip");
    content
}

pub(crate) fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

/// Whether strace can be used here; a test that needs it says so and ends where it cannot.
pub(crate) fn has_strace(test: &str) -> bool {
    let works = Command::new("strace").args(["-qq", "-o", "/dev/null", "true"]).status().is_ok_and(|end| end.success());
    if !works {
        println!("{test}: strace cannot be used here; nothing was tested");
    }
    works
}
