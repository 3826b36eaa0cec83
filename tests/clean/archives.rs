//! Compressed files and archives: rewritten in kind, with what their headers say kept; bombs and broken ones refused.

use std::fs;
use std::io::{Cursor, Read, Write};
use std::path::Path;
use std::process::Stdio;

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipArchive, ZipWriter};

use crate::support::{
    CLEAN, Folder, MASKED, SECRET, clean, code, fails, gunzip, gzip, holds, identity, inkout, read, stderr, stdout,
    well,
};

/// A text of several blocks whose only secret stands at `at` of 16.
fn long(line: &str, at: usize) -> Vec<u8> {
    let mut text = String::new();
    for part in 0..16 {
        text.push_str(&CLEAN.repeat(2_000));
        if part == at {
            text.push_str(line);
        }
    }
    text.into_bytes()
}

#[test]
fn gzip_is_rewritten_in_kind_with_its_name_and_time() {
    let folder = Folder::new();
    for at in [0, 7, 15] {
        let mut encoder = flate2::GzBuilder::new()
            .filename("app.log")
            .mtime(1_500_000_000)
            .write(Vec::new(), flate2::Compression::default());
        encoder.write_all(&long(SECRET, at)).unwrap();
        let path = folder.file("app.log.1.gz", encoder.finish().unwrap());
        well(&clean([Path::new("-i"), &path]));
        let packed = read(&path);
        assert!(gunzip(&packed) == long(MASKED, at), "{at}");
        let decoder = flate2::read::GzDecoder::new(&packed[..]);
        let header = decoder.header().unwrap();
        assert_eq!((header.filename(), header.mtime()), (Some(&b"app.log"[..]), 1_500_000_000));
    }
}

#[test]
fn concatenated_streams_are_cleaned_to_the_last() {
    let folder = Folder::new();
    let path = folder.file("a.gz", [gzip(CLEAN.as_bytes()), gzip(CLEAN.as_bytes()), gzip(SECRET.as_bytes())].concat());
    let zstd = |text: &str| zstd::encode_all(text.as_bytes(), 3).unwrap();
    let other = folder.file("b.zst", [zstd(CLEAN), zstd(SECRET)].concat());
    well(&clean([Path::new("-i"), folder.root()]));
    assert_eq!(gunzip(&read(&path)), [CLEAN, CLEAN, MASKED].concat().into_bytes());
    assert_eq!(zstd::decode_all(&read(&other)[..]).unwrap(), [CLEAN, MASKED].concat().into_bytes());
}

#[test]
fn a_secret_across_the_border_of_two_streams_is_found() {
    let folder = Folder::new();
    let (first, second) = SECRET.split_at(SECRET.len() / 2);
    let path = folder.file("a.gz", [gzip(first.as_bytes()), gzip(second.as_bytes())].concat());
    well(&clean([Path::new("-i"), &path]));
    assert_eq!(gunzip(&read(&path)), MASKED.as_bytes());
}

/// A tar with what tars hold: a folder, links, long names, an extended header, a member compressed by itself.
fn tar(secret: &str) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    let header = |size: usize, mode: u32| {
        let mut header = tar::Header::new_gnu();
        header.set_size(size as u64);
        header.set_mode(mode);
        header.set_mtime(1_500_000_000);
        header.set_uid(1234);
        header.set_gid(4321);
        header
    };
    let mut of_folder = header(0, 0o750);
    of_folder.set_entry_type(tar::EntryType::Directory);
    tar.append_data(&mut of_folder, "logs/", &b""[..]).unwrap();
    tar.append_data(&mut header(CLEAN.len(), 0o600), "logs/clean.log", CLEAN.as_bytes()).unwrap();
    tar.append_data(&mut header(secret.len(), 0o640), "logs/app.log", secret.as_bytes()).unwrap();
    let long_name = format!("logs/{}/{}.log", "d".repeat(90), "n".repeat(90));
    tar.append_data(&mut header(secret.len(), 0o640), long_name, secret.as_bytes()).unwrap();
    let size = secret.len().to_string();
    tar.append_pax_extensions([("size", size.as_bytes()), ("mtime", b"1500000000.5")]).unwrap();
    tar.append_data(&mut header(secret.len(), 0o644), "logs/pax.log", secret.as_bytes()).unwrap();
    let packed = gzip(secret.as_bytes());
    tar.append_data(&mut header(packed.len(), 0o644), "logs/old.log.gz", &packed[..]).unwrap();
    let mut link = header(0, 0o777);
    link.set_entry_type(tar::EntryType::Symlink);
    tar.append_link(&mut link, "logs/link", "app.log").unwrap();
    let mut link = header(0, 0o640);
    link.set_entry_type(tar::EntryType::Link);
    tar.append_link(&mut link, "logs/hard", "logs/app.log").unwrap();
    tar.into_inner().unwrap()
}

