//! What is wrong with a configuration is said with its line before anything is opened (R-01, R-13, SEC-04).

use crate::support::{Folder, inkout};

/// Exit code and what was said of `text` in a file of that name.
fn run(name: &str, text: &str) -> (i32, String) {
    let folder = Folder::new();
    let config = folder.file(name, text);
    let output = inkout().arg("run").arg("--config").arg(&config).output().expect("it runs");
    let said = String::from_utf8(output.stderr).expect("UTF-8");
    (output.status.code().expect("a code"), said.replace(&config.display().to_string(), name))
}

const SINKS: &str = "sinks = ['stdout']";

#[test]
fn what_is_wrong_is_named_with_its_line() {
    let pipeline = |rest: &str| format!("[[pipeline]]\nsource = 'stdin'\nsinks = ['stdout']\n{rest}");
    let source = |source: &str| format!("[[pipeline]]\n{SINKS}\nsource = {source}\n");
    let sink = |sink: &str| format!("[[pipeline]]\nsource = 'stdin'\nsinks = [\n{sink}]\n");
    let cases = [
        ("x =".to_owned(), "1: "),
        (String::new(), "1: there is no pipeline; write [[pipeline]]"),
        ("[[pipline]]".to_owned(), "1: unknown key `pipline`; did you mean `pipeline`?"),
        (pipeline("sorce = 'stdin'"), "4: unknown key `sorce`; did you mean `source`?"),
        (pipeline("drain_deadlin = 3"), "4: unknown key `drain_deadlin`; did you mean"),
        (pipeline("name = 'a b'"), "4: `a b` is no name"),
        (pipeline("name = 3"), "4: invalid type: integer `3`, expected a string"),
        (pipeline("threads = 3"), "4: `threads` is set once for all pipelines"),
        (pipeline("mode = 'audit'"), "4: mode `audit` needs `audit_until"),
        (pipeline("learn_records = 1001"), "4: `learn_records` is a number from 0 (off) to 1000"),
        (pipeline("only = ['githb-token']"), "4: unknown rule or category `githb-token`; did you mean `github-token`?"),
        (pipeline("[pipeline.policy]\ncredential = 'redact'"), "5: unknown action `redact`; known: replace"),
        (
            pipeline("hash_key_env = 'NO_SUCH_VARIABLE_HERE'"),
            "4: environment variable `NO_SUCH_VARIABLE_HERE` is not set",
        ),
        (
            pipeline("[[pipeline]]\nsource = 'tcp:127.0.0.1:0'\nsinks = ['stdout']"),
            "4: a pipeline beside others needs a `name`",
        ),
        (
            pipeline("[[pipeline]]\nname = 'b'\nsource = 'stdin'\nsinks = ['stdout']"),
            "1: two pipelines read standard input",
        ),
        ("[[pipeline]]\nsource = 'stdin'\n".to_owned(), "1: missing key `sinks`"),
        ("[[pipeline]]\nsource = 'stdin'\nsinks = []\n".to_owned(), "3: `sinks` is empty"),
        ("drain_deadline = '25'\n".to_owned() + &pipeline(""), "1: `25` is not a time, such as"),
        ("drain_deadline = -1\n".to_owned() + &pipeline(""), "1: -1 is not a time"),
        ("partial_records = '32 MB'\n".to_owned() + &pipeline(""), "1: `32 MB` is not a size"),
        ("on_fatal = 'ignore'\n".to_owned() + &pipeline(""), "1: unknown value `ignore`; did you mean"),
        (source("'stdn'"), "3: unknown source `stdn`; did you mean `stdin`?"),
        (source("'tls:127.0.0.1:1'"), "3: `tls:127.0.0.1:1` needs listen, cert and key"),
        (source("'tcp:localhost'"), "3: `listen`: `localhost` is no address"),
        (source("'tcp:0.0.0.0:6000'"), "3: `0.0.0.0:6000` can be reached from other machines without TLS"),
        (source("{ type = 'tcp' }"), "3: a tcp source needs `listen`"),
        (source("{ type = 'udp', listen = '127.0.0.1:1' }"), "3: unknown value `udp`; did you mean"),
        (
            source("{ type = 'stdin', listen = '127.0.0.1:1' }"),
            "3: `listen` is no key of a stdin source; it has: framing",
        ),
        (
            source("{ type = 'tcp', listen = '127.0.0.1:1', framing = 'lines' }"),
            "3: unknown value `lines`; did you mean",
        ),
        (
            source("{ type = 'tcp', listen = '127.0.0.1:1', max_connections = 0 }"),
            "3: `max_connections`: must be more than 0",
        ),
        (source("{ type = 'tls', listen = '127.0.0.1:1', cert = 'a' }"), "3: a tls source needs `key`"),
        (source("{ type = 'unix', path = '/x', mode = '999' }"), "3: `mode`: `999` is no mode"),
        (sink("'file:out.log'"), "4: `path`: `out.log`: the path of a file sink begins with /"),
        (sink("'file:/out/../x'"), "4: `path`: `/out/../x`: `..` is not allowed"),
        (sink("'file:/out/'"), "4: `path`: `/out/`: it names a folder"),
        (sink("'file:/out/{pod}.log'"), "4: `path`: `/out/{pod}.log`: only {relative} is filled in"),
        (sink("'file:/out/{relative}'"), "1: `/out/{relative}`: {relative} is the path of a followed file"),
        (sink("{ type = 'file' }"), "4: a file sink needs `path`, such as path = \"/var/log/inkout/{relative}\""),
        (sink("{ type = 'file', path = '/x', max_size = '1KiB' }"), "4: `max_size`: must be 64KiB or more"),
        (sink("{ type = 'file', path = '/x', max_age = '10ms' }"), "4: `max_age`: must be 1s or more"),
        (sink("{ type = 'file', path = '/x', keep = 0 }"), "4: `keep`: allowed are 1 to 1000"),
        (sink("{ type = 'file', path = '/x', mode = '0440' }"), "4: `mode`: its owner must be able to write"),
        (
            sink("{ type = 'file', path = '/x', address = 'y:1' }"),
            "4: `address` is no key of a file sink; it has: name",
        ),
        (source("{ type = 'file', paths = ['/x'], cri_output = 'merge' }"), "3: unknown value `merge`; did you mean"),
        (source("{ type = 'stdin', cri_output = 'join' }"), "3: `cri_output` is no key of a stdin source"),
        (pipeline("record_id = 'yes'"), "4: invalid type: string \"yes\", expected a boolean"),
        (
            sink("{ type = 'tcp', address = 'y:1', spool = { max_size = '1MiB' } }"),
            "4: `spool.max_size`: must be 4MiB or more",
        ),
        (
            sink("{ type = 'tcp', address = 'y:1', spool = { max_size = '8MiB', path = 'x' } }"),
            "4: `spool.path`: `x` does not begin with /",
        ),
        (sink("{ type = 'tcp', address = 'y:1', spool = { size = '8MiB' } }"), "4: unknown key `size`; did you mean"),
        (sink("{ type = 'tcp', address = 'y:1', spool = '8MiB' }"), "4: invalid type: string"),
        (
            sink("{ name = '../x', type = 'tcp', address = 'y:1', spool = { max_size = '8MiB' } }"),
            "3: `../x` cannot name a spool; allowed are",
        ),
        (
            sink("{ name = 'x', type = 'tcp', address = 'y:1' }, { name = 'x', type = 'stdout' }"),
            "3: two sinks are named `x`",
        ),
        (sink("'file:/x', 'file:/x'"), "1: `/x`: two sinks write this file"),
        (
            "[[pipeline]]\nsource = 'file:/var/log/a.log'\nsinks = ['file:/var/log/a.log']\n".to_owned(),
            "1: `/var/log/a.log`: the source reads this very file",
        ),
        (
            sink("'file:/x'") + "[[pipeline]]\nname = 'b'\nsource = 'tcp:127.0.0.1:0'\nsinks = ['file:/x']\n",
            "1: two sinks write `/x`",
        ),
        (sink("'tcp'"), "4: `address`: `` is no address"),
        (sink("'stdout',\n'tcpp:127.0.0.1:1'"), "5: unknown sink `tcpp:127.0.0.1:1`; did you mean `tcp`?"),
        (sink("{ type = 'tcp', address = '127.0.0.1:1', buffer = '1KiB' }"), "4: `buffer`: allowed are"),
        (
            sink("{ type = 'tcp', address = '127.0.0.1:1', when_full = 'drop' }"),
            "4: unknown value `drop`; did you mean",
        ),
        (sink("{ type = 'tls', address = '127.0.0.1:1', cert = 'a' }"), "4: a tls sink needs `key`"),
    ];
    for (text, message) in cases {
        let (code, said) = run("inkout.toml", &text);
        assert_eq!(code, 2, "{text}\n{said}");
        assert!(said.starts_with(&format!("inkout: inkout.toml:{message}")), "{text}\nexpected {message}\n{said}");
    }
}

