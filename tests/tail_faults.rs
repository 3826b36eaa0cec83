//! `inkout -F --checkpoint` whose disk fails, and which is killed between any two steps of writing a checkpoint. `strace`
//! injects both. Without it the tests say so and pass.

#![allow(clippy::print_stdout, reason = "a test says what it skipped")]
#![cfg(feature = "daemon")]

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

struct Rig {
    folder: tempfile::TempDir,
    outputs: Vec<PathBuf>,
    word: usize,
    rotation: usize,
}

impl Rig {
    fn new() -> Rig {
        let folder = tempfile::tempdir().expect("a folder");
        Rig { folder, outputs: Vec::new(), word: 0, rotation: 0 }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&mut self, lines: usize) {
        let mut file = OpenOptions::new().create(true).append(true).open(self.at("app.log")).expect("the log");
        for _ in 0..lines {
            self.word += 1;
            writeln!(file, "<{}> some text", self.word).expect("written");
        }
    }

    fn rotate(&mut self) {
        self.rotation += 1;
        let to = self.at(&format!("app.log.{}", self.rotation));
        fs::rename(self.at("app.log"), to).expect("renamed");
    }

    fn start(&mut self, inject: Option<&str>) -> Child {
        let (out, said) = (self.at(&format!("out{}", self.outputs.len())), self.at("said"));
        let inkout = env!("CARGO_BIN_EXE_inkout");
        let mut command = match inject {
            Some(inject) => {
                let mut command = Command::new("strace");
                // The tracer is the grandchild, so that signals and exit codes are the program's.
                command.args(["-D", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fsync,rename,pwrite64,write,flock"]);
                command.args(["-e", inject, inkout]);
                command
            }
            None => Command::new(inkout),
        };
        command.arg("-F").arg(self.at("app.log")).arg("--checkpoint").arg(self.at("state"));
        command.stdout(File::create(&out).expect("a file")).stderr(File::create(said).expect("a file"));
        self.outputs.push(out);
        command.stdin(Stdio::null()).spawn().expect("it starts")
    }

    /// The words that came, over all runs.
    fn came(&self) -> BTreeSet<usize> {
        let texts = self.outputs.iter().map(|path| fs::read_to_string(path).unwrap_or_default());
        let words = |text: String| {
            text.split('<').skip(1).filter_map(|rest| rest.split_once('>')?.0.parse().ok()).collect::<Vec<usize>>()
        };
        texts.flat_map(words).collect()
    }

    /// Until everything that was written came, or `child` has ended. True: everything came.
    fn wait(&self, child: &mut Child) -> bool {
        let started = Instant::now();
        loop {
            if self.came().len() == self.word {
                return true;
            }
            if child.try_wait().expect("a child").is_some() {
                return self.came().len() == self.word;
            }
            let missing = || (1..=self.word).find(|word| !self.came().contains(word));
            assert!(started.elapsed() < Duration::from_secs(60), "word {:?} of {} does not come", missing(), self.word);
            thread::sleep(Duration::from_millis(10));
        }
    }
}

fn has_strace() -> bool {
    let status = Command::new("strace").args(["-qq", "-o", "/dev/null", "true"]).status();
    let there = status.is_ok_and(|status| status.success());
    if !there {
        println!("no strace here: faults of the disk were not tried");
    }
    there
}

fn interrupt(mut child: Child) -> i32 {
    Command::new("kill").arg("-INT").arg(child.id().to_string()).status().expect("kill");
    child.wait().expect("it ends").code().unwrap_or(-1)
}

#[test]
fn a_kill_between_any_two_steps_of_a_checkpoint_loses_nothing() {
    if !has_strace() {
        return;
    }
    let mut kills = 0;
    for call in ["fsync", "rename"] {
        for nth in [1, 2, 3, 4, 5, 7] {
            let mut rig = Rig::new();
            rig.write(100);
            let mut child = rig.start(Some(&format!("inject={call}:signal=KILL:when={nth}")));
            for _ in 0..4 {
                if !rig.wait(&mut child) {
                    break;
                }
                rig.rotate();
                rig.write(100);
            }
            // If nothing killed it, it ends here.
            thread::sleep(Duration::from_millis(600));
            match child.try_wait().expect("a child") {
                Some(_) => kills += 1,
                None => drop(interrupt(child)),
            }
            // Before there is a checkpoint nobody can know that what is rotated away now was ever to be read.
            if rig.at("state").exists() {
                rig.rotate();
            }
            rig.write(50);
            let mut child = rig.start(None);
            assert!(rig.wait(&mut child), "{call} {nth}");
            assert_eq!(interrupt(child), 0, "{call} {nth}");
        }
    }
    println!("{kills} kills");
    assert!(kills >= 6, "only {kills} were killed");
}

#[test]
fn a_disk_that_is_full_for_checkpoints_stops_nothing() {
    if !has_strace() {
        return;
    }
    let mut rig = Rig::new();
    rig.write(100);
    let mut child = rig.start(Some("inject=fsync:error=ENOSPC:when=6+"));
    assert!(rig.wait(&mut child));
    rig.rotate();
    rig.write(100);
    assert!(rig.wait(&mut child));
    thread::sleep(Duration::from_millis(600));
    interrupt(child);
    let said = fs::read_to_string(rig.at("said")).expect("UTF-8");
    assert!(said.contains("the checkpoint cannot be written: No space left on device"), "{said}");
    rig.write(100);
    let mut child = rig.start(None);
    assert!(rig.wait(&mut child));
    assert_eq!(interrupt(child), 0);
}
