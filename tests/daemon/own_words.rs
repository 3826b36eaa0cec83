//! What the daemon says itself holds no value that any of its pipelines was told of.

use std::fs;

use rustix::process::Signal;

use crate::receiver::{Habits, Receiver};
use crate::support::{Daemon, Folder, eventually};

/// The second pipeline only counts, and its known values are exchanged while it runs.
#[test]
fn no_pipelines_known_value_stands_in_the_log_or_in_the_findings() {
    let (folder, receiver) = (Folder::new(), Receiver::start(Habits::default()));
    let values = folder.file("values", "correcthorse\n");
    let text = format!(
        "state_dir = 'state'\n[admin]\nlisten = 'off'\n[findings]\npath = 'findings'\n[[pipeline]]\nname = 'one'\n\
         source = 'tcp:127.0.0.1:0'\nsinks = ['tcp:{to}']\n[[pipeline]]\nname = 'two'\nmode = 'audit'\naudit_until = '2999-01-01'\n\
         known = {{ files = ['values'] }}\nsource = 'file:{logs}'\nsinks = ['tcp:{to}']\n",
        to = receiver.address,
        logs = folder.path("*.log").display()
    );
    let config = folder.file("inkout.toml", text);
    let daemon = Daemon::run(["--config".as_ref(), config.as_os_str()]);
    daemon.until_said("listening");
    let mut lines = 0;
    for (value, mark) in [("correcthorse", "a-"), ("zebracrossing", "b-")] {
        if lines > 0 {
            fs::write(&values, format!("{value}\n")).unwrap();
            daemon.signal(Signal::HUP);
            daemon.until_said("loaded rules");
        }
        lines += 1;
        folder.file(format!("{mark}{value}.log"), format!("it said {value} today\n"));
        receiver.until_lines(lines);
        daemon.until_said(&format!("{mark}REDACTED.known-value.log"));
        assert!(!daemon.said().contains(value), "{}", daemon.said());
        let findings = || fs::read_to_string(folder.path("findings")).unwrap_or_default();
        eventually("a finding", || findings().lines().count() >= lines);
        assert!(!findings().contains(value), "{}", findings());
    }
}
