//! The status page: what [`Status`] holds, as HTML that needs no script. Every name in it is escaped.

use std::fmt::{self, Write as _};

use super::status::{EndRow, Status};
use crate::markup::Escaped;

pub(super) const STYLE: &str = include_str!("status.css");
pub(super) const SCRIPT: &str = include_str!("status.js");

/// Rules in the table.
const MAX_RULES: usize = 50;
/// The curve's box.
const WIDTH: f64 = 240.0;
const HEIGHT: f64 = 44.0;

pub(super) fn html(status: &Status) -> String {
    let mut page = String::with_capacity(16 << 10);
    write(status, &mut page).expect("a String takes all that is written");
    page
}

fn write(status: &Status, page: &mut String) -> fmt::Result {
    let (word, class) = state(status);
    page.push_str("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">");
    page.push_str("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">");
    write!(page, "<title>inkout: {word}</title>")?;
    page.push_str("<link rel=\"icon\" href=\"data:,\"><link rel=\"stylesheet\" href=\"/status.css\">");
    page.push_str("<noscript><meta http-equiv=\"refresh\" content=\"5\"></noscript>");
    page.push_str("<script src=\"/status.js\" defer></script></head>\n<body><main>\n");
    header(status, word, class, page)?;
    notes(status, page)?;
    tiles(status, page)?;
    findings(status, page)?;
    page.push_str("<div class=\"pair\">");
    ends("Sources", "Findings", &status.sources, page)?;
    ends("Sinks", "Failures", &status.sinks, page)?;
    page.push_str("</div>");
    losses(status, page)?;
    page.push_str("<footer><a href=\"/metrics\">/metrics</a> · <a href=\"/status.json\">/status.json</a> · ");
    page.push_str(
        "<a href=\"/healthz\">/healthz</a> · <a href=\"/readyz\">/readyz</a></footer>\n</main></body></html>\n",
    );
    Ok(())
}

/// One word for it, and how bad it is.
fn state(status: &Status) -> (&'static str, &'static str) {
    if !status.stuck.is_empty() {
        ("stuck", "bad")
    } else if !status.ready {
        ("not ready", "warn")
    } else if !status.audited.is_empty() {
        ("auditing", "warn")
    } else {
        ("working", "")
    }
}

fn header(status: &Status, word: &str, class: &str, page: &mut String) -> fmt::Result {
    write!(page, "<header><h1>inkout</h1><span id=\"state\" class=\"pill {class}\">{word}</span>")?;
    let (version, hash) = (Escaped(&status.version), Escaped(&status.rules_hash));
    writeln!(
        page,
        "<p>version {version} · {} rules <code>{hash}</code>, loaded {} · up {}</p></header>",
        status.rules,
        times(status.generation),
        duration(status.uptime_seconds),
    )
}

fn notes(status: &Status, page: &mut String) -> fmt::Result {
    for stuck in &status.stuck {
        let (name, time) = (Escaped(&stuck.pipeline), duration(stuck.seconds));
        writeln!(
            page,
            "<p class=\"note bad\">Pipeline <b>{name}</b> holds records and has delivered none for {time}.</p>"
        )?;
    }
    for source in &status.audited {
        writeln!(
            page,
            "<p class=\"note bad\">Source <b>{}</b> is audited: its secrets are counted, not masked.</p>",
            Escaped(source)
        )?;
    }
    if status.generation > 0 && !status.reload_ok {
        page.push_str("<p class=\"note bad\">The last reload failed. The rules and settings of before are in use; the log says why.</p>\n");
    }
    let dropped = status.losses.iter().filter(|loss| loss.what == "dropped");
    if let lost @ 1.. = dropped.map(|loss| loss.count).sum() {
        let (records, are) = if lost == 1 { ("record", "was") } else { ("records", "were") };
        writeln!(
            page,
            "<p class=\"note bad\">{} {records} {are} dropped; why is told below.</p>",
            number(lost as f64)
        )?;
    }
    if status.stalled_seconds > 0.0 {
        writeln!(
            page,
            "<p class=\"note\">A source that should not wait has waited for {:.1} s.</p>",
            status.stalled_seconds
        )?;
    }
    if status.old_values > 0 {
        let seen = times(status.old_values);
        writeln!(page, "<p class=\"note\">A known value that was replaced is still in use: seen {seen}.</p>")?;
    }
    Ok(())
}

fn tiles(status: &Status, page: &mut String) -> fmt::Result {
    let rates = status.rates;
    let so_far = |name| format!("{} so far", bytes(status.total(name) as f64));
    page.push_str("<div class=\"tiles\">\n");
    let small = format!("{} records/s · {}", number(rates.records_in), so_far("received_bytes"));
    tile(page, ("In", bytes(rates.bytes_in) + "/s", small), status.curve.iter().map(|at| at.bytes_in))?;
    let small = format!("{} records/s · {}", number(rates.records_out), so_far("sent_bytes"));
    tile(page, ("Out", bytes(rates.bytes_out) + "/s", small), status.curve.iter().map(|at| at.bytes_out))?;
    let mut small = format!("{} so far", number(status.total("findings") as f64));
    if let fresh @ 1.. = status.total("new_fingerprints") {
        write!(small, " · {} different", number(fresh as f64))?;
    }
    tile(page, ("Findings", number(rates.findings) + "/s", small), status.curve.iter().map(|at| at.findings))?;
    tile(page, held(status), std::iter::empty())?;
    page.push_str("</div>\n");
    Ok(())
}

/// What is between source and sink.
fn held(status: &Status) -> (&'static str, String, String) {
    let records: u64 = status.pipelines.iter().map(|pipeline| pipeline.in_flight).sum();
    let queued: u64 = status.pipelines.iter().map(|pipeline| pipeline.queue_bytes).sum();
    let waiting = status.pipelines.iter().map(|pipeline| pipeline.waiting_seconds).fold(0.0, f64::max);
    let moved = match (records, waiting as u64) {
        (0, _) => "nothing waits".to_owned(),
        (_, 0) => "moving".to_owned(),
        (_, seconds) => format!("none delivered for {}", duration(seconds)),
    };
    ("Held", bytes(queued as f64), format!("{} records in flight · {moved}", number(records as f64)))
}

fn tile(
    page: &mut String,
    (name, big, small): (&str, String, String),
    values: impl Iterator<Item = f64>,
) -> fmt::Result {
    write!(page, "<div class=\"card tile\"><span>{name}</span><b>{big}</b><small>{small}</small>")?;
    curve(page, &values.collect::<Vec<_>>())?;
    page.push_str("</div>\n");
    Ok(())
}

/// The last two minutes, the newest at the right edge.
fn curve(page: &mut String, values: &[f64]) -> fmt::Result {
    let top = values.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    let step = WIDTH / 119.0;
    let first = WIDTH - step * (values.len().max(1) - 1) as f64;
    let point = |(at, value): (usize, &f64)| {
        format!("{:.1},{:.1}", first + step * at as f64, HEIGHT - 1.0 - value / top * (HEIGHT - 4.0))
    };
    let points: Vec<String> = values.iter().enumerate().map(point).collect();
    let points = points.join(" ");
    write!(page, "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" preserveAspectRatio=\"none\" aria-hidden=\"true\">")?;
    if !values.is_empty() {
        write!(page, "<path d=\"M{first:.1},{HEIGHT} L{points} L{WIDTH},{HEIGHT}Z\"/><polyline points=\"{points}\"/>")?;
    }
    page.push_str("</svg>");
    Ok(())
}

fn findings(status: &Status, page: &mut String) -> fmt::Result {
    page.push_str("<section class=\"card\"><h2>Findings by rule</h2>");
    if status.findings.is_empty() {
        let text = if status.total("findings") > 0 {
            "Series by rule are switched off (metrics.rules)."
        } else {
            "No secret was found yet."
        };
        return writeln!(page, "<p class=\"empty\">{text}</p></section>");
    }
    page.push_str("<div class=\"scroll\"><table><tr><th>Rule<th>Done<th>Sources<th class=\"n\">Per minute<th class=\"n\">Count<th></tr>\n");
    let top = status.findings[0].count.max(1);
    for row in status.findings.iter().take(MAX_RULES) {
        let (rule, action, source) = (Escaped(&row.rule), Escaped(&row.action), row.sources.join(", "));
        let source = Escaped(&source);
        writeln!(
            page,
            "<tr><td><code>{rule}</code><td><span class=\"tag\">{action}</span><td>{source}<td class=\"n\">{}\
             <td class=\"n\">{}<td class=\"bar\"><svg aria-hidden=\"true\"><rect width=\"{:.1}%\" height=\"8\" rx=\"4\"/></svg></tr>",
            number(row.per_minute),
            number(row.count as f64),
            row.count as f64 / top as f64 * 100.0,
        )?;
    }
    page.push_str("</table></div>");
    if status.findings.len() > MAX_RULES {
        write!(page, "<p class=\"empty\">and {} more in /metrics</p>", status.findings.len() - MAX_RULES)?;
    }
    page.push_str("</section>\n");
    Ok(())
}

fn ends(title: &str, other: &str, rows: &[EndRow], page: &mut String) -> fmt::Result {
    write!(page, "<section class=\"card\"><h2>{title}</h2>")?;
    if rows.is_empty() {
        return writeln!(page, "<p class=\"empty\">None yet.</p></section>");
    }
    writeln!(
        page,
        "<div class=\"scroll\"><table><tr><th>Name<th class=\"n\">Rate<th class=\"n\">Records<th class=\"n\">Bytes<th class=\"n\">{other}</tr>"
    )?;
    for row in rows {
        let (name, rate) = (Escaped(&row.name), bytes(row.bytes_per_minute / 60.0));
        let (records, size, other) = (number(row.records as f64), bytes(row.bytes as f64), number(row.other as f64));
        writeln!(
            page,
            "<tr><td>{name}<td class=\"n\">{rate}/s<td class=\"n\">{records}<td class=\"n\">{size}<td class=\"n\">{other}</tr>"
        )?;
    }
    page.push_str("</table></div></section>\n");
    Ok(())
}

fn losses(status: &Status, page: &mut String) -> fmt::Result {
    page.push_str("<section class=\"card\"><h2>Dropped, masked whole, bypassed, refused</h2>");
    if status.losses.is_empty() {
        return writeln!(page, "<p class=\"empty\">Nothing: all that came in was looked at.</p></section>");
    }
    page.push_str("<div class=\"scroll\"><table><tr><th>What<th>Why<th>Source<th class=\"n\">Count</tr>\n");
    for loss in &status.losses {
        let (reason, source) = (Escaped(&loss.reason), Escaped(&loss.source));
        let count = number(loss.count as f64);
        writeln!(page, "<tr><td>{}<td>{reason}<td>{source}<td class=\"n\">{count}</tr>", loss.what)?;
    }
    page.push_str("</table></div></section>\n");
    Ok(())
}

/// In the unit that leaves one to three digits before the point.
fn bytes(count: f64) -> String {
    let units = ["B", "kB", "MB", "GB", "TB", "PB"];
    let mut size = count;
    let mut unit = 0;
    while size >= 999.5 && unit + 1 < units.len() {
        (size, unit) = (size / 1000.0, unit + 1);
    }
    if unit == 0 || size >= 99.5 { format!("{size:.0} {}", units[unit]) } else { format!("{size:.1} {}", units[unit]) }
}

/// With thin spaces between thousands; small rates with a digit behind the point.
fn number(value: f64) -> String {
    if value > 0.0 && value < 9.95 && value.fract() > 0.0 {
        return format!("{value:.1}");
    }
    let digits = format!("{value:.0}");
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push('\u{202f}');
        }
        out.push(digit);
    }
    out
}

fn times(count: u64) -> String {
    if count == 1 { "once".to_owned() } else { format!("{} times", number(count as f64)) }
}

/// A time in its two largest units.
pub(crate) fn duration(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min {} s", seconds % 60),
        (0, ..) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_two_units() {
        let cases = [
            (0, "0 s"),
            (59, "59 s"),
            (61, "1 min 1 s"),
            (3600, "1 h 0 min"),
            (90_061, "1 d 1 h"),
            (864_000, "10 d 0 h"),
        ];
        cases.into_iter().for_each(|(seconds, text)| assert_eq!(duration(seconds), text));
    }

    #[test]
    fn numbers_read_well() {
        let cases = [(0.0, "0 B"), (999.0, "999 B"), (1000.0, "1.0 kB"), (99_600.0, "100 kB"), (2.5e9, "2.5 GB")];
        cases.into_iter().for_each(|(count, text)| assert_eq!(bytes(count), text));
        let cases = [(0.0, "0"), (0.25, "0.2"), (3.0, "3"), (1234.4, "1\u{202f}234"), (1e6, "1\u{202f}000\u{202f}000")];
        cases.into_iter().for_each(|(value, text)| assert_eq!(number(value), text));
    }
}
