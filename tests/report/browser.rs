//! The page in a real browser: it runs its own script and nothing else, loads nothing, and a name cannot become markup. Where
//! no browser is installed this says so.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::planted::Planted;
use crate::support::{Folder, code, inkout, stderr};

fn browser() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let named = |folder: PathBuf| ["chromium", "chromium-browser", "google-chrome"].map(|name| folder.join(name));
    std::env::split_paths(&path).flat_map(named).find(|path| path.is_file())
}

/// What the browser makes of `page`; its network log lies beside it.
fn open(browser: &Path, folder: &Folder, page: &Path) -> Output {
    Command::new(browser)
        .args([
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--enable-logging=stderr",
            "--dump-dom",
        ])
        .args(["--disable-background-networking", "--disable-component-update", "--no-first-run", "--disable-sync"])
        .args([
            "--disable-extensions",
            "--disable-default-apps",
            "--host-resolver-rules=MAP * ~NOTFOUND",
            "--virtual-time-budget=3000",
        ])
        .arg(format!("--user-data-dir={}", folder.path("profile").display()))
        .arg(format!("--log-net-log={}", folder.path("net.json").display()))
        .arg(format!("file://{}", page.display()))
        .output()
        .expect("the browser starts")
}

fn console(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    said.lines().filter(|line| line.contains("CONSOLE")).collect::<Vec<_>>().join("\n")
}

/// The page about a folder with planted secrets, and one file that cannot be read.
fn page(planted: &Planted, command: &[&str]) -> PathBuf {
    planted.broken();
    let page = planted.folder.path("report.html");
    let output = inkout().args(command).arg(planted.tree()).arg("--report").arg(&page).output().unwrap();
    assert_eq!(code(&output), 3, "{}", stderr(&output));
    page
}

#[test]
fn the_page_of_either_command_holds_no_secret_and_refers_to_nothing_outside() {
    for command in [&["check"][..], &["clean", "--dry-run"], &["clean", "--in-place"]] {
        let planted = Planted::new();
        let text = fs::read(page(&planted, command)).unwrap();
        planted.is_in_none_of("the page", &text);
        let text = String::from_utf8(text).unwrap();
        for outside in [
            "src=",
            "url(",
            "@import",
            "http:",
            "https:",
            "<link",
            "<img",
            "<iframe",
            "<form",
            "style=\"",
            "javascript:",
        ] {
            let within = text.replace("&lt;img src=x", "").replace("%3Cimg", "");
            assert!(!within.contains(outside), "{command:?} {outside}");
        }
        assert_eq!(text.matches("href=\"").count(), text.matches("href=\"#").count());
        assert!(text.contains("broken gzip: it ends in the middle") && text.contains("binary ("), "{command:?}");
        assert!(text.contains("odd\\nname \\xff&lt;img src=x onerror=alert(1)&gt;.log"));
    }
}

#[test]
fn a_browser_shows_the_page_runs_its_script_and_asks_nobody() {
    let Some(browser) = browser() else {
        println!("skipped: no chromium on the PATH");
        return;
    };
    let planted = Planted::new();
    let page = page(&planted, &["check"]);
    let output = open(&browser, &planted.folder, &page);
    let dom = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(console(&output), "");
    // Made by the script, which the policy must let run.
    assert!(
        dom.contains("<div class=\"filter\" role=\"search\">") && dom.contains("<option value=\"github-token\">"),
        "{dom}"
    );
    assert!(!dom.contains("<img") && dom.contains("&lt;img src=x onerror=alert(1)&gt;"));
    assert!(dom.contains("<mark>REDACTED.password</mark>"));
    assert_eq!(asked(&planted.folder), 0);
    // A page that does ask is seen to ask.
    let asking = planted.folder.file("asking.html", "<img src=\"http://127.0.0.1:9/x.png\">");
    open(&browser, &planted.folder, &asking);
    assert_eq!(asked(&planted.folder), 1);
}

/// How often the page, not the browser itself, asked the network for something.
fn asked(folder: &Folder) -> usize {
    let log = fs::read_to_string(folder.path("net.json")).expect("a network log");
    log.lines().filter(|line| line.contains("\"initiator\":\"null\"") && line.contains("\"url\":\"http")).count()
}

/// Clicks and types, and leaves what came of it in the title. It cannot run under the page's own policy.
const USE_IT: &str = r##"<script>
addEventListener("load", () => {
  const order = () => [...document.querySelectorAll("#rules tbody tr")].map((row) => row.dataset.rules).join(" ");
  const heads = document.querySelectorAll("#rules thead th button");
  heads[0].click();
  const up = order();
  heads[0].click();
  const down = order();
  const select = document.querySelector(".filter select");
  select.value = "github-token";
  select.dispatchEvent(new Event("change"));
  const files = [...document.querySelectorAll("#files tbody tr")].filter((row) => !row.hidden).length;
  const groups = [...document.querySelectorAll("#samples details")].filter((group) => !group.hidden).length;
  document.title = [up, down, files, groups, document.querySelector("output").textContent].join(" | ");
});
</script>"##;

#[test]
fn tables_sort_and_filter() {
    let Some(browser) = browser() else {
        println!("skipped: no chromium on the PATH");
        return;
    };
    let planted = Planted::new();
    let text = fs::read_to_string(page(&planted, &["check"])).unwrap();
    let start = text.find("<meta http-equiv=\"Content-Security-Policy\"").unwrap();
    let end = start + text[start..].find('>').unwrap() + 1;
    let page = planted.folder.file("open.html", [&text[..start], &text[end..], USE_IT].concat());
    let output = open(&browser, &planted.folder, &page);
    let dom = String::from_utf8_lossy(&output.stdout).into_owned();
    let title = &dom[dom.find("<title>").unwrap() + 7..dom.find("</title>").unwrap()];
    assert_eq!(title, "github-token password token | token password github-token | 1 | 1 | 1 of 7 files");
    assert_eq!(console(&output), "");
}

#[test]
fn the_page_stays_small_whatever_was_found() {
    const FILES: usize = 1500;
    let folder = Folder::new();
    let deep = folder.path(format!("logs/{}", "a".repeat(200)));
    fs::create_dir_all(&deep).unwrap();
    for file in 0..FILES {
        let text: String = (0..70)
            .map(|n| format!("{} password=hunter{n} token=abc{n}def{file} {}\n", "x".repeat(150), "y".repeat(150)))
            .collect();
        fs::write(deep.join(format!("{}-{file}.log", "b".repeat(200))), text).unwrap();
    }
    let page = folder.path("report.html");
    let output = inkout().arg("check").arg(folder.path("logs")).arg("-q").arg("--report").arg(&page).output().unwrap();
    assert_eq!(code(&output), 1, "{}", stderr(&output));
    let text = fs::read_to_string(page).unwrap();
    assert!(text.len() < 5 << 20 && text.contains("<h1>210,000 findings</h1>"), "{} bytes", text.len());
    assert!(
        text.contains("more files with findings are not shown here")
            && text.contains("more findings are not shown here"),
        "it says so"
    );
}
