//! Rewriting in place: what is kept, what is refused, in which order it is done.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use crate::support::{
    CLEAN, Folder, MASKED, PROGRAM, SECRET, clean, code, fails, finish, has_strace, holds, identity, inkout, is_root,
    mode, read, set_mode, stderr, stdout, well,
};

fn set_attribute(path: &Path, name: &str, value: &[u8]) {
    rustix::fs::setxattr(path, name, value, rustix::fs::XattrFlags::empty()).expect("an attribute is set");
}

fn attribute(path: &Path, name: &str) -> Option<Vec<u8>> {
    let mut value = vec![0; 4096];
    let length = rustix::fs::getxattr(path, name, &mut value[..]).ok()?;
    value.truncate(length);
    Some(value)
}

/// An access list that lets user 4242 read, as the kernel stores it (version 2: tag, rights, id).
fn access_list() -> Vec<u8> {
    let entries: [(u16, u16, u32); 5] =
        [(0x01, 6, u32::MAX), (0x02, 4, 4242), (0x04, 4, u32::MAX), (0x10, 4, u32::MAX), (0x20, 0, u32::MAX)];
    let mut list = 2_u32.to_le_bytes().to_vec();
    for (tag, rights, id) in entries {
        list.extend(tag.to_le_bytes());
        list.extend(rights.to_le_bytes());
        list.extend(id.to_le_bytes());
    }
    list
}

#[test]
fn w03_mode_owner_attributes_and_time_are_kept_and_setuid_is_dropped() {
    let folder = Folder::new();
    let path = folder.file("app.log", SECRET);
    let old = SystemTime::UNIX_EPOCH + Duration::new(1_500_000_000, 123_456_789);
    if is_root() {
        std::os::unix::fs::chown(&path, Some(1234), Some(4321)).unwrap();
    }
    set_mode(&path, 0o4640);
    set_attribute(&path, "user.t", b"kept");
    set_attribute(&path, "system.posix_acl_access", &access_list());
    fs::File::options().write(true).open(&path).unwrap().set_modified(old).unwrap();
    let before = fs::metadata(&path).unwrap();
    well(&clean(["-i", "--preserve-mtime", path.to_str().unwrap()]));
    let after = fs::metadata(&path).unwrap();
    holds(&path, MASKED);
    assert_eq!((after.uid(), after.gid()), (before.uid(), before.gid()));
    assert_eq!(mode(&path), 0o640);
    assert_eq!(attribute(&path, "user.t").as_deref(), Some(&b"kept"[..]));
    assert_eq!(attribute(&path, "system.posix_acl_access"), Some(access_list()));
    assert_eq!(after.modified().unwrap(), old);
}

#[test]
fn the_time_of_the_change_is_told_unless_it_is_to_be_kept() {
    let folder = Folder::new();
    let path = folder.file("app.log", SECRET);
    let old = SystemTime::UNIX_EPOCH + Duration::from_secs(1_500_000_000);
    fs::File::options().write(true).open(&path).unwrap().set_modified(old).unwrap();
    well(&clean(["-i", path.to_str().unwrap()]));
    assert!(fs::metadata(&path).unwrap().modified().unwrap() > old);
}

#[test]
fn w04_a_symlink_is_refused_and_followed_on_request() {
    let folder = Folder::new();
    let target = folder.file("target.log", SECRET);
    let link = folder.path("link.log");
    symlink("target.log", &link).unwrap();
    fails(&clean([Path::new("-i"), &link]), 3, &["link.log: is a symbolic link (--follow goes where it leads)"]);
    holds(&target, SECRET);
    well(&clean([Path::new("-i"), Path::new("--follow"), &link]));
    holds(&target, MASKED);
    assert_eq!(fs::read_link(&link).unwrap(), Path::new("target.log"));
}

#[test]
fn w05_a_file_with_other_names_is_refused() {
    let folder = Folder::new();
    let (path, other) = (folder.file("a.log", SECRET), folder.path("b.log"));
    fs::hard_link(&path, &other).unwrap();
    fails(&clean([Path::new("-i"), &path]), 3, &["a.log: has 2 names", "--break-hardlinks"]);
    holds(&path, SECRET);
    well(&clean([Path::new("-i"), Path::new("--break-hardlinks"), &path]));
    holds(&path, MASKED);
    holds(&other, SECRET);
}

