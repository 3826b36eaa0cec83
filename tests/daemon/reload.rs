//! Rules are exchanged while records flow: each is redacted by one whole set, and a bad set never replaces a good one
//! (B.8: R-03, R-04, R-06; N-11).

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use inkout::config::Moment;
use rustix::process::Signal;

use crate::receiver::{Habits, Receiver};
use crate::support::{Daemon, Folder, eventually, scale};

const RULES: &str =
    "[[rule]]\nid = 'door'\nsummary = 'Codes of doors'\ncategory = 'credential'\nkeys = ['door_code']\n";

/// A configuration whose placeholder is `mark`, with a rule file of its own.
fn text(receiver: &Receiver, mark: &str) -> String {
    format!(
        "placeholder = '{mark}'\nrules = ['rules.toml']\n[[pipeline]]\nsource = 'tcp:127.0.0.1:0'\nsinks = ['tcp:{}']\n",
        receiver.address
    )
}

/// Replaced as a whole, as editors do it.
fn put(folder: &Folder, name: &str, text: &str) {
    fs::write(folder.path("fresh"), text).unwrap();
    fs::rename(folder.path("fresh"), folder.path(name)).unwrap();
}

fn start(folder: &Folder, receiver: &Receiver) -> Daemon {
    put(folder, "rules.toml", RULES);
    put(folder, "inkout.toml", &text(receiver, "ONE"));
    let config = folder.path("inkout.toml");
    Daemon::run(["--config".as_ref(), config.as_os_str()])
}

const RECORD: &str = "first password=Zq81aZq then door_code=Zq82bZq and token=Zq83cZq\n";

/// What a new record looks like now.
fn masked(daemon: &Daemon, receiver: &Receiver) -> String {
    let before = receiver.lines().len();
    daemon.connect().write_all(RECORD.as_bytes()).unwrap();
    receiver.until_lines(before + 1);
    receiver.lines().pop().unwrap()
}

#[test]
fn every_record_is_redacted_by_one_whole_set_however_often_it_is_exchanged() {
    let (folder, receiver) = (Folder::new(), Receiver::start(Habits::default()));
    let daemon = start(&folder, &receiver);
    let done = AtomicBool::new(false);
    let rounds = 100 * scale();
    let mut sent = 0;
    daemon.until_said("listening");
    let (mut early, mut late) = (0, 0);
    thread::scope(|scope| {
        let senders: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    let (mut peer, mut count) = (daemon.connect(), 0);
                    while !done.load(Ordering::Relaxed) {
                        peer.write_all(RECORD.repeat(100).as_bytes()).unwrap();
                        count += 100;
                        thread::sleep(Duration::from_millis(10));
                    }
                    count
                })
            })
            .collect();
        for round in 0..rounds {
            put(&folder, "inkout.toml", &text(&receiver, if round % 2 == 0 { "TWO" } else { "ONE" }));
            let before = daemon.said().matches("loaded rules").count();
            daemon.signal(Signal::HUP);
            eventually("a reload", || daemon.said().matches("loaded rules").count() > before);
            if round == rounds / 4 {
                early = daemon.memory();
            }
        }
        late = daemon.memory();
        done.store(true, Ordering::Relaxed);
        sent = senders.into_iter().map(|sender| sender.join().unwrap()).sum();
    });
    receiver.until_lines(sent);
    let marks = |mark: &str| format!("first password={mark} then door_code={mark} and token={mark}");
    let (one, two) = (marks("ONE"), marks("TWO"));
    let lines = receiver.lines();
    let torn: Vec<_> = lines.iter().filter(|line| **line != one && **line != two).collect();
    assert!(torn.is_empty(), "{} torn or leaked, such as {:?}", torn.len(), torn[0]);
    assert!(lines.contains(&one) && lines.contains(&two));
    assert_eq!(lines.len(), sent);
    assert!(late <= early + (16 << 20), "memory grew from {} to {} KiB", early >> 10, late >> 10);
}

