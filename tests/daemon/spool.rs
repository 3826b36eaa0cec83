//! Spools on disk: receivers that are dead for longer than memory lasts, restarts, kills, and disks that are full.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use crate::files;
use crate::oracle::{Judgement, masked};
use crate::receiver::{Habits, Receiver};
use crate::support::{Daemon, Folder, admin_metric, eventually, limited, scale, send, unlimited};

/// The file of a daemon that listens, and spools for `receiver`.
fn config(folder: &Folder, receiver: &Receiver, spool: &str) -> PathBuf {
    let text = format!(
        "admin.listen = 'unix:{}'\ndrain_deadline = '500ms'\nstate_dir = '{}'\n[[pipeline]]\nsource = 'tcp:127.0.0.1:0'\n\
         sinks = [{{ type = 'tcp', address = '{}', {spool} }}]\n",
        folder.path("admin.sock").display(),
        folder.path("state").display(),
        receiver.address
    );
    folder.file("inkout.toml", text)
}

fn start(config: &Path) -> Daemon {
    Daemon::run(["--config".as_ref(), config.as_os_str()])
}

fn judge(receiver: &Receiver) -> Judgement {
    let lines = receiver.lines();
    Judgement::of(lines.iter().map(String::as_str))
}

/// The segments of the spool of the sink `tcp`.
fn segments(folder: &Folder) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder.path("state/spool/main/tcp")).into_iter().flatten().flatten();
    let mut segments: Vec<PathBuf> =
        entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|end| end == "seg")).collect();
    segments.sort();
    segments
}

#[test]
fn what_a_dead_receiver_did_not_get_comes_after_a_restart_the_old_before_the_new() {
    let (folder, receiver) = (Folder::new(), Receiver::start(Habits::default()));
    receiver.die();
    let config = config(&folder, &receiver, "spool = { max_size = '64MiB' }");
    let socket = folder.path("admin.sock");
    // More than its buffer holds.
    let count = 60_000;
    let mut first = start(&config);
    send(&mut first.connect(), 0, 0..count);
    eventually("all of it on disk", || {
        admin_metric(&socket, "inkout_in_flight_records") == 0.0
            && admin_metric(&socket, "inkout_received_records_total") == count as f64
    });
    assert_eq!(first.stop().0, 3);
    assert!(first.said().contains("stay in its spool for the next run"), "{}", first.said());
    for segment in segments(&folder) {
        assert_eq!(fs::metadata(&segment).unwrap().permissions().mode() & 0o777, 0o600);
        let bytes = fs::read(&segment).unwrap();
        assert_eq!(memchr::memmem::find(&bytes, b"Zq"), None, "a secret on disk");
    }
    let mut second = start(&config);
    second.until_said("listening");
    eventually("its usage after the start", || admin_metric(&socket, "inkout_spool_bytes") > 8e6);
    assert!(admin_metric(&socket, "inkout_spool_waiting_batches") > 1.0);
    assert_eq!(admin_metric(&socket, "inkout_spool_max_bytes"), f64::from(64 << 20));
    send(&mut second.connect(), 1, 0..1_000);
    receiver.revive();
    receiver.until_lines(count as usize + 1_000);
    let lines = receiver.lines();
    let judgement = Judgement::of(lines.iter().map(String::as_str));
    judgement.assert_exact(1, count);
    judgement.assert_exact(2, 1_000);
    let old = lines.iter().rposition(|line| line.starts_with("stream=0 ")).unwrap();
    let new = lines.iter().position(|line| line.starts_with("stream=1 ")).unwrap();
    assert!(old < new, "{old} {new}");
    eventually("an empty spool", || admin_metric(&socket, "inkout_spool_waiting_batches") == 0.0);
    assert_eq!(second.stop().0, 0, "{}", second.said());
    // Nothing is left, and nothing comes twice.
    let mut third = start(&config);
    third.until_said("connected");
    assert_eq!(third.stop().0, 0, "{}", third.said());
    assert_eq!(receiver.lines().len(), lines.len());
}

