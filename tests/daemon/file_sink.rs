//! Files as sinks: one for all, rotated; one for each followed file, under the same name; disks that are full.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Stdio;
use std::thread;

use rustix::process::Signal;

use crate::oracle::{Judgement, masked, record};
use crate::support::{Daemon, Folder, admin_metric, eventually, inkout, limited, scale, send, unlimited};

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

fn records(stream: u64, numbers: std::ops::Range<u64>) -> String {
    numbers.map(|number| record(stream, number) + "\n").collect()
}

fn all_masked(stream: u64, numbers: std::ops::Range<u64>) -> String {
    numbers.map(|number| masked(stream, number) + "\n").collect()
}

fn run(folder: &Folder, config: &str) -> Daemon {
    let config = folder.file("inkout.toml", config);
    let state = folder.path("state");
    Daemon::run(["--config".as_ref(), config.as_os_str(), "--state-dir".as_ref(), state.as_os_str()])
}

#[test]
fn standard_input_goes_to_a_file_that_only_its_owner_reads() {
    let folder = Folder::new();
    let path = folder.path("out/all.log");
    let sink = format!("file:{}", path.display());
    let run = |input: &[u8]| {
        let mut child = inkout().args(["run", "--from", "stdin", "--to", &sink]).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(0));
    };
    run(records(0, 0..50).as_bytes());
    run((records(0, 50..60) + "no end").as_bytes());
    run(b"next\n");
    assert_eq!(text(&path), all_masked(0, 0..60) + "no end\nnext\n");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&path), mode(&folder.path("out"))), (0o600, 0o700));
}

#[test]
fn mirrored_files_keep_names_bytes_and_order_and_go_on_after_a_stop() {
    let folder = Folder::new();
    fs::create_dir_all(folder.path("logs/ns/pod")).unwrap();
    let config = format!(
        "[[pipeline]]\nsource = 'file:{0}/**/*.log'\n\
         sinks = [{{ type = 'file', path = '{0}/out/{{relative}}', mode = '0640' }}]\n",
        folder.path("logs").display()
    );
    let names = ["a.log", "b.log", "ns/pod/0.log"];
    let mut written = 0;
    for _ in 0..3 {
        let mut running = run(&folder, &config);
        for (stream, name) in (0..).zip(names) {
            let mut file = File::options().create(true).append(true).open(folder.path("logs").join(name)).unwrap();
            file.write_all(records(stream, written..written + 300).as_bytes()).unwrap();
            // The line end and the bytes that are no text are not ours to change.
            file.write_all(b"\xff\xfe tab\there \r\n").unwrap();
        }
        written += 300;
        let out = folder.path("logs/out");
        eventually("all lines", || {
            names.iter().all(|name| {
                fs::read(out.join(name)).is_ok_and(|bytes| {
                    bytes.iter().filter(|byte| **byte == b'\n').count() as u64 == written / 300 * 301
                })
            })
        });
        assert_eq!(running.stop().0, 0, "{}", running.said());
    }
    for (stream, name) in (0..).zip(names) {
        let mut expected = Vec::new();
        for round in 0..3 {
            expected.extend(all_masked(stream, round * 300..(round + 1) * 300).into_bytes());
            expected.extend(b"\xff\xfe tab\there \r\n");
        }
        assert!(fs::read(folder.path("logs/out").join(name)).unwrap() == expected, "{name}");
    }
    // What was written lies under the pattern of what is read, and is not read again.
    assert!(!folder.path("logs/out/out").exists());
    let mode = |path: &str| fs::metadata(folder.path("logs/out").join(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("a.log"), mode("ns")), (0o640, 0o750));
}

#[test]
fn a_file_is_rotated_between_records_and_opened_anew_on_sighup() {
    let folder = Folder::new();
    let path = folder.path("all.log");
    let config = format!(
        "[[pipeline]]\nsource = 'tcp:127.0.0.1:0'\n\
         sinks = [{{ type = 'file', path = '{}', max_size = '64KiB', keep = 900 }}]\n",
        path.display()
    );
    let mut running = run(&folder, &config);
    let count = 5_000 * scale();
    send(&mut running.connect(), 0, 0..count);
    let rotated = |number: u64| folder.path(format!("all.log.{number}"));
    let all = || {
        let mut lines = String::new();
        (1..=900).rev().for_each(|number| lines += &text(&rotated(number)));
        lines + &text(&path)
    };
    eventually("every record", || all().lines().count() as u64 == count);
    assert!(rotated(2).exists());
    Judgement::of(all().lines()).assert_exact(1, count);
    // Somebody else rotates.
    fs::rename(&path, folder.path("moved.log")).unwrap();
    running.signal(Signal::HUP);
    running.until_said("loaded rules and settings");
    send(&mut running.connect(), 0, count..count + 1);
    eventually("a new file", || text(&path) == all_masked(0, count..count + 1));
    assert_eq!(running.stop().0, 0, "{}", running.said());
}