/// Without a word: a file is replaced, edited in place, or swapped as a mounted ConfigMap is.
#[test]
fn a_changed_file_is_loaded_by_itself() {
    let (folder, receiver) = (Folder::new(), Receiver::start(Habits::default()));
    let mount = |version: &str, mark: &str| {
        fs::create_dir(folder.path(version)).unwrap();
        fs::write(folder.path(version).join("inkout.toml"), text(&receiver, mark)).unwrap();
        fs::write(folder.path(version).join("rules.toml"), RULES).unwrap();
        symlink(version, folder.path("..data_tmp")).unwrap();
        fs::rename(folder.path("..data_tmp"), folder.path("..data")).unwrap();
    };
    mount("..v1", "ONE");
    symlink("..data/inkout.toml", folder.path("inkout.toml")).unwrap();
    symlink("..data/rules.toml", folder.path("rules.toml")).unwrap();
    let config = folder.path("inkout.toml");
    let daemon = Daemon::run(["--config".as_ref(), config.as_os_str()]);
    assert!(masked(&daemon, &receiver).contains("password=ONE"));
    mount("..v2", "TWO");
    eventually("the swapped one", || masked(&daemon, &receiver).contains("password=TWO"));
    fs::write(folder.path("..v2/inkout.toml"), text(&receiver, "THREE")).unwrap();
    eventually("the edited one", || masked(&daemon, &receiver).contains("password=THREE"));
}

/// Nobody has to reload for it: what was left in the clear for a while is masked when the while is over.
#[test]
fn an_exemption_ends_when_it_expires() {
    let (folder, receiver) = (Folder::new(), Receiver::start(Habits::default()));
    put(&folder, "rules.toml", RULES);
    let clock = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() + 4;
    let expires = Moment::of_unix_seconds(clock);
    let allow = format!("[[allow]]\nrule = 'door'\nreason = 'a while'\nexpires = '{expires}'\n[[pipeline]]");
    put(&folder, "inkout.toml", &text(&receiver, "ONE").replace("[[pipeline]]", &allow));
    let config = folder.path("inkout.toml");
    let daemon = Daemon::run(["--config".as_ref(), config.as_os_str()]);
    let before = masked(&daemon, &receiver);
    assert!(before.contains("door_code=Zq82bZq") && before.contains("token=ONE"), "{before}");
    eventually("its end", || masked(&daemon, &receiver).contains("door_code=ONE"));
}

#[test]
fn a_bad_set_never_replaces_a_good_one() {
    let (folder, receiver) = (Folder::new(), Receiver::start(Habits::default()));
    let daemon = start(&folder, &receiver);
    let good = masked(&daemon, &receiver);
    assert_eq!(good, "first password=ONE then door_code=ONE and token=ONE");
    let bad: [(&str, &dyn Fn(), &str); 7] = [
        ("a typo", &|| put(&folder, "inkout.toml", "[[pipline]]\n"), "unknown key `pipline`"),
        ("nothing", &|| put(&folder, "inkout.toml", ""), "there is no pipeline"),
        ("no file", &|| fs::remove_file(folder.path("inkout.toml")).unwrap(), "cannot read configuration"),
        (
            "other ways",
            &|| put(&folder, "inkout.toml", &text(&receiver, "TWO").replace("pipeline]]", "pipeline]]\nname = 'x'")),
            "change when the process is started anew",
        ),
        (
            "a bad rule",
            &|| {
                put(&folder, "inkout.toml", &text(&receiver, "TWO"));
                put(&folder, "rules.toml", "[[rule]]\nid = 'x'\npattern = '('\n");
            },
            "rules.toml",
        ),
        ("no rules any more", &|| put(&folder, "rules.toml", "# nothing\n"), "an empty set does not replace"),
        ("no rule file", &|| fs::remove_file(folder.path("rules.toml")).unwrap(), "cannot read rules"),
    ];
    for (name, break_it, message) in bad {
        break_it();
        daemon.signal(Signal::HUP);
        daemon.until_said(message);
        assert_eq!(masked(&daemon, &receiver), good, "{name}");
    }
    put(&folder, "rules.toml", RULES);
    put(&folder, "inkout.toml", &text(&receiver, "TWO"));
    daemon.signal(Signal::HUP);
    eventually("a good one again", || masked(&daemon, &receiver).contains("password=TWO"));
}

/// A key that spans a reload is masked to its end: what is open goes on with the set it began with.
#[test]
fn a_private_key_that_spans_a_reload_is_masked_to_its_end() {
    let (folder, receiver) = (Folder::new(), Receiver::start(Habits::default()));
    let daemon = start(&folder, &receiver);
    let mut peer = daemon.connect();
    let lines: Vec<String> =
        (0..20).map(|n| format!("MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQ{n:02}Zq\n")).collect();
    let begin = format!("-----BEGIN {} KEY-----\n", "PRIVATE");
    peer.write_all((begin + &lines[..10].concat()).as_bytes()).unwrap();
    receiver.until_lines(11);
    let before = daemon.said().matches("loaded rules").count();
    put(&folder, "inkout.toml", &text(&receiver, "TWO"));
    daemon.signal(Signal::HUP);
    eventually("a reload", || daemon.said().matches("loaded rules").count() > before);
    let end = format!("-----END {} KEY-----\n", "PRIVATE");
    peer.write_all((lines[10..].concat() + &end).as_bytes()).unwrap();
    receiver.until_lines(22);
    peer.write_all(RECORD.as_bytes()).unwrap();
    receiver.until_lines(23);
    let arrived = receiver.lines();
    assert!(!arrived.concat().contains("Zq"), "{arrived:?}");
    assert!(arrived[22].contains("password=TWO"), "{}", arrived[22]);
}

