//! File sinks on real files, fed as the pipeline does it.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;
use crate::config::daemon::WhenFull;
use crate::engine::{Carry, Engine, Limits, Policy};
use crate::message::{Receipts, Settled, StreamId};
use crate::metrics::Metrics;
use crate::rules::Catalog;

struct Rig {
    folder: tempfile::TempDir,
    files: Files,
    engine: Engine,
}

impl Rig {
    fn new(path: &str, change: impl FnOnce(&mut FileOptions)) -> Rig {
        let folder = tempfile::tempdir().unwrap();
        let path = FilePath::parse(&format!("{}/out/{path}", folder.path().display())).unwrap();
        let mut options = FileOptions::new(path);
        change(&mut options);
        let rules = "[[rule]]\nid='a'\nsummary='A'\ncategory='credential'\nkeys=['never_there']\n";
        let set = Catalog::parse("r", rules).unwrap().set;
        let engine = Engine::compile(set, Policy::default(), &Limits::default()).unwrap();
        let framing = Framing::Newline;
        Rig {
            folder,
            files: Files { options, framing, reopen: Reopen::default(), asked: 0, open: HashMap::new() },
            engine,
        }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join("out").join(name)
    }

    fn batch(&self, origin: &str, text: &str) -> Batch {
        let payload = self.engine.redact(&mut self.engine.scratch(), &Carry::default(), text.to_owned().into()).0;
        let (receipts, _) = Receipts::channel();
        let stream = StreamId(origin.len() as u64);
        let end = if text.ends_with('\n') { End::Record } else { End::Open };
        let origin = (!origin.is_empty()).then(|| Arc::from(Path::new(origin)));
        Batch {
            stream,
            payload,
            lines: Vec::new(),
            end,
            records: 1,
            origin,
            receipt: receipts.receipt(stream, 0, 1, 1),
        }
    }

    fn write(&mut self, origin: &str, text: &str) {
        let batch = self.batch(origin, text);
        self.files.write(&batch).unwrap();
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.at(name)).unwrap_or_default()
    }
}

#[test]
fn mirrored_files_keep_name_and_place() {
    let mut rig = Rig::new("{relative}", |_| {});
    rig.write("a.log", "one\n");
    rig.write("ns/pod/0.log", "two\n");
    rig.write("a.log", "three\n");
    assert_eq!((rig.text("a.log"), rig.text("ns/pod/0.log")), ("one\nthree\n".to_owned(), "two\n".to_owned()));
    let mode = |name: &str| fs::metadata(rig.at(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("a.log"), mode("ns") & 0o007), (0o600, 0));
}

#[test]
fn no_link_leads_out_of_the_folder() {
    let mut rig = Rig::new("{relative}", |_| {});
    rig.write("a.log", "one\n");
    let outside = rig.folder.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("x.log"), "").unwrap();
    symlink(&outside, rig.at("ns")).unwrap();
    symlink(outside.join("x.log"), rig.at("link.log")).unwrap();
    for origin in ["ns/x.log", "link.log"] {
        assert!(rig.files.write(&rig.batch(origin, "secret\n")).is_err(), "{origin}");
    }
    assert_eq!(fs::read_to_string(outside.join("x.log")).unwrap(), "");
    assert!(!rig.files.has_place(&rig.batch("../outside/x.log", "x\n")));
    assert!(!rig.files.has_place(&rig.batch("", "x\n")));
}

/// Whoever names a followed file must not be able to stop the sink.
#[test]
fn a_name_that_cannot_be_costs_its_own_records_only() {
    let mut rig = Rig::new("{relative}", |_| {});
    let metrics = Metrics::default().sink("out");
    rig.write("taken", "a file\n");
    fs::create_dir_all(rig.at("folder")).unwrap();
    symlink(rig.folder.path().join("elsewhere"), rig.at("link.log")).unwrap();
    for origin in ["taken/below.log", "folder", "link.log", &"n".repeat(300)] {
        let batch = rig.batch(origin, "lost\n");
        assert!(!rig.files.write_in_the_end(&batch, &metrics).unwrap(), "{origin}");
    }
    let batch = rig.batch("good.log", "kept\n");
    assert!(rig.files.write_in_the_end(&batch, &metrics).unwrap());
    assert_eq!(rig.text("good.log"), "kept\n");
}