#[test]
fn yaml_is_read_with_its_lines_too() {
    let good = "pipeline:\n  - source: stdin\n    sinks:\n      - stdout\n    only: [password]\n    policy:\n      password: mask\n";
    let folder = Folder::new();
    let config = folder.file("inkout.yml", good);
    let mut command = inkout();
    let mut child = command
        .args(["run", "--admin", "off", "--config"])
        .arg(&config)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"password=correcthorse123 token=abc123def\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "password=****123 token=abc123def\n");
    let cases = [
        (
            "pipeline:\n  - source: stdin\n    sinks: [stdout]\n    sorce: x\n",
            "4: unknown key `sorce`; did you mean `source`?",
        ),
        ("pipeline:\n  - source:\n      type: tcp\n    sinks: [stdout]\n", "3: a tcp source needs `listen`"),
        ("pipeline:\n  - source: stdin\n    sinks: [stdout]\n    mode: 3\n", "4: `mode` is a string in quotes"),
        ("drain_deadline: soon\n", "1: `soon` is not a time"),
        ("a: [1\n", ""),
        ("- a\n", "1: the file is a table"),
    ];
    for (text, message) in cases {
        let (code, said) = run("inkout.yaml", text);
        assert_eq!(code, 2, "{text}\n{said}");
        assert!(said.starts_with(&format!("inkout: inkout.yaml:{message}")), "{text}\nexpected {message}\n{said}");
    }
}