#[test]
fn known_values_are_awaited_and_rotated() {
    let (folder, receiver) = (Folder::new(), Receiver::start(Habits::default()));
    let values = folder.path("values");
    let sink = format!("tcp:{}", receiver.address);
    let daemon = Daemon::run(["--from", "tcp:127.0.0.1:0", "--to", &sink, "--known-values", values.to_str().unwrap()]);
    daemon.until_said("nothing is read until they are there");
    daemon.connect().write_all(b"it said correcthorse today\n").unwrap();
    thread::sleep(Duration::from_millis(300));
    assert_eq!(receiver.bytes(), 0);
    put(&folder, "values", "correcthorse\n");
    receiver.until_lines(1);
    assert_eq!(receiver.lines(), ["it said [REDACTED:known-value] today"]);
    put(&folder, "values", "");
    daemon.signal(Signal::HUP);
    daemon.until_said("holds no value");
    daemon.connect().write_all(b"it said correcthorse again\n").unwrap();
    receiver.until_lines(2);
    assert_eq!(receiver.lines()[1], "it said [REDACTED:known-value] again");
}

/// A rotation is not done when the new value is there: whoever was not restarted logs the old one for a while.
#[test]
fn a_value_that_was_replaced_is_masked_until_its_time_is_over() {
    let (folder, receiver) = (Folder::new(), Receiver::start(Habits::default()));
    let (values, findings) = (folder.path("values"), folder.path("findings"));
    let text = |grace: u64| {
        format!(
            "placeholder = 'ONE'\n[[pipeline]]\nsource = 'tcp:127.0.0.1:0'\nsinks = ['tcp:{}']\n[known]\nfiles = \
             ['{}']\ngrace_seconds = {grace}\n[findings]\npath = '{}'\nupdate_interval = '1s'\n",
            receiver.address,
            values.display(),
            findings.display()
        )
    };
    let masked = |daemon: &Daemon| {
        let before = receiver.lines().len();
        daemon.connect().write_all(b"it said correcthorse and batterystaple\n").unwrap();
        receiver.until_lines(before + 1);
        receiver.lines().pop().unwrap()
    };
    put(&folder, "values", "correcthorse\n");
    put(&folder, "inkout.toml", &text(3600));
    let config = folder.path("inkout.toml");
    let daemon = Daemon::run(["--config".as_ref(), config.as_os_str()]);
    assert_eq!(masked(&daemon), "it said ONE and batterystaple");
    put(&folder, "values", "batterystaple\n");
    eventually("both", || masked(&daemon) == "it said ONE and ONE");
    // Told as in use before the rotation, and as replaced with the next update.
    let told = |known: &str| fs::read_to_string(&findings).unwrap_or_default().contains(known);
    eventually("the first", || told(r#""generation":"current","number":1}"#));
    eventually("the new one", || told(r#""generation":"current","number":2}"#));
    eventually("the old one", || {
        masked(&daemon);
        told(r#""generation":"previous","number":1}"#)
    });
    // Another rotation, and a period that is over soon, for the values that it replaces.
    put(&folder, "inkout.toml", &text(1));
    put(&folder, "values", "neitherofthem\n");
    eventually("one of them", || masked(&daemon) == "it said ONE and batterystaple");
    assert!(!fs::read_to_string(&findings).unwrap().contains("correcthorse"));
}

/// `on_fatal`: without rules either nothing starts, or nothing passes until there are some.
#[test]
fn without_rules_nothing_passes() {
    let (folder, receiver) = (Folder::new(), Receiver::start(Habits::default()));
    put(&folder, "rules.toml", "[[rule]]\nid = 'x'\npattern = '('\n");
    put(&folder, "inkout.toml", &text(&receiver, "ONE"));
    let config = folder.path("inkout.toml");
    let mut daemon = Daemon::run(["--config".as_ref(), config.as_os_str()]);
    assert_eq!(daemon.ended().code(), Some(2));
    put(&folder, "inkout.toml", &("on_fatal = 'withhold'\n".to_owned() + &text(&receiver, "ONE")));
    let daemon = Daemon::run(["--config".as_ref(), config.as_os_str()]);
    daemon.until_said("everything is withheld");
    daemon.connect().write_all(RECORD.as_bytes()).unwrap();
    thread::sleep(Duration::from_millis(300));
    assert_eq!(receiver.bytes(), 0);
    put(&folder, "rules.toml", RULES);
    eventually("rules", || {
        daemon.connect().write_all(RECORD.as_bytes()).unwrap();
        thread::sleep(Duration::from_millis(100));
        !receiver.lines().is_empty()
    });
    assert!(receiver.lines().iter().all(|line| line.contains("password=ONE")));
}

/// Each pipeline has its rules: what one of them lost, another one's do not make up for. And a changed rule is another set.
#[test]
fn the_rules_of_each_pipeline_are_compared_by_themselves() {
    let (folder, receiver) = (Folder::new(), Receiver::start(Habits::default()));
    let pipeline = |name: &str| {
        format!(
            "[[pipeline]]\nname = '{name}'\nrules = ['{name}.toml']\nsource = 'tcp:127.0.0.1:0'\nsinks = ['tcp:{}']\n",
            receiver.address
        )
    };
    let rules = |count: usize, key: &str| -> String {
        (0..count).map(|n| RULES.replace("'door'", &format!("'door{n}'")).replace("door_code", key)).collect()
    };
    put(&folder, "one.toml", &rules(2, "door_code"));
    put(&folder, "two.toml", &rules(1, "door_code"));
    put(&folder, "inkout.toml", &(pipeline("one") + &pipeline("two")));
    let daemon = Daemon::run(["--config".as_ref(), folder.path("inkout.toml").as_os_str()]);
    daemon.until_said("connected");
    let hash = |daemon: &Daemon, before: usize| {
        daemon.signal(Signal::HUP);
        eventually("a reload", || daemon.said().matches("loaded rules").count() > before);
        let said = daemon.said();
        said.rsplit("rules=").next().unwrap().split_whitespace().next().unwrap().to_owned()
    };
    let first = hash(&daemon, 0);
    put(&folder, "one.toml", &rules(2, "gate_code"));
    let second = hash(&daemon, daemon.said().matches("loaded rules").count());
    assert_ne!(first, second, "other rules, as many as before");
    put(&folder, "two.toml", "# nothing\n");
    daemon.signal(Signal::HUP);
    daemon.until_said("pipeline `two`: the rule files hold no rule any more");
}

#[test]
fn settings_that_a_reload_does_not_change_are_named() {
    let (folder, receiver) = (Folder::new(), Receiver::start(Habits::default()));
    let daemon = start(&folder, &receiver);
    daemon.until_said("connected");
    let changed =
        format!("drain_deadline = '1s'\npartial_records = '16MiB'\n{}[log]\nlevel = 'debug'\n", text(&receiver, "TWO"));
    put(&folder, "inkout.toml", &changed);
    daemon.signal(Signal::HUP);
    daemon.until_said("these change when the process is started anew");
    let said = daemon.said();
    assert!(said.contains("[log], drain_deadline, partial_records"), "{said}");
    eventually("what does change", || masked(&daemon, &receiver).contains("password=TWO"));
}

/// A value that was learned is masked by the rules that come after, as they say.
#[test]
fn what_was_learned_outlives_a_reload() {
    let (folder, receiver) = (Folder::new(), Receiver::start(Habits::default()));
    let config = |mark: &str| format!("learn_records = 100\n{}", text(&receiver, mark));
    put(&folder, "rules.toml", RULES);
    put(&folder, "inkout.toml", &config("ONE"));
    let daemon = Daemon::run(["--config".as_ref(), folder.path("inkout.toml").as_os_str()]);
    let mut peer = daemon.connect();
    peer.write_all(b"door_code=hunter2xyz\nuse hunter2xyz\n").unwrap();
    receiver.until_lines(2);
    put(&folder, "inkout.toml", &config("TWO"));
    let before = daemon.said().matches("loaded rules").count();
    daemon.signal(Signal::HUP);
    eventually("a reload", || daemon.said().matches("loaded rules").count() > before);
    peer.write_all(b"use hunter2xyz\n").unwrap();
    receiver.until_lines(3);
    // Another connection is another stream.
    daemon.connect().write_all(b"use hunter2xyz\n").unwrap();
    receiver.until_lines(4);
    assert_eq!(receiver.lines(), ["door_code=ONE", "use ONE", "use TWO", "use hunter2xyz"]);
}