#[test]
fn a_file_that_is_large_is_rotated_between_records() {
    let mut rig = Rig::new("all.log", |options| (options.max_bytes, options.keep) = (Some(8), 2));
    for text in ["first\n", "second", " half\n", "third 3\n", "fourth\n", "fifth 5\n", "sixth\n"] {
        rig.write("", text);
    }
    assert_eq!(rig.text("all.log"), "sixth\n");
    assert_eq!(rig.text("all.log.1"), "fourth\nfifth 5\n");
    assert_eq!(rig.text("all.log.2"), "third 3\n");
    assert!(!rig.at("all.log.3").exists());
}

#[test]
fn a_file_that_is_old_is_rotated() {
    let mut rig = Rig::new("all.log", |options| options.max_age = Some(Duration::from_secs(3600)));
    rig.write("", "one\n");
    let later = SystemTime::now() + Duration::from_secs(3601);
    let open = rig.files.open.values_mut().next().unwrap();
    open.file.rotate_if_due(&rig.files.options, later).unwrap();
    rig.write("", "two\n");
    assert_eq!((rig.text("all.log"), rig.text("all.log.1")), ("two\n".to_owned(), "one\n".to_owned()));
}

#[test]
fn a_file_that_somebody_else_rotated_is_opened_anew() {
    let mut rig = Rig::new("all.log", |_| {});
    rig.write("", "one\n");
    fs::rename(rig.at("all.log"), rig.at("all.log.1")).unwrap();
    rig.files.reopen.ask();
    rig.write("", "two");
    fs::rename(rig.at("all.log"), rig.at("all.log.2")).unwrap();
    rig.files.reopen.ask();
    rig.write("", " halves\n");
    rig.files.reopen.ask();
    rig.write("", "three\n");
    assert_eq!(rig.text("all.log.1"), "one\n");
    assert_eq!(rig.text("all.log.2"), "two halves\n");
    assert_eq!(rig.text("all.log"), "three\n");
}

#[test]
fn what_an_interrupted_writer_left_is_ended() {
    let mut rig = Rig::new("all.log", |_| {});
    fs::create_dir_all(rig.at("")).unwrap();
    fs::write(rig.at("all.log"), "torn").unwrap();
    rig.write("", "one\n");
    assert_eq!(rig.text("all.log"), "torn\none\n");
}

#[test]
fn many_files_need_few_descriptors() {
    let mut rig = Rig::new("{relative}", |options| options.sync = true);
    for round in ["one\n", "two\n"] {
        for number in 0..MAX_OPEN + 50 {
            rig.write(&format!("{number}.log"), round);
        }
        assert!(rig.files.open.len() <= MAX_OPEN);
    }
    assert!((0..MAX_OPEN + 50).all(|number| rig.text(&format!("{number}.log")) == "one\ntwo\n"));
}

#[tokio::test]
async fn batches_are_settled_when_they_are_written() {
    let rig = Rig::new("{relative}", |options| options.sync = true);
    let metrics = Metrics::default();
    let sink = metrics.sink("files");
    let (inlet, queue) = Queue::channel(1 << 20, WhenFull::Block, metrics.pipeline("main"));
    let task = start(rig.files.options.clone(), Framing::Newline, Reopen::default(), queue, sink).unwrap();
    let (receipts, mut back) = Receipts::channel();
    for (origin, expected) in [("a.log", Ack::Delivered), ("../a.log", Ack::Rejected)] {
        let batch = Batch { receipt: receipts.receipt(StreamId(1), 4, 1, 1), ..rig.batch(origin, "one\n") };
        inlet.offer(batch, None).await;
        let settled = back.recv().await.unwrap();
        assert_eq!(settled, Settled { stream: StreamId(1), position: 4, records: 1, ack: expected });
    }
    drop(inlet);
    assert_eq!(task.await.unwrap(), Ended::Done);
    assert_eq!(rig.text("a.log"), "one\n");
}