/// Everything of a tar that can be seen: headers beside size and checksum, extensions, content.
fn members(tar: &[u8]) -> Vec<(String, u8, u32, u64, u64, String, Vec<u8>)> {
    let mut archive = tar::Archive::new(tar);
    let members = archive.entries().unwrap().map(|entry| {
        let mut entry = entry.unwrap();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        let name = String::from_utf8(entry.path_bytes().into_owned()).unwrap();
        if name.ends_with(".gz") {
            content = gunzip(&content);
        }
        let mut extended: Vec<String> = Vec::new();
        if let Some(records) = entry.pax_extensions().unwrap() {
            let shown =
                |record: tar::PaxExtension<'_>| format!("{}={}", record.key().unwrap(), record.value().unwrap());
            extended.extend(records.map(|record| shown(record.unwrap())).filter(|text| !text.starts_with("size=")));
        }
        let link = entry.link_name_bytes().map(|link| String::from_utf8(link.into_owned()).unwrap());
        extended.extend(link);
        let header = entry.header();
        let kind = header.entry_type().as_byte();
        let ids = header.uid().unwrap() << 32 | header.gid().unwrap();
        (name, kind, header.mode().unwrap(), header.mtime().unwrap(), ids, extended.join(" "), content)
    });
    members.collect()
}

#[test]
fn a_tar_is_rewritten_member_by_member_and_keeps_what_its_headers_say() {
    let folder = Folder::new();
    let secret = SECRET.repeat(30);
    let plain = folder.file("bundle.tar", tar(&secret));
    let packed = folder.file("bundle.tgz", gzip(&tar(&secret)));
    let other = folder.file("bundle.tar.zst", zstd::encode_all(&tar(&secret)[..], 3).unwrap());
    well(&clean([Path::new("-i"), folder.root()]));
    let expected = members(&tar(&MASKED.repeat(30)));
    assert_eq!(expected.len(), 8);
    assert_eq!(members(&read(&plain)), expected);
    assert_eq!(members(&gunzip(&read(&packed))), expected);
    assert_eq!(members(&zstd::decode_all(&read(&other)[..]).unwrap()), expected);
}

#[test]
fn an_archive_with_nothing_to_mask_is_not_touched() {
    let folder = Folder::new();
    let all =
        [folder.file("a.tar", tar(CLEAN)), folder.file("a.tgz", gzip(&tar(CLEAN))), folder.file("a.zip", zip(CLEAN))];
    let before: Vec<_> = all.iter().map(|path| identity(path)).collect();
    well(&clean([Path::new("-i"), folder.root()]));
    assert_eq!(all.iter().map(|path| identity(path)).collect::<Vec<_>>(), before);
}

fn zip(secret: &str) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let time = DateTime::from_date_and_time(2017, 7, 14, 2, 40, 0).unwrap();
    let options = |method, mode| {
        SimpleFileOptions::default().compression_method(method).last_modified_time(time).unix_permissions(mode)
    };
    zip.add_directory("logs/", options(CompressionMethod::Stored, 0o750)).unwrap();
    zip.start_file("logs/clean.log", options(CompressionMethod::Deflated, 0o600)).unwrap();
    zip.write_all(CLEAN.as_bytes()).unwrap();
    zip.start_file("logs/app.log", options(CompressionMethod::Deflated, 0o640)).unwrap();
    zip.write_all(secret.as_bytes()).unwrap();
    zip.start_file("logs/stored.log", options(CompressionMethod::Stored, 0o644)).unwrap();
    zip.write_all(secret.as_bytes()).unwrap();
    zip.start_file("logs/old.log.gz", options(CompressionMethod::Stored, 0o644)).unwrap();
    zip.write_all(&gzip(secret.as_bytes())).unwrap();
    zip.set_comment(secret.lines().next().unwrap_or_default()).unwrap();
    zip.finish().unwrap().into_inner()
}

