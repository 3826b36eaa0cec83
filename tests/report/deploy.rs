//! The commit hooks and the GitHub action are files that their readers understand, and what they run does what they say.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::planted::Planted;
use crate::support::{Folder, code, stdout};

fn yaml(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    let text = fs::read_to_string(&path).unwrap();
    serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Runs a shell script that finds the program on its PATH.
fn shell(folder: &Path, script: &str, variables: &[(&str, &str)]) -> Output {
    let program = PathBuf::from(env!("CARGO_BIN_EXE_inkout"));
    let path = format!("{}:{}", program.parent().unwrap().display(), std::env::var("PATH").unwrap());
    let mut command = Command::new("bash");
    command.args(["--noprofile", "--norc", "-e", "-o", "pipefail", "-c", script]).current_dir(folder).env("PATH", path);
    command.envs(variables.iter().copied()).output().unwrap()
}

#[test]
fn the_hooks_fail_on_a_secret_and_pass_without() {
    let hooks = yaml(".pre-commit-hooks.yaml");
    let folder = Folder::new();
    folder.file("clean.py", "password = os.environ[\"PASSWORD\"]\n");
    folder.file("leak.env", "DB_PASSWORD=hunter2x\n");
    for hook in hooks.as_array().unwrap() {
        for field in ["id", "name", "description", "entry", "language"] {
            assert!(hook[field].is_string(), "{field} in {hook}");
        }
        let entry = hook["entry"].as_str().unwrap();
        let leak = shell(&folder.path(""), &format!("{entry} clean.py leak.env"), &[]);
        assert_eq!(code(&leak), 1, "{}", String::from_utf8_lossy(&leak.stderr));
        assert!(
            stdout(&leak).contains("leak.env:1:13  password") && !stdout(&leak).contains("hunter2x"),
            "{}",
            stdout(&leak)
        );
        assert_eq!(code(&shell(&folder.path(""), &format!("{entry} clean.py"), &[])), 0);
    }
}

#[test]
fn the_action_writes_sarif_and_fails_on_findings() {
    let action = yaml("deploy/github-action/action.yml");
    let step = action["runs"]["steps"].as_array().unwrap().last().unwrap();
    let inputs: Vec<&str> = step["env"].as_object().unwrap().values().map(|value| value.as_str().unwrap()).collect();
    for input in inputs {
        let name = input.trim_start_matches("${{ inputs.").trim_end_matches(" }}");
        assert!(action["inputs"][name]["description"].is_string(), "{input}");
    }
    let script = step["run"].as_str().unwrap();
    let planted = Planted::new();
    let tree = planted.tree();
    let run = |paths: &str, baseline: &str| {
        shell(&tree, script, &[("PATHS", paths), ("BASELINE", baseline), ("CONFIG", ""), ("SARIF", "found.sarif")])
    };
    let output = run(". deep", "");
    assert_eq!(code(&output), 1, "{}", String::from_utf8_lossy(&output.stderr));
    planted.is_in_none_of("the action's log", &output.stdout);
    let sarif: Value = serde_json::from_slice(&fs::read(tree.join("found.sarif")).unwrap()).unwrap();
    assert_eq!(sarif["runs"][0]["results"].as_array().unwrap().len(), 8);
    assert_eq!(code(&run("--format json", "")), 3, "a path is no option");
    assert_eq!(code(&run(".", "nowhere.json")), 2);
    fs::write(tree.join("nothing.txt"), "nothing\n").unwrap();
    assert_eq!(code(&run("nothing.txt\n", "")), 0);
    assert_eq!(code(&run("nothing.txt\n.\n", "")), 1, "the second line is a path, too");
    for empty in ["", " \n \n"] {
        let output = run(empty, "");
        assert_eq!(code(&output), 2, "standard input is not what was meant");
        assert!(String::from_utf8_lossy(&output.stderr).contains("paths: name the files"));
    }
    let known = shell(&tree, "inkout check . --gitignore --exclude .git --write-baseline ../known.json -q", &[]);
    assert_eq!(code(&known), 0);
    assert_eq!(code(&run(".", "../known.json")), 0);
}

#[test]
fn the_example_workflow_uses_the_action() {
    let workflow = yaml("deploy/github-action/example.yml");
    let steps = workflow["jobs"]["inkout"]["steps"].as_array().unwrap();
    assert!(steps.iter().any(|step| step["uses"] == "./deploy/github-action" && step["id"] == "inkout"));
    assert_eq!(workflow["permissions"]["security-events"], "write");
}