#[test]
fn a_path_that_can_never_be_written_stops_the_start() {
    let folder = Folder::new();
    let file = folder.file("a-file", "");
    for path in [file.join("x.log"), file.join("{relative}")] {
        let source = format!("file:{}", folder.path("*.log").display());
        let sink = format!("file:{}", path.display());
        let state = folder.path("state");
        let mut daemon = Daemon::run(["--from", &source, "--to", &sink, "--state-dir", state.to_str().unwrap()]);
        assert_eq!(daemon.ended().code(), Some(2));
        let said = daemon.said();
        assert!(said.contains("sink `file`") && said.contains(path.to_str().unwrap()), "{said}");
    }
}

/// D-03: writing is tried again until there is room; nothing is torn, lost or acknowledged meanwhile.
#[test]
fn a_full_disk_is_waited_for() {
    let folder = Folder::new();
    fs::create_dir(folder.path("logs")).unwrap();
    let config = folder.file(
        "inkout.toml",
        format!(
            "admin.listen = 'unix:{}'\n[[pipeline]]\nsource = 'file:{}'\nsinks = ['file:{}']\n",
            folder.path("admin.sock").display(),
            folder.path("logs/*.log").display(),
            folder.path("all.log").display()
        ),
    );
    let count = 3_000;
    fs::write(folder.path("logs/0.log"), records(0, 0..count)).unwrap();
    let mut command = limited(256);
    command.arg("run").arg("--config").arg(&config).arg("--state-dir").arg(folder.path("state"));
    let mut running = Daemon::spawn(command.stdin(Stdio::null()).stdout(Stdio::null()));
    running.until_said("a file cannot be written");
    let socket = folder.path("admin.sock");
    eventually("retries", || admin_metric(&socket, "inkout_sink_retries_total") > 2.0);
    assert!(admin_metric(&socket, "inkout_sink_errors_total{kind=\"disk\"") > 2.0);
    // Killed now, it has lost nothing; what it wrote is whole records.
    let so_far = text(&folder.path("all.log"));
    Judgement::of(so_far.lines()).assert_whole(1, 0);
    assert!(so_far.ends_with('\n') || so_far.is_empty());
    // Room comes back.
    unlimited(&running);
    eventually("every record", || text(&folder.path("all.log")).lines().count() as u64 == count);
    assert_eq!(running.stop().0, 0, "{}", running.said());
    Judgement::of(text(&folder.path("all.log")).lines()).assert_exact(1, count);
}

/// The same, stopped or killed while the disk is full: what is not in the file comes with the next run.
#[test]
fn what_a_full_disk_refused_comes_with_the_next_run() {
    let folder = Folder::new();
    fs::create_dir(folder.path("logs")).unwrap();
    let config = folder.file(
        "inkout.toml",
        format!(
            "drain_deadline = '300ms'\n[[pipeline]]\nsource = 'file:{}'\nsinks = ['file:{}']\n",
            folder.path("logs/*.log").display(),
            folder.path("all.log").display()
        ),
    );
    let count = 3_000;
    fs::write(folder.path("logs/0.log"), records(0, 0..count)).unwrap();
    for kill in [false, true] {
        let mut command = limited(256);
        command.args(["run", "--admin", "off", "--config"]).arg(&config).arg("--state-dir").arg(folder.path("state"));
        let mut running = Daemon::spawn(command.stdin(Stdio::null()).stdout(Stdio::null()));
        running.until_said("a file cannot be written");
        if kill {
            running.child().kill().unwrap();
            running.ended();
        } else {
            assert_eq!(running.stop().0, 3, "{}", running.said());
            assert!(running.said().contains("records were not delivered"), "{}", running.said());
        }
    }
    let mut running = run(&folder, &text(&config));
    eventually("every record", || Judgement::of(text(&folder.path("all.log")).lines()).lost(0, count).is_empty());
    thread::sleep(std::time::Duration::from_millis(100));
    assert_eq!(running.stop().0, 0, "{}", running.said());
    Judgement::of(text(&folder.path("all.log")).lines()).assert_whole(1, count);
}