fn zip_members(zip: &[u8]) -> Vec<(String, String, Option<u32>, String, Vec<u8>)> {
    let mut archive = ZipArchive::new(Cursor::new(zip)).unwrap();
    let mut members = vec![("comment".into(), String::new(), None, String::new(), archive.comment().to_vec())];
    for index in 0..archive.len() {
        let mut member = archive.by_index(index).unwrap();
        let mut content = Vec::new();
        member.read_to_end(&mut content).unwrap();
        let name = member.name().unwrap().into_owned();
        if name.ends_with(".gz") {
            content = gunzip(&content);
        }
        let (method, time) = (format!("{:?}", member.compression()), format!("{:?}", member.last_modified()));
        members.push((name, method, member.unix_mode(), time, content));
    }
    members
}

#[test]
fn a_zip_is_rewritten_member_by_member_and_keeps_what_its_headers_say() {
    let folder = Folder::new();
    let path = folder.file("bundle.zip", zip(&SECRET.repeat(30)));
    well(&clean([Path::new("-i"), &path]));
    assert_eq!(zip_members(&read(&path)), zip_members(&zip(&MASKED.repeat(30))));
}

/// What the end of a zip says, and how many directory lines are really there: readers show only one of two alike.
fn listed(zip: &[u8]) -> (u16, usize) {
    let end = zip.windows(4).rposition(|at| at == b"PK\x05\x06").unwrap();
    let lines = zip.windows(4).filter(|at| at == b"PK\x01\x02").count();
    (u16::from_le_bytes([zip[end + 10], zip[end + 11]]), lines)
}

/// A stored zip with members of any name and comment, as a writer makes them that does not mind; `between` stands before
/// its directory.
fn raw_zip(members: &[(&str, &str, &str)], between: &[u8]) -> Vec<u8> {
    let (mut data, mut directory) = (Vec::new(), Vec::new());
    for (name, content, comment) in members {
        let mut crc = flate2::Crc::new();
        crc.update(content.as_bytes());
        let start = data.len() as u32;
        let long = |number: usize| (number as u32).to_le_bytes();
        let lengths = [crc.sum().to_le_bytes(), long(content.len()), long(content.len())].concat();
        let name_bytes = (name.len() as u16).to_le_bytes();
        data.extend([b"PK\x03\x04\x0a\0\0\0\0\0\0\0\x21\0", &lengths[..], &name_bytes, &[0; 2]].concat());
        data.extend([name.as_bytes(), content.as_bytes()].concat());
        directory.extend([b"PK\x01\x02\x0a\0\x0a\0\0\0\0\0\0\0\x21\0", &lengths[..], &name_bytes, &[0; 2]].concat());
        directory.extend([&(comment.len() as u16).to_le_bytes()[..], &[0; 8], &start.to_le_bytes()].concat());
        directory.extend([name.as_bytes(), comment.as_bytes()].concat());
    }
    data.extend(between);
    let count = (members.len() as u16).to_le_bytes();
    let (size, start) = ((directory.len() as u32).to_le_bytes(), (data.len() as u32).to_le_bytes());
    [&data[..], &directory, b"PK\x05\x06\0\0\0\0", &count, &count, &size, &start, &[0; 2]].concat()
}

#[test]
fn a_zip_with_bytes_that_no_member_shows_is_refused() {
    let folder = Folder::new();
    let two = |first: &str, second: &str| raw_zip(&[("app.log", first, ""), ("app.log", second, "")], b"");
    let line = SECRET.as_bytes();
    let mut unlisted = raw_zip(&[("a.log", CLEAN, "")], &raw_zip(&[("b.log", SECRET, "")], b""));
    assert_eq!(listed(&two(CLEAN, CLEAN)), (2, 2));
    let cases = [
        ("first.zip", two(SECRET, CLEAN), "members have the same name"),
        ("last.zip", two(CLEAN, SECRET), "members have the same name"),
        ("gap.zip", raw_zip(&[("a.log", CLEAN, "")], line), "belong to none of its members"),
        ("behind.zip", [&raw_zip(&[("a.log", CLEAN, "")], b"")[..], line].concat(), "behind.zip: "),
        ("unlisted.zip", std::mem::take(&mut unlisted), "belong to none of its members"),
    ];
    for (name, content, said) in &cases {
        let path = folder.file(name, content);
        for target in ["-i", "-n", &format!("-o{}", folder.path("out").display())] {
            fails(&clean([Path::new(target), &path]), 3, &[name, said]);
        }
        holds(&path, content);
        assert!(!folder.path("out").join(name).exists(), "{name}");
        let checked = inkout().arg("check").arg(&path).output().unwrap();
        fails(&checked, 3, &[name, said]);
    }
}

