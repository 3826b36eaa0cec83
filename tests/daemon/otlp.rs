//! OTLP through the program itself: its arguments, its file, its exit code. What a hop does is tested in `tests/hop`.

use std::net::SocketAddr;

use crate::hop_support::{Upstream, export, logs, run, texts};
use crate::support::{Daemon, Folder};

#[test]
fn a_batch_goes_through_the_program_redacted_and_its_client_hears_of_it() {
    run(async {
        let upstream = Upstream::taking().await;
        let to = format!("otlp:http://{}", upstream.address);
        let mut daemon = Daemon::run(["--from", "otlp:127.0.0.1:0", "--to", &to]);
        let told = export(daemon.address(), &logs("user=ada password=hunter2hunter2")).await;
        assert_eq!((told.code, told.message.as_str()), (0, ""));
        assert_eq!(texts(&upstream.seen()[0].body), ["user=ada password=REDACTED.password"; 2]);
        let grpc = daemon.address();
        upstream.stop();
        let away = export(grpc, &logs("hello")).await;
        assert_eq!(away.code, tonic::Code::Unavailable as i32, "{}", away.message);
        assert_eq!(daemon.stop().0, 0, "{}", daemon.said());
    });
}

#[test]
fn records_that_a_queue_took_and_could_not_deliver_are_told_with_the_exit_code() {
    run(async {
        let nobody: SocketAddr = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let folder = Folder::new();
        let file = folder.file(
            "inkout.toml",
            format!(
                r#"
                [[pipeline]]
                source = {{ type = "otlp", otlp = {{ grpc = "127.0.0.1:0", http = "off", drain_deadline = "200ms" }} }}
                sinks = [{{ type = "otlp", otlp = {{ endpoint = "http://{nobody}", queue = {{ max = "1MiB" }} }} }}]
                "#
            ),
        );
        let mut daemon = Daemon::run(["--config".as_ref(), file.as_os_str()]);
        for number in 0..3 {
            assert_eq!(export(daemon.address(), &logs(&format!("record {number}"))).await.code, 0);
        }
        assert_eq!(daemon.stop().0, 3);
        assert!(daemon.said().contains("3 records were not delivered"), "{}", daemon.said());
    });
}
