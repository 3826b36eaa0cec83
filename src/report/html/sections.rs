//! The sections of the page, from what matters most to the fine print.

use std::collections::BTreeMap;
use std::fmt::{self, Write};

use crate::engine::RuleId;
use crate::markup::Escaped;
use crate::report::summary::{MissedKind, Report, grouped, plural};
use crate::report::{Excerpt, Missed, Occurrence, Place};

/// Bytes of the section of files, of samples, and of what was not inspected. With style and script: below 5 MiB.
const MAX_FILES_BYTES: usize = 1 << 20;
const MAX_SAMPLES_BYTES: usize = 2 << 20;
const MAX_MISSED_BYTES: usize = 512 << 10;
/// Files, positions of one file, samples of one rule and of all that are shown.
const MAX_FILES: usize = 1000;
const MAX_POSITIONS: usize = 20;
const MAX_SAMPLES: usize = 25;
const MAX_ALL_SAMPLES: usize = 1000;
const MAX_MISSED: usize = 1000;
/// Rules named beside a file.
const MAX_NAMED: usize = 6;
/// A longer name is cut in its middle.
const MAX_NAME: usize = 300;
/// The width of a full bar.
const BAR: u64 = 120;

pub(super) fn write(page: &mut String, report: &Report<'_>, title: &str) -> fmt::Result {
    page.push_str("<a class=\"skip\" href=\"#main\">Skip to the findings</a>\n");
    head(page, report, title)?;
    page.push_str("<main id=\"main\">\n");
    tiles(page, report)?;
    rules(page, report)?;
    files(page, report)?;
    samples(page, report)?;
    missed(page, report)?;
    run(page, report)?;
    page.push_str("</main>\n");
    foot(page, report)
}