#[test]
fn comments_of_members_are_masked_and_every_member_is_kept() {
    let folder = Folder::new();
    let secret = SECRET.trim();
    let members = [("a.log", CLEAN, secret), ("b.log", SECRET, ""), ("c.log", CLEAN, "only a comment")];
    let path = folder.file("only.zip", raw_zip(&members[..1], b""));
    let checked = inkout().arg("check").arg(&path).output().unwrap();
    assert_eq!(code(&checked), 1, "{}", stdout(&checked));
    assert!(stdout(&checked).contains("only.zip!a.log(comment):1:"), "{}", stdout(&checked));
    let path = folder.file("a.zip", raw_zip(&members, b""));
    well(&clean([Path::new("-i"), &path]));
    let packed = read(&path);
    assert_eq!(listed(&packed), (3, 3));
    let mut archive = ZipArchive::new(Cursor::new(&packed)).unwrap();
    for (at, (content, comment)) in [(CLEAN, MASKED.trim()), (MASKED, ""), (CLEAN, "only a comment")].iter().enumerate()
    {
        let mut member = archive.by_index(at).unwrap();
        let mut text = String::new();
        member.read_to_string(&mut text).unwrap();
        assert_eq!((text.as_str(), member.comment()), (*content, *comment));
    }
    let path = folder.file("b.zip", raw_zip(&[("x.png", "\x00", secret)], b""));
    fails(&clean([Path::new("-i"), &path]), 3, &["the comment of member x.png holds something to mask"]);
}

#[test]
fn a_secret_beside_the_data_of_a_compressed_file_or_a_tar_is_refused() {
    let folder = Folder::new();
    let secret = SECRET.trim();
    let commented = |content: &str, comment: &str| {
        let builder = flate2::GzBuilder::new().filename("app.log").comment(comment).extra(b"AB\x02\0xy".to_vec());
        let mut encoder = builder.write(Vec::new(), flate2::Compression::default());
        encoder.write_all(content.as_bytes()).unwrap();
        encoder.finish().unwrap()
    };
    let frame = |content: &[u8]| [b"\x50\x2a\x4d\x18", &(content.len() as u32).to_le_bytes()[..], content].concat();
    let zstd = |text: &str| zstd::encode_all(text.as_bytes(), 3).unwrap();
    let pax = |key: &str, value: &str, global: bool| {
        let mut tar = tar::Builder::new(Vec::new());
        tar.append_pax_extensions([(key, value.as_bytes())]).unwrap();
        let mut header = tar::Header::new_ustar();
        header.set_size(CLEAN.len() as u64);
        tar.append_data(&mut header, "a.log", CLEAN.as_bytes()).unwrap();
        let mut tar = tar.into_inner().unwrap();
        if global {
            let mut header = tar::Header::from_byte_slice(&tar[..512]).clone();
            header.set_entry_type(tar::EntryType::XGlobalHeader);
            header.set_cksum();
            tar[..512].copy_from_slice(header.as_bytes());
        }
        tar
    };
    let mut padded = pax("comment", "a commit", false);
    let behind = 3 * 512 + CLEAN.len();
    assert_eq!((&padded[behind - 5..behind], padded[behind]), (&CLEAN.as_bytes()[CLEAN.len() - 5..], 0));
    padded[behind + 1..=behind + secret.len()].copy_from_slice(secret.as_bytes());
    let refused = [
        ("a.gz", commented(CLEAN, secret), "a gzip header holds something to mask"),
        ("b.gz", commented(SECRET, secret), "a gzip header"),
        ("c.gz", [commented(CLEAN, "one"), commented(CLEAN, secret)].concat(), "a gzip header"),
        ("a.zst", [zstd(CLEAN), frame(secret.as_bytes())].concat(), "a skippable frame holds something to mask"),
        ("b.zst", [frame(secret.as_bytes()), zstd(SECRET)].concat(), "a skippable frame"),
        ("a.tar", pax("comment", secret, false), "an extended header holds something to mask"),
        ("b.tar", pax("SCHILY.xattr.user.x", secret, false), "an extended header"),
        ("c.tar", pax("comment", secret, true), "an extended header"),
        ("d.tar", padded, "something stands between its members"),
    ];
    for (name, content, said) in &refused {
        let path = folder.file(name, content);
        fails(&clean([Path::new("-i"), &path]), 3, &[name, said]);
        holds(&path, content);
        fails(&clean([Path::new("-o"), &folder.path("out"), &path]), 3, &[name, said]);
        assert!(!folder.path("out").join(name).exists(), "{name}");
    }
    let whole = [
        ("e.gz", commented(CLEAN, "nothing")),
        ("e.zst", [frame(b"\0\x01\x02\x03"), zstd(CLEAN), frame(CLEAN.as_bytes())].concat()),
        ("e.tar", pax("comment", "a commit", true)),
    ];
    for (name, content) in &whole {
        let path = folder.file(name, content);
        well(&clean([Path::new("-i"), &path]));
        holds(&path, content);
    }
}