#[test]
fn flags_are_checked_before_anything_is_opened() {
    let cases: [(&[&str], &str); 7] = [
        (
            &["--from", "stdin", "--to", "file:out.log"],
            "inkout: `path`: `out.log`: the path of a file sink begins with /\n",
        ),
        (&[], "say what to do: --config FILE, or --from SOURCE --to SINK"),
        (&["--from", "stdin"], "--to"),
        (&["--from", "files:x", "--to", "stdout"], "unknown source `files:x`"),
        (&["--from", "stdin", "--to", "tcp:nowhere"], "`nowhere` is no address"),
        (&["--from", "tcp:0.0.0.0:0", "--to", "stdout"], "--insecure"),
        (&["--from", "stdin", "--to", "stdout", "--only", "passwrd"], "did you mean `password`?"),
    ];
    for (flags, message) in cases {
        let output = inkout().arg("run").args(flags).output().expect("it runs");
        let said = String::from_utf8(output.stderr).expect("UTF-8");
        assert_eq!(output.status.code(), Some(2), "{flags:?}\n{said}");
        assert!(said.contains(message), "{flags:?}\n{said}");
    }
}

#[test]
fn the_file_to_begin_with_is_fine_and_in_the_schema() {
    let folder = Folder::new();
    let beginning = inkout().args(["config", "init", "--run", "-"]).output().unwrap().stdout;
    let config = folder.file("inkout.toml", &beginning);
    let checked = inkout().args(["config", "check"]).arg(&config).output().unwrap();
    assert_eq!(checked.status.code(), Some(0), "{}", String::from_utf8_lossy(&checked.stderr));
    assert!(String::from_utf8(checked.stdout).unwrap().contains("pipeline `app` to tcp"));
    let schema: serde_json::Value =
        serde_json::from_slice(&inkout().args(["config", "schema"]).output().unwrap().stdout).unwrap();
    let parsed: toml::Table = toml::from_str(std::str::from_utf8(&beginning).unwrap()).unwrap();
    for key in parsed.keys() {
        assert!(schema["properties"][key].is_object(), "{key}");
    }
    let broken = folder.file("broken.toml", "[[pipeline]]\nsource = 'stdin'\nsinks = ['tcp:x']\n");
    let checked = inkout().args(["config", "check"]).arg(&broken).output().unwrap();
    assert_eq!(checked.status.code(), Some(2));
}