#[test]
fn w06_a_file_that_grows_meanwhile_is_left_with_all_its_lines() {
    let folder = Folder::new();
    let path = folder.file("app.log", format!("{SECRET}{}", CLEAN.repeat(40_000)));
    let done = AtomicBool::new(false);
    let (output, written) = std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut log = fs::File::options().append(true).open(&path).unwrap();
            let mut written = 0;
            while !done.load(Ordering::Relaxed) {
                writeln!(log, "line {written}").unwrap();
                written += 1;
            }
            written
        });
        let output = clean([Path::new("-i"), &path]);
        done.store(true, Ordering::Relaxed);
        (output, writer.join().unwrap())
    });
    fails(&output, 3, &["app.log: "]);
    if stderr(&output).contains("is lost") {
        return; // Written in the moment of the exchange: it cannot be prevented, and it was said.
    }
    assert!(stderr(&output).contains("changed while it was read"));
    let text = String::from_utf8(read(&path)).unwrap();
    assert!(text.starts_with(SECRET));
    let lines: Vec<&str> = text.lines().filter(|line| line.starts_with("line ")).collect();
    assert_eq!(lines.len(), written);
    assert_eq!(folder.names(), ["app.log"]);
}

#[test]
fn w07_a_read_only_file_or_folder_is_refused() {
    let folder = Folder::new();
    let path = folder.file("sub/app.log", SECRET);
    set_mode(&path, 0o444);
    fails(&clean([Path::new("-i"), &path]), 3, &["app.log: is read-only"]);
    holds(&path, SECRET);
    set_mode(&path, 0o666);
    set_mode(folder.root(), 0o755);
    set_mode(&folder.path("sub"), 0o555);
    let mut command = inkout();
    command.args(["clean", "-i"]).arg(&path);
    if is_root() {
        // Root may write anywhere.
        std::os::unix::process::CommandExt::uid(&mut command, 65_534);
    }
    fails(&finish(&mut command), 3, &["app.log: cannot write: Permission denied"]);
    holds(&path, SECRET);
    set_mode(&folder.path("sub"), 0o755);
}

#[test]
fn w08_what_is_no_regular_file_is_refused_without_waiting() {
    let folder = Folder::new();
    let (fifo, socket) = (folder.path("fifo"), folder.path("socket"));
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let _listener = UnixListener::bind(&socket).unwrap();
    let output = clean([Path::new("-i"), &fifo, &socket, Path::new("/dev/zero")]);
    let said = ["fifo: is a FIFO", "socket: is a socket", "/dev/zero: is a device"];
    fails(&output, 3, &said);
    let output = clean([Path::new("-i"), folder.root()]);
    assert_eq!(code(&output), 0, "in a folder they are named only");
    assert!(stderr(&output).contains("fifo: skipped: a FIFO"));
}

/// The calls of a run that match `filter`, in order, as `name(arguments`.
fn trace(folder: &Folder, filter: &str, arguments: &[&Path]) -> Vec<String> {
    let log = folder.path("trace");
    let status = Command::new("strace")
        .args(["-f", "-qq", "-y", "-e", filter, "-o"])
        .arg(&log)
        .args([PROGRAM, "clean"])
        .args(arguments)
        .status();
    assert!(status.unwrap().success());
    let text = fs::read_to_string(&log).unwrap();
    fs::remove_file(log).unwrap();
    text.lines().filter_map(|line| Some(line.split_once(' ')?.1.trim_start().to_owned())).collect()
}

#[test]
fn w09_the_file_is_durable_before_it_is_renamed_and_the_folder_after() {
    if !has_strace("w09") {
        return;
    }
    let (folder, work) = (Folder::new(), Folder::new());
    let path = work.file("app.log", SECRET);
    let calls = trace(&folder, "trace=fsync,renameat,renameat2,rename,fchmod,write", &[Path::new("-i"), &path]);
    let at =
        |what: &dyn Fn(&str) -> bool| calls.iter().position(|call| what(call)).unwrap_or_else(|| panic!("{calls:?}"));
    let last_write = calls.iter().rposition(|call| call.starts_with("write(") && call.contains("level=info")).unwrap();
    let file = at(&|call| call.starts_with("fsync("));
    let rename = at(&|call| call.starts_with("rename"));
    let root = format!("{}>", work.root().display());
    let synced_folder = at(&|call| call.starts_with("fsync(") && call.contains(&root));
    assert!(at(&|call| call.starts_with("fchmod(")) < file, "{calls:?}");
    assert!(last_write < file && file < rename && rename < synced_folder, "{calls:?}");
}

#[test]
fn no_connection_is_opened() {
    if !has_strace("no_connection_is_opened") {
        return;
    }
    let (folder, work) = (Folder::new(), Folder::new());
    work.file("app.log", SECRET);
    assert_eq!(trace(&folder, "trace=%network", &[Path::new("-i"), work.root()]), [""; 0]);
}

