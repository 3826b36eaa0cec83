//! A stop while there is nothing to redact with: what waits stays where it is, and what cannot stay is told of.

use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use crate::receiver::{Habits, Receiver};
use crate::support::{Daemon, Folder, inkout};

const RECORD: &[u8] = b"it said correcthorse today\n";

/// Why there is nothing to redact with: known values that are awaited, or rules that are wrong.
const REASONS: [(&str, &str, &str); 2] = [
    ("[known]\nfiles = ['values']\n", "nothing is read until they are there", "a value to come"),
    ("on_fatal = 'withhold'\nrules = ['bad.toml']\n", "everything is withheld", "wrong rules"),
];

fn config(folder: &Folder, reason: &str, source: &str, receiver: &Receiver) -> std::path::PathBuf {
    folder.file("bad.toml", "[[rule]]\nid = 'x'\npattern = '('\n");
    let (head, tables) = if reason.starts_with('[') { ("", reason) } else { (reason, "") };
    let text = format!(
        "{head}state_dir = 'state'\n{tables}[[pipeline]]\nsource = '{source}'\nsinks = ['tcp:{}']\n",
        receiver.address
    );
    folder.file("inkout.toml", text)
}

fn run(config: &Path, stdin: Stdio) -> Daemon {
    Daemon::spawn(inkout().args(["run", "--config"]).arg(config).stdin(stdin).stdout(Stdio::null()))
}

#[test]
fn a_followed_file_is_read_again_by_the_next_run() {
    for (reason, says, name) in REASONS {
        let (folder, receiver) = (Folder::new(), Receiver::start(Habits::default()));
        let log = folder.file("app.log", RECORD);
        let config = config(&folder, reason, &format!("file:{}", log.display()), &receiver);
        let mut daemon = run(&config, Stdio::null());
        daemon.until_said(says);
        daemon.until_said("following");
        thread::sleep(Duration::from_millis(300));
        assert_eq!(daemon.stop().0, 0, "{name}: {}", daemon.said());
        assert_eq!(String::from_utf8_lossy(&receiver.raw()), "", "{name}");
        folder.file("values", "correcthorse\n");
        folder.file("bad.toml", "[[rule]]\nid = 'x'\nsummary = 'X'\ncategory = 'credential'\nkeys = ['never']\n");
        let _daemon = run(&config, Stdio::null());
        receiver.until_lines(1);
    }
}

#[test]
fn what_was_taken_from_standard_input_or_a_peer_is_said_to_be_missing() {
    for (reason, says, name) in REASONS {
        for source in ["stdin", "tcp:127.0.0.1:0"] {
            let (folder, receiver) = (Folder::new(), Receiver::start(Habits::default()));
            let config = config(&folder, reason, source, &receiver);
            let mut daemon = run(&config, Stdio::piped());
            daemon.until_said(says);
            // Signals are heard by then.
            daemon.until_said("connected");
            let (mut peer, mut stdin) = (None, daemon.child().stdin.take().unwrap());
            let text = [RECORD, RECORD, b"unfinished correcthorse"].concat();
            if source == "stdin" {
                stdin.write_all(&text).unwrap();
            } else {
                peer.insert(daemon.connect()).write_all(&text).unwrap();
            }
            thread::sleep(Duration::from_millis(300));
            let (code, _) = daemon.stop();
            let said = daemon.said();
            assert_eq!(String::from_utf8_lossy(&receiver.raw()), "", "{name}, {source}");
            if reason.starts_with('[') {
                assert_eq!(code, 3, "{name}, {source}: {said}");
                assert!(said.contains("3 records were not delivered"), "{name}, {source}: {said}");
            } else {
                // The operator wants it dropped, and counted.
                assert_eq!(code, 0, "{name}, {source}: {said}");
            }
        }
    }
}