#[test]
fn zips_of_other_writers_are_read() {
    let folder = Folder::new();
    let script = format!(
        r#"
import io, sys, zipfile
class Pipe(io.RawIOBase):
    def __init__(self, out): self.out = out
    def writable(self): return True
    def write(self, data): return self.out.write(data)
for name, opened, long in [("seek", lambda f: f, False), ("pipe", Pipe, False), ("long", Pipe, True), ("long64", lambda f: f, True)]:
    with open(sys.argv[1] + "/" + name + ".zip", "wb") as f:
        with zipfile.ZipFile(opened(f), "w", zipfile.ZIP_DEFLATED) as z:
            for at in range(3):
                with z.open(f"{{at}}.log", "w", force_zip64=long) as m: m.write({SECRET:?}.encode() * 100)
"#
    );
    let Ok(made) = std::process::Command::new("python3").arg("-c").arg(script).arg(folder.root()).status() else {
        println!("python3 cannot be used here; nothing was tested");
        return;
    };
    assert!(made.success());
    assert_eq!(folder.names().len(), 4);
    well(&clean([Path::new("-i"), folder.root()]));
    for name in folder.names() {
        let packed = read(&folder.path(&name));
        assert_eq!(listed(&packed), (3, 3), "{name}");
        assert!(zip_members(&packed)[1..].iter().all(|member| member.4 == MASKED.repeat(100).as_bytes()), "{name}");
    }
}

#[test]
fn what_cannot_be_inspected_in_an_archive_is_named() {
    let folder = Folder::new();
    let mut tar = tar::Builder::new(Vec::new());
    let mut add = |name: &str, content: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, name, content).unwrap();
    };
    add("logo.png", b"\x89PNG\0\0");
    add("app.log", SECRET.as_bytes());
    let binary = tar.get_ref().clone();
    let path = folder.file("a.tar", [&binary[..], &[0; 1024]].concat());
    let output = clean([Path::new("-i"), &path]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert!(stderr(&output).contains("a.tar: logo.png: not inspected: binary"), "{}", stderr(&output));
    let output = clean([Path::new("-q"), Path::new("-o"), &folder.path("out"), &path]);
    fails(&output, 3, &["a.tar: logo.png: not inspected: binary"]);
    assert!(folder.path("out/a.tar").exists());
    let mut add = |name: &str, content: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, name, content).unwrap();
    };
    add("inner.zip", &zip(SECRET));
    add("twice.gz", &gzip(&gzip(SECRET.as_bytes())));
    add("x.xz", b"\xfd7zXZ\0\0");
    let path = folder.file("b.tar", tar.into_inner().unwrap());
    let output = clean([Path::new("-i"), &path]);
    let said =
        ["inner.zip: not inspected: zip archive inside", "twice.gz: not inspected: gzip", "x.xz: not inspected: xz"];
    fails(&output, 3, &said);
    assert!(String::from_utf8_lossy(&read(&path)).contains(MASKED.trim()), "the other members are done");
}