#[test]
fn w10_a_backup_is_made_only_on_request_and_for_the_owner_alone() {
    let folder = Folder::new();
    let path = folder.file("app.log", SECRET);
    well(&clean([Path::new("-i"), &path]));
    assert_eq!(folder.names(), ["app.log"]);
    fs::write(&path, SECRET).unwrap();
    set_mode(&path, 0o644);
    well(&clean([Path::new("--in-place=.orig"), &path]));
    assert_eq!(folder.names(), ["app.log", "app.log.orig"]);
    holds(&folder.path("app.log.orig"), SECRET);
    assert_eq!((mode(&path), mode(&folder.path("app.log.orig"))), (0o644, 0o600));
    fs::write(&path, SECRET).unwrap();
    fails(&clean([Path::new("--in-place=.orig"), &path]), 3, &["the backup app.log.orig exists already"]);
    holds(&path, SECRET);
    fails(&clean([Path::new("--in-place=a/b"), &path]), 2, &["a suffix holds no `/`"]);
}

#[test]
fn w11_of_a_thousand_files_one_fails_and_the_others_are_done() {
    let folder = Folder::new();
    for number in 0..1000 {
        folder.file(format!("{:02}/{number:04}.log", number % 10), SECRET);
    }
    let broken = folder.file("03/0503.log", &crate::support::gzip(&SECRET.repeat(99).into_bytes())[..40]);
    let output = clean([Path::new("-i"), folder.root()]);
    assert_eq!(code(&output), 3);
    let expected = format!("inkout: {}: broken gzip: it ends in the middle\n", broken.display());
    assert_eq!(stderr(&output), expected);
    assert!(stdout(&output).ends_with("1000 files: 999 cleaned (999 findings), 0 unchanged, 0 skipped, 1 failed\n"));
    for number in (0..1000).filter(|number| *number != 503) {
        holds(&folder.path(format!("{:02}/{number:04}.log", number % 10)), MASKED);
    }
}

#[test]
fn w12_a_file_with_nothing_to_mask_is_not_touched() {
    let folder = Folder::new();
    let plain = folder.file("plain.log", CLEAN);
    let empty = folder.file("empty.log", "");
    let packed = folder.file("packed.log.gz", crate::support::gzip(CLEAN.as_bytes()));
    let masked = folder.file("masked.log", MASKED);
    let all = [plain, empty, packed, masked];
    let before: Vec<_> = all.iter().map(|path| identity(path)).collect();
    let output = clean([Path::new("-i"), folder.root()]);
    well(&output);
    assert_eq!(stdout(&output), "4 files: 0 cleaned (0 findings), 4 unchanged, 0 skipped, 0 failed\n");
    assert_eq!(all.iter().map(|path| identity(path)).collect::<Vec<_>>(), before);
}

#[test]
fn w13_a_name_that_becomes_a_link_leads_no_write_elsewhere() {
    let (folder, elsewhere) = (Folder::new(), Folder::new());
    let outside = elsewhere.file("outside.log", SECRET);
    let before = identity(&outside);
    let path = folder.file("app.log", format!("{SECRET}{}", CLEAN.repeat(3_000)));
    let (aside, done) = (folder.path("aside"), AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                fs::rename(&path, &aside).unwrap();
                symlink(&outside, &path).unwrap();
                fs::remove_file(&path).unwrap();
                fs::rename(&aside, &path).unwrap();
            }
        });
        for _ in 0..40 {
            let output = clean([Path::new("-i"), &path]);
            assert!(matches!(code(&output), 0 | 3), "{}", stderr(&output));
        }
        done.store(true, Ordering::Relaxed);
    });
    assert_eq!(identity(&outside), before);
    assert_eq!(elsewhere.names(), ["outside.log"]);
}

/// What is written is scanned while the rest of it comes, where the file is long and threads have nothing else to do.
#[test]
fn a_long_file_is_the_same_whatever_threads_there_are() {
    let folder = Folder::new();
    let line = |number: usize| if number % 977 == 0 { SECRET.to_owned() } else { format!("{number} {CLEAN}") };
    let old: String = (1..260_000).map(line).collect();
    let cleaned = old.replace(SECRET, MASKED);
    let packed = |text: &str| zstd::encode_all(text.as_bytes(), 1).unwrap();
    assert!(old.len() > 8 << 20 && packed(&old).len() > 1 << 20);
    let mut packs = Vec::new();
    for threads in ["-j1", "-j2", "-j8"] {
        for verify in ["--verify", "--no-verify"] {
            let plain = folder.file("app.log", &old);
            let pack = folder.file("app.log.zst", packed(&old));
            well(&clean([Path::new("-qi"), Path::new(threads), Path::new(verify), &plain]));
            holds(&plain, &cleaned);
            well(&clean([Path::new("-qi"), Path::new(threads), Path::new(verify), &pack]));
            assert!(zstd::decode_all(&read(&pack)[..]).unwrap() == cleaned.as_bytes(), "{threads} {verify}");
            packs.push(read(&pack));
            assert_eq!(folder.names(), ["app.log", "app.log.zst"]);
        }
    }
    assert!(packs.iter().all(|pack| *pack == packs[0]), "packed otherwise by other threads");
}