#[test]
fn a_torn_end_and_a_damaged_batch_are_counted_and_the_rest_comes() {
    let (folder, receiver) = (Folder::new(), Receiver::start(Habits::default()));
    receiver.die();
    let config = config(&folder, &receiver, "spool = { max_size = '64MiB' }");
    let socket = folder.path("admin.sock");
    let mut first = start(&config);
    for number in 0..20 {
        send(&mut first.connect(), 0, number..number + 1);
        eventually("it on disk", || admin_metric(&socket, "inkout_spool_waiting_batches") == (number + 1) as f64);
    }
    first.child().kill().unwrap();
    first.ended();
    let segment = segments(&folder).pop().unwrap();
    let mut bytes = fs::read(&segment).unwrap();
    let at = memchr::memmem::find(&bytes, masked(0, 7).as_bytes()).unwrap();
    bytes[at] ^= 1;
    let end = bytes.len();
    bytes.extend_from_within(end - 100..end - 40);
    fs::write(&segment, bytes).unwrap();
    receiver.revive();
    let mut second = start(&config);
    receiver.until_lines(19);
    assert_eq!(judge(&receiver).lost(0, 20), [7]);
    assert_eq!(admin_metric(&socket, "inkout_spool_torn_bytes_total"), 60.0);
    assert_eq!(admin_metric(&socket, "inkout_spool_skipped_batches_total"), 1.0);
    second.until_said("torn end");
    second.until_said("damaged batches");
    assert_eq!(second.stop().0, 0, "{}", second.said());
}

#[test]
fn what_is_dropped_because_the_spool_is_full_is_counted() {
    let (folder, receiver) = (Folder::new(), Receiver::start(Habits::default()));
    receiver.die();
    let config = config(&folder, &receiver, "when_full = 'drop_newest', spool = { max_size = '4MiB' }");
    let socket = folder.path("admin.sock");
    let mut daemon = start(&config);
    let count = 60_000;
    // It goes on although nobody takes anything.
    send(&mut daemon.connect(), 0, 0..count);
    let dropped = || admin_metric(&socket, "inkout_dropped_records_total{reason=\"queue_full\"");
    eventually("all of it stored or dropped", || {
        admin_metric(&socket, "inkout_in_flight_records") == 0.0
            && admin_metric(&socket, "inkout_received_records_total") == count as f64
    });
    assert!(dropped() > 10_000.0, "{}", dropped());
    assert!(admin_metric(&socket, "inkout_spool_bytes") <= f64::from(4 << 20));
    let kept = count - dropped() as u64;
    receiver.revive();
    receiver.until_lines(kept as usize);
    assert_eq!(daemon.stop().0, 0, "{}", daemon.said());
    let judgement = judge(&receiver);
    assert_eq!((judgement.wrong.len(), judgement.late, judgement.duplicates()), (0, 0, 0));
    assert_eq!(judgement.lost(0, count).len() as u64, count - kept);
}

/// D-01: a full disk under the spool holds the sender up, and it goes on where it stood when there is room: because somebody
/// made some, or because the receiver took what was there.
#[test]
fn a_full_disk_under_the_spool_is_waited_for() {
    for room_comes in [true, false] {
        let (folder, receiver) = (Folder::new(), Receiver::start(Habits::default()));
        receiver.die();
        let config = config(&folder, &receiver, "spool = { max_size = '64MiB' }");
        let socket = folder.path("admin.sock");
        let mut command = limited(512);
        command.arg("run").arg("--config").arg(&config).stdin(Stdio::null()).stdout(Stdio::null());
        let mut daemon = Daemon::spawn(&mut command);
        let count = 40_000;
        thread::scope(|scope| {
            scope.spawn(|| send(&mut daemon.connect(), 0, 0..count));
            eventually("failed writes", || admin_metric(&socket, "inkout_spool_failed_writes_total") > 2.0);
            daemon.until_said("the spool cannot go on");
            assert!(admin_metric(&socket, "inkout_spool_bytes") <= f64::from(512 << 10));
            if room_comes {
                unlimited(&daemon);
                eventually("a larger spool", || admin_metric(&socket, "inkout_spool_bytes") > 1e6);
            }
            receiver.revive();
        });
        receiver.until_lines(count as usize);
        assert_eq!(daemon.stop().0, 0, "{}", daemon.said());
        judge(&receiver).assert_exact(1, count);
    }
}