#[test]
fn what_is_broken_is_refused_and_left_as_it_is() {
    let folder = Folder::new();
    let text = long(SECRET, 3);
    let packed = gzip(&text);
    let whole_tar = tar(SECRET);
    let mut bad_size = whole_tar.clone();
    bad_size[124..136].copy_from_slice(b"\x1b[31mred\x1b[0");
    let mut header = tar::Header::from_byte_slice(&bad_size[..512]).clone();
    header.set_cksum();
    bad_size[..512].copy_from_slice(header.as_bytes());
    let mut bad_sum = whole_tar.clone();
    bad_sum[0] ^= 1;
    let hidden = [&whole_tar[..], &whole_tar[..]].concat();
    let whole_zip = zip(SECRET);
    let mut encrypted = whole_zip.clone();
    for at in 0..encrypted.len() - 10 {
        match &encrypted[at..at + 4] {
            b"PK\x03\x04" => encrypted[at + 6] |= 1,
            b"PK\x01\x02" => encrypted[at + 8] |= 1,
            _ => {}
        }
    }
    let mut bad_check = packed.clone();
    let last = bad_check.len() - 6;
    bad_check[last] ^= 1;
    let frame = zstd::encode_all(&text[..], 3).unwrap();
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("cut.gz", packed[..packed.len() / 2].to_vec(), "broken gzip: it ends in the middle"),
        ("tail.gz", [&packed[..], b"rubbish"].concat(), "broken gzip"),
        ("sum.gz", bad_check, "broken gzip"),
        ("cut.zst", frame[..frame.len() / 2].to_vec(), "broken zstd"),
        ("cut.tar", whole_tar[..2500].to_vec(), "broken tar archive: it ends in the middle"),
        ("size.tar", bad_size, "size.tar: broken tar archive: a size that is no number\n"),
        ("sum.tar", bad_sum, "broken tar archive: a header with a wrong checksum"),
        ("two.tar", hidden, "more stands behind the end of the archive"),
        ("cut.zip", whole_zip[..whole_zip.len() / 2].to_vec(), "broken zip archive"),
        ("locked.zip", encrypted, "is encrypted"),
        ("before.zip", [b"PK\x03\x04 stub", &whole_zip[..]].concat(), "before.zip: "),
    ];
    for (name, content, said) in &cases {
        let path = folder.file(name, content);
        fails(&clean([Path::new("-i"), &path]), 3, &[name, said]);
        holds(&path, content);
    }
    let mut names: Vec<_> = cases.iter().map(|(name, ..)| (*name).to_owned()).collect();
    names.sort();
    assert_eq!(folder.names(), names, "nothing is left behind");
}

/// The most memory the program had, as far as can be seen while it runs.
fn peak_memory(arguments: &[&Path]) -> (std::process::Output, u64) {
    let mut child = inkout()
        .arg("clean")
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
        peak = peak.max(kilobytes.unwrap_or(0));
        std::thread::yield_now();
    }
    (child.wait_with_output().unwrap(), peak >> 10)
}

#[test]
fn bombs_are_refused_by_name_in_bounded_memory() {
    let folder = Folder::new();
    // 64 MiB of zeros, 160 times: 10 GiB out of 10 MiB of gzip, or out of 1 MiB of zstd.
    let zeros = vec![b'0'; 64 << 20];
    let gzip = gzip(&zeros).repeat(160);
    let zstd = zstd::encode_all(&zeros[..], 3).unwrap().repeat(160);
    assert!(zstd.len() <= 1 << 20 && gzip.len() <= 11 << 20);
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for number in 0..8 {
        zip.start_file(format!("{number}"), SimpleFileOptions::default()).unwrap();
        zip.write_all(&zeros).unwrap();
    }
    let zip = zip.finish().unwrap().into_inner();
    drop(zeros);
    let small = folder.file("small.log", SECRET);
    let (_, usual) = peak_memory(&[Path::new("-n"), &small]);
    for (name, bomb) in [("bomb.gz", gzip), ("bomb.zst", zstd), ("bomb.zip", zip)] {
        let path = folder.file(name, &bomb);
        let (output, peak) = peak_memory(&[Path::new("-i"), &path]);
        fails(&output, 3, &[name, "unpacks to more than 250 times its size (--max-ratio)"]);
        holds(&path, &bomb);
        assert!(peak <= usual + 32, "{name}: {peak} MiB instead of {usual}");
    }
    let path = folder.file("large.gz", crate::support::gzip(&vec![b'0'; 2 << 20]));
    let output = clean([Path::new("-i"), Path::new("--max-inflated=1M"), &path]);
    fails(&output, 3, &["large.gz: unpacks to more than 1048576 bytes (--max-inflated)"]);
    let output = clean([Path::new("-i"), &path]);
    assert_eq!(stdout(&output), "1 file: 0 cleaned (0 findings), 1 unchanged, 0 skipped, 0 failed\n");
}
