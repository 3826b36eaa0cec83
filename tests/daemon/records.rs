//! How records are written: with their ids, and fragments of container runtimes as one line.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write as _;

use crate::oracle::{masked, record};
use crate::receiver::{Habits, Receiver};
use crate::support::{Daemon, Folder, eventually, send};

const STAMP: &str = "2026-03-04T05:06:07.000000001Z";

/// Follows the folder's `logs` into its file `out`; `source` and `pipeline` are more keys.
fn run(folder: &Folder, source: &str, pipeline: &str) -> Daemon {
    let text = format!(
        "state_dir = '{}'\n[[pipeline]]\n{pipeline}\n\
         source = {{ type = 'file', paths = ['{}'] {source} }}\nsinks = ['file:{}']\n",
        folder.path("state").display(),
        folder.path("logs/*.log").display(),
        folder.path("out").display()
    );
    let config = folder.file("inkout.toml", text);
    Daemon::run(["--config".as_ref(), config.as_os_str()])
}

fn out(folder: &Folder) -> String {
    fs::read_to_string(folder.path("out")).unwrap_or_default()
}

/// Text of lines and their ids.
fn apart(line: &str) -> (&str, &str) {
    line.rsplit_once(" inkout_id=").unwrap_or((line, ""))
}

#[test]
fn ids_are_places_in_files_and_stay_over_restarts() {
    let folder = Folder::new();
    fs::create_dir(folder.path("logs")).unwrap();
    let (mut places, mut at) = (Vec::new(), 0);
    let mut ids = BTreeSet::new();
    for run_number in 0..3 {
        let mut file = File::options().create(true).append(true).open(folder.path("logs/0.log")).unwrap();
        for number in run_number * 100..(run_number + 1) * 100 {
            let text = record(0, number) + "\n";
            file.write_all(text.as_bytes()).unwrap();
            places.push(at);
            at += text.len();
        }
        let mut running = run(&folder, "", "name = 'app'\nrecord_id = true");
        eventually("all lines", || out(&folder).lines().count() == places.len());
        assert_eq!(running.stop().0, 0, "{}", running.said());
    }
    for (number, line) in (0..).zip(out(&folder).lines()) {
        let (text, id) = apart(line);
        assert_eq!(text, masked(0, number));
        let parts: Vec<&str> = id.split(':').collect();
        assert_eq!((parts.len(), parts[0], parts[2].parse()), (3, "app", Ok(places[number as usize])), "{id}");
        ids.insert(parts[1].to_owned());
    }
    assert_eq!(ids.len(), 1, "one file has one fingerprint: {ids:?}");
    // Told once more from the beginning, the ids are those of before as long as the state is there.
    let before = out(&folder);
    fs::remove_file(folder.path("out")).unwrap();
    fs::write(folder.path("logs/1.log"), "{\"a\":1}\n[1]\n").unwrap();
    let _running = run(&folder, "", "name = 'app'\nrecord_id = true");
    eventually("the other file", || out(&folder).lines().count() == 2);
    let lines = out(&folder);
    let (object, array) = lines.split_once('\n').unwrap();
    let object: serde_json::Value = serde_json::from_str(object).unwrap();
    let id = object["inkout_id"].as_str().unwrap();
    assert!(id.starts_with("app:") && id.ends_with(":0") && !ids.contains(id.split(':').nth(1).unwrap()), "{id}");
    assert_eq!((object["a"].as_u64(), array), (Some(1), "[1]\n"));
    assert!(!before.is_empty());
}

/// What a reset makes a receiver see twice bears the same id, so that dropping duplicates by it leaves every record once.
#[test]
fn a_receiver_can_drop_what_comes_twice() {
    // More than a batch, or nothing would ever arrive.
    let receiver = Receiver::start(Habits { resets_after: Some(700_000), ..Habits::default() });
    let folder = Folder::new();
    let text =
        format!("[[pipeline]]\nrecord_id = true\nsource = 'tcp:127.0.0.1:0'\nsinks = ['tcp:{}']\n", receiver.address);
    let config = folder.file("inkout.toml", text);
    let mut daemon = Daemon::run(["--config".as_ref(), config.as_os_str()]);
    let count = 10_000;
    send(&mut daemon.connect(), 0, 0..count);
    let all = || {
        let lines = receiver.lines();
        lines.iter().map(|line| (apart(line).1.to_owned(), apart(line).0.to_owned())).collect::<BTreeSet<_>>()
    };
    eventually("every record", || all().len() as u64 == count);
    receiver.set(Habits::default());
    assert_eq!(daemon.stop().0, 0, "{}", daemon.said());
    assert!(receiver.lines().len() as u64 > count, "nothing came twice");
    let (by_id, texts) = (all(), (0..count).map(|number| masked(0, number)).collect::<BTreeSet<_>>());
    assert_eq!(by_id.iter().map(|(_, text)| text.clone()).collect::<BTreeSet<_>>(), texts);
    assert_eq!(by_id.iter().map(|(id, _)| id).collect::<BTreeSet<_>>().len() as u64, count);
}

#[test]
fn fragments_of_a_runtime_are_written_as_they_came_or_as_one() {
    let secret = format!("Zq{}Zq", "0123456789abcdef");
    let cri = format!(
        "{STAMP} stdout F one\n{STAMP} stdout P a password={}\n{STAMP} stderr F two\n{STAMP} stdout F {} and more\n",
        &secret[..9],
        &secret[9..]
    );
    let docker = format!(
        "{{\"log\":\"a password={}\",\"stream\":\"stdout\",\"time\":\"t1\"}}\n\
         {{\"log\":\"{} and more\\n\",\"stream\":\"stdout\",\"time\":\"t2\"}}\n",
        &secret[..9],
        &secret[9..]
    );
    let kept = format!(
        "{STAMP} stdout F one\n{STAMP} stdout P a password=REDACTED.password\n{STAMP} stderr F two\n\
         {STAMP} stdout F  and more\n"
    );
    let joined =
        format!("{STAMP} stdout F one\n{STAMP} stdout F a password=REDACTED.password and more\n{STAMP} stderr F two\n");
    let docker_joined =
        "{\"log\":\"a password=REDACTED.password and more\\n\",\"stream\":\"stdout\",\"time\":\"t1\"}\n".to_owned();
    for (text, source, expected) in
        [(&cri, "", kept), (&cri, ", cri_output = 'join'", joined), (&docker, ", cri_output = 'join'", docker_joined)]
    {
        let folder = Folder::new();
        fs::create_dir(folder.path("logs")).unwrap();
        fs::write(folder.path("logs/0.log"), text).unwrap();
        let mut running = run(&folder, source, "");
        eventually("the last line", || out(&folder).matches('\n').count() >= expected.matches('\n').count());
        assert_eq!(running.stop().0, 0, "{}", running.said());
        assert_eq!(out(&folder), expected, "{source}");
    }
}