/// Lines of a file that was written by processes that were killed: what one of them left torn is a beginning of a record.
fn without_torn(text: &str) -> (Vec<&str>, usize) {
    let torn = |line: &str| {
        let number = |name: &str| line.split(' ').find_map(|word| word.strip_prefix(name)?.parse::<u64>().ok());
        match (number("stream="), number("number=")) {
            (Some(stream), Some(number)) => {
                let whole = masked(stream, number);
                // The number itself may be cut.
                whole != line && (whole.starts_with(line) || !line.contains(" password="))
            }
            _ => masked(0, 0).len() > line.len() && "stream=0 number=".starts_with(&line[..line.len().min(7)]),
        }
    };
    let (cut, whole): (Vec<&str>, Vec<&str>) = text.lines().partition(|line| torn(line));
    (whole, cut.len())
}

/// C-01 with a spool and a file: killed at random moments while files grow and rotate and the receiver comes and goes.
#[test]
fn kills_lose_nothing_of_a_spool_or_a_file() {
    let (folder, receiver) = (Folder::new(), Receiver::start(Habits::default()));
    fs::create_dir(folder.path("logs")).unwrap();
    let out = folder.path("all.log");
    let text = format!(
        "state_dir = '{}'\n[[pipeline]]\nsource = 'file:{}'\nsinks = ['file:{}', \
         {{ type = 'tcp', address = '{}', spool = {{ max_size = '64MiB' }} }}]\n",
        folder.path("state").display(),
        folder.path("logs/*.log").display(),
        out.display(),
        receiver.address
    );
    let config = folder.file("inkout.toml", text);
    let (streams, kills) = (4, 12 * scale());
    let writers = files::Writers::default();
    thread::scope(|scope| {
        for stream in 0..streams {
            let (folder, writers) = (&folder, &writers);
            scope.spawn(move || files::write(folder, stream, writers));
        }
        let mut running = start(&config);
        eventually("each file", || judge(&receiver).arrived.len() as u64 == streams);
        running.child().kill().unwrap();
        running.ended();
        writers.seen.store(true, Ordering::Relaxed);
        let mut random = 0x2545_F491_4F6C_DD1D_u64;
        for kill in 0..kills {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            if kill % 3 == 1 {
                receiver.die();
            } else {
                receiver.revive();
            }
            let mut running = start(&config);
            thread::sleep(Duration::from_millis(20 + random % 480));
            running.child().kill().unwrap();
            running.ended();
        }
        writers.done.store(true, Ordering::Relaxed);
    });
    receiver.revive();
    let counts = writers.counts();
    let whole = |judgement: &Judgement| {
        counts.iter().enumerate().all(|(stream, count)| judgement.lost(stream as u64, *count).is_empty())
    };
    let mut running = start(&config);
    eventually("every record at the receiver", || whole(&judge(&receiver)));
    let of_file = || fs::read_to_string(&out).unwrap_or_default();
    eventually("every record in the file", || whole(&Judgement::of(without_torn(&of_file()).0)));
    assert_eq!(running.stop().0, 0, "{}", running.said());
    let (text, total) = (of_file(), counts.iter().sum::<u64>());
    let (lines, torn) = without_torn(&text);
    assert!(torn as u64 <= kills, "{torn} torn lines in {kills} kills");
    for (name, judgement) in [("receiver", judge(&receiver)), ("file", Judgement::of(lines))] {
        assert_eq!(judgement.wrong, Vec::<String>::new(), "{name}: torn, leaked or made up");
        let twice = judgement.duplicates() as u64;
        println!("{name}: {total} records, {twice} twice, {kills} kills, {torn} torn lines");
        assert!(twice / kills <= total / kills * 3, "{name}: {twice} of {total} came again in {kills} kills");
    }
    // Everything that is at rest was masked.
    for segment in segments(&folder) {
        assert_eq!(memchr::memmem::find(&fs::read(segment).unwrap(), b"Zq"), None, "a secret on disk");
    }
}