fn verb(report: &Report<'_>) -> &'static str {
    if report.about.command == "clean" { "masked" } else { "found" }
}

fn head(page: &mut String, report: &Report<'_>, title: &str) -> fmt::Result {
    let about = report.about;
    let when = about.ended.to_string().replace('T', " ").replace('Z', " UTC");
    writeln!(
        page,
        "<header>\n<p class=\"name\">inkout {}</p>\n<h1>{}</h1>\n<p class=\"when\"><time datetime=\"{}\">{when}</time></p>",
        Escaped(about.command),
        Escaped(title),
        about.ended
    )?;
    let mut links = vec![("rules", "Rules"), ("files", "Files"), ("samples", "Samples")];
    links.retain(|_| report.found.total() > 0);
    if !report.missed.is_empty() {
        links.push(("missed", "Not inspected"));
    }
    links.push(("run", "How it was made"));
    page.push_str("<nav aria-label=\"Sections\"><ul>");
    for (id, name) in links {
        write!(page, "<li><a href=\"#{id}\">{name}</a></li>")?;
    }
    page.push_str("</ul></nav>\n</header>\n");
    Ok(())
}

fn tiles(page: &mut String, report: &Report<'_>) -> fmt::Result {
    let (about, found) = (report.about, report.found);
    if report.failed() > 0 {
        writeln!(
            page,
            "<p class=\"alert\" role=\"alert\"><strong>Incomplete.</strong> {} could not be inspected to the end; \
             <a href=\"#missed\">see which</a>.</p>",
            plural(report.failed() as u64, "file", "files")
        )?;
    }
    page.push_str("<dl class=\"tiles\">\n");
    let mut tile = |name: &str, value: String, note: String| {
        let note = if note.is_empty() { note } else { format!("<dd class=\"note\">{}</dd>", Escaped(&note)) };
        writeln!(page, "<div><dt>{name}</dt><dd class=\"value\">{}</dd>{note}</div>", Escaped(&value))
    };
    let categories: Vec<String> =
        report.by_category().iter().map(|(category, count)| format!("{} {category}", grouped(*count))).collect();
    tile(if about.command == "clean" { "Masked" } else { "Found" }, grouped(found.total()), categories.join(", "))?;
    tile("Files with findings", grouped(found.places), format!("of {} inspected", grouped(about.files)))?;
    tile("Inspected", bytes(about.bytes), String::new())?;
    let failed = report.failed() as u64;
    let skipped = report.missed.len() as u64 - failed;
    tile(
        "Not inspected",
        grouped(failed + skipped),
        format!("{} failed, {} skipped", grouped(failed), grouped(skipped)),
    )?;
    if found.templates > 0 {
        tile("Templates", grouped(found.templates), "left alone: no secret stands there".to_owned())?;
    }
    if found.known > 0 {
        tile("Known", grouped(found.known), "in the baseline, not shown here".to_owned())?;
    }
    page.push_str("</dl>\n");
    Ok(())
}

fn rules(page: &mut String, report: &Report<'_>) -> fmt::Result {
    let counts = report.by_rule();
    if counts.is_empty() {
        writeln!(page, "<p class=\"none\">Nothing was {}.</p>", verb(report))?;
        return Ok(());
    }
    let cleaned = report.about.command == "clean";
    let most = counts.iter().map(|(_, count)| *count).max().unwrap_or(1);
    writeln!(
        page,
        "<section id=\"rules\" aria-labelledby=\"rules-h\">\n<h2 id=\"rules-h\">What was {}</h2>\n<div class=\"scroll\">\
         <table class=\"sortable\">\n<thead><tr><th scope=\"col\">Rule</th><th scope=\"col\">What it is</th>\
         <th scope=\"col\">Category</th>{}<th scope=\"col\" class=\"num\">Findings</th>\
         <td class=\"bar\"></td></tr></thead>\n<tbody>",
        verb(report),
        if cleaned { "<th scope=\"col\">Action</th>" } else { "" }
    )?;
    for (id, count) in counts {
        let rule = report.rule(id);
        let width = (count * BAR).div_ceil(most).max(2);
        writeln!(
            page,
            "<tr data-rules=\"{0}\"><th scope=\"row\"><code>{0}</code></th><td>{1}</td><td class=\"word\">{2}</td>{3}\
             <td class=\"num\" data-sort=\"{count}\">{4}</td><td class=\"bar\"><svg width=\"{BAR}\" height=\"10\" \
             aria-hidden=\"true\"><rect width=\"{width}\" height=\"10\" rx=\"2\"></rect></svg></td></tr>",
            Escaped(&rule.id),
            Escaped(&rule.summary),
            Escaped(rule.category.name()),
            if cleaned { format!("<td>{}</td>", report.actions[id.index()].name()) } else { String::new() },
            grouped(count)
        )?;
    }
    page.push_str("</tbody></table></div>\n</section>\n");
    Ok(())
}

fn files(page: &mut String, report: &Report<'_>) -> fmt::Result {
    let found = report.found;
    if found.by_place.is_empty() {
        return Ok(());
    }
    let mut places: Vec<_> =
        found.by_place.iter().map(|(place, rules)| (place, rules, rules.values().sum::<u64>())).collect();
    places.sort_by_key(|(place, _, count)| (std::cmp::Reverse(*count), *place));
    let mut positions: BTreeMap<&Place, Vec<&Occurrence>> = BTreeMap::new();
    for occurrence in &found.occurrences {
        positions.entry(&occurrence.place).or_default().push(occurrence);
    }
    page.push_str(
        "<section id=\"files\" aria-labelledby=\"files-h\">\n<h2 id=\"files-h\">Where</h2>\n<div class=\"scroll\">\
         <table class=\"sortable\">\n<thead><tr><th scope=\"col\">File</th><th scope=\"col\">Rules</th>\
         <th scope=\"col\" class=\"num\">Findings</th></tr></thead>\n<tbody>\n",
    );
    let start = page.len();
    let mut shown = 0;
    for (place, rules, count) in places.into_iter().take(MAX_FILES) {
        if page.len() - start > MAX_FILES_BYTES {
            break;
        }
        file(page, report, place, rules, count, positions.get(&**place).map_or(&[][..], Vec::as_slice))?;
        shown += 1;
    }
    page.push_str("</tbody></table></div>\n");
    more(page, found.places - shown, "file with findings is", "files with findings are")?;
    page.push_str("</section>\n");
    Ok(())
}

fn file(
    page: &mut String,
    report: &Report<'_>,
    place: &Place,
    rules: &BTreeMap<RuleId, u64>,
    count: u64,
    positions: &[&Occurrence],
) -> fmt::Result {
    let mut ids: Vec<(&str, u64)> = rules.iter().map(|(id, count)| (report.rule(*id).id.as_str(), *count)).collect();
    ids.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let names: Vec<&str> = ids.iter().map(|(id, _)| *id).collect();
    let (text, names) = (name(&place.text()), names.join(" "));
    write!(page, "<tr data-rules=\"{}\"><th scope=\"row\">", Escaped(&names))?;
    if positions.is_empty() {
        write!(page, "<span class=\"path\">{}</span>", Escaped(&text))?;
    } else {
        write!(
            page,
            "<details><summary><span class=\"path\">{}</span></summary><ul class=\"positions\">",
            Escaped(&text)
        )?;
        for occurrence in positions.iter().take(MAX_POSITIONS) {
            let rule = &report.rule(occurrence.rule).id;
            write!(
                page,
                "<li><span class=\"pos\">{}:{}</span> <code>{}</code></li>",
                occurrence.line,
                occurrence.column,
                Escaped(rule)
            )?;
        }
        let rest = count - positions.len().min(MAX_POSITIONS) as u64;
        if rest > 0 {
            write!(page, "<li class=\"more\">and {} more</li>", grouped(rest))?;
        }
        page.push_str("</ul></details>");
    }
    page.push_str("</th><td>");
    for (index, (id, count)) in ids.iter().take(MAX_NAMED).enumerate() {
        write!(page, "{}<code>{}</code>&nbsp;{}", if index == 0 { "" } else { ", " }, Escaped(id), grouped(*count))?;
    }
    if ids.len() > MAX_NAMED {
        write!(page, " <span class=\"more\">and {} more</span>", ids.len() - MAX_NAMED)?;
    }
    writeln!(page, "</td><td class=\"num\" data-sort=\"{count}\">{}</td></tr>", grouped(count))
}

fn samples(page: &mut String, report: &Report<'_>) -> fmt::Result {
    let found = report.found;
    if found.occurrences.is_empty() {
        return Ok(());
    }
    let mut by_rule: BTreeMap<RuleId, Vec<&Occurrence>> = BTreeMap::new();
    for occurrence in &found.occurrences {
        let of = by_rule.entry(occurrence.rule).or_default();
        if of.len() < MAX_SAMPLES {
            of.push(occurrence);
        }
    }
    page.push_str("<section id=\"samples\" aria-labelledby=\"samples-h\">\n<h2 id=\"samples-h\">Samples</h2>\n");
    let of = if report.about.command == "clean" { "as they are now" } else { "with what was found masked" };
    writeln!(page, "<p>Lines {of}, the first {MAX_SAMPLES} of each rule.</p>")?;
    let start = page.len();
    let mut shown = 0;
    for (index, (id, count)) in report.by_rule().into_iter().enumerate() {
        let Some(samples) = by_rule.get(&id) else { continue };
        let rule = report.rule(id);
        let open = if index < 3 { " open" } else { "" };
        writeln!(
            page,
            "<details class=\"group\" data-rules=\"{0}\"{open}><summary><h3><code>{0}</code></h3> <span>{1}, {2} of {3}\
             </span></summary>\n<ol class=\"samples\">",
            Escaped(&rule.id),
            Escaped(&rule.summary),
            grouped(samples.len() as u64),
            grouped(count)
        )?;
        for occurrence in samples {
            if page.len() - start > MAX_SAMPLES_BYTES || shown == MAX_ALL_SAMPLES {
                break;
            }
            sample(page, occurrence)?;
            shown += 1;
        }
        page.push_str("</ol></details>\n");
    }
    more(page, found.total() - shown as u64, "finding is", "findings are")?;
    page.push_str("</section>\n");
    Ok(())
}

fn sample(page: &mut String, occurrence: &Occurrence) -> fmt::Result {
    write!(
        page,
        "<li><div class=\"where\"><span class=\"path\">{}</span><span class=\"pos\">:{}:{}</span> \
         <span class=\"why\">found by {}</span></div><pre><code>",
        Escaped(&name(&occurrence.place.text())),
        occurrence.line,
        occurrence.column,
        Escaped(&occurrence.why)
    )?;
    line(page, &occurrence.excerpt)?;
    page.push_str("</code></pre></li>\n");
    Ok(())
}

fn line(page: &mut String, excerpt: &Excerpt) -> fmt::Result {
    let ellipsis = |cut: bool| if cut { "<span class=\"cut\">\u{2026}</span>" } else { "" };
    page.push_str(ellipsis(excerpt.cut_before));
    for (part, mark) in excerpt.parts() {
        match mark {
            true => write!(page, "<mark>{}</mark>", Escaped(part))?,
            false => write!(page, "{}", Escaped(part))?,
        }
    }
    page.push_str(ellipsis(excerpt.cut_behind));
    Ok(())
}

fn missed(page: &mut String, report: &Report<'_>) -> fmt::Result {
    if report.missed.is_empty() {
        return Ok(());
    }
    page.push_str(
        "<section id=\"missed\" aria-labelledby=\"missed-h\">\n<h2 id=\"missed-h\">Not inspected</h2>\n<p>Secrets in these \
         would not have been found.</p>\n<div class=\"scroll\"><table class=\"sortable\">\n<thead><tr><th scope=\"col\">File</th>\
         <th scope=\"col\">State</th><th scope=\"col\">Why</th></tr></thead>\n<tbody>\n",
    );
    let start = page.len();
    let mut ordered: Vec<&Missed> = report.missed.iter().collect();
    ordered.sort_by_key(|missed| missed.kind);
    let mut shown = 0;
    for missed in ordered.iter().take(MAX_MISSED) {
        if page.len() - start > MAX_MISSED_BYTES {
            break;
        }
        let (class, state) = match missed.kind {
            MissedKind::Failed => ("failed", "failed"),
            MissedKind::Skipped => ("skipped", "skipped"),
        };
        writeln!(
            page,
            "<tr><th scope=\"row\"><span class=\"path\">{}</span></th><td class=\"{class}\">{state}</td><td>{}</td></tr>",
            Escaped(&name(&missed.place.text())),
            Escaped(&name(&missed.reason))
        )?;
        shown += 1;
    }
    page.push_str("</tbody></table></div>\n");
    more(page, report.missed.len() as u64 - shown, "file is", "files are")?;
    page.push_str("</section>\n");
    Ok(())
}

fn run(page: &mut String, report: &Report<'_>) -> fmt::Result {
    let about = report.about;
    page.push_str(
        "<section id=\"run\" aria-labelledby=\"run-h\">\n<h2 id=\"run-h\">How it was made</h2>\n<dl class=\"run\">\n",
    );
    let mut row =
        |name: &str, value: &str| writeln!(page, "<div><dt>{}</dt><dd>{}</dd></div>", Escaped(name), Escaped(value));
    row("Program", &format!("inkout {} {}", about.version, about.command))?;
    row("Rules", &format!("{} of set {} ({})", report.rules.len(), about.rules_version, about.rules_hash))?;
    row("Began", &about.started.to_string())?;
    row("Ended", &about.ended.to_string())?;
    for (option, value) in &about.options {
        row(option, value)?;
    }
    page.push_str("</dl>\n</section>\n");
    Ok(())
}

fn foot(page: &mut String, report: &Report<'_>) -> fmt::Result {
    let kept = if report.about.command == "clean" { "" } else { " The files themselves were not changed." };
    writeln!(
        page,
        "<footer><p>This page holds no secret and no hash of one: lines are shown as they are after masking.{kept} It loads \
         nothing from anywhere.</p></footer>"
    )
}

fn more(page: &mut String, count: u64, one: &str, many: &str) -> fmt::Result {
    if count > 0 {
        writeln!(
            page,
            "<p class=\"more\">{} not shown here, to keep this page small. All are counted.</p>",
            plural(count, &format!("more {one}"), &format!("more {many}"))
        )?;
    }
    Ok(())
}

/// The name, without its middle if it is long.
fn name(text: &str) -> String {
    let letters: Vec<char> = text.chars().collect();
    if letters.len() <= MAX_NAME {
        return text.to_owned();
    }
    let half = MAX_NAME / 2;
    let (head, tail) = (&letters[..half], &letters[letters.len() - half..]);
    head.iter().chain(['\u{2026}'].iter()).chain(tail).collect()
}

fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["bytes", "KiB", "MiB", "GiB", "TiB"];
    let mut value = count as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{count} bytes") } else { format!("{value:.1} {}", UNITS[unit]) }
}
