//! Colours for what was masked. It looks for what the engine writes; it changes nothing else.

use regex_automata::meta::Regex;

use super::args::ColorWhen;
use super::print::on_terminal;
use crate::engine::PLACEHOLDER_REGEX;
use crate::pipe::Painter;

const START: &[u8] = b"\x1b[1;30;43m";
const END: &[u8] = b"\x1b[0m";
/// What `hash` and `mask` write.
const OTHER_FORMS: &str = r"\[[a-z0-9-]+:[0-9a-f]{16}\]|\*{4}[A-Za-z0-9]{0,4}";

/// Whether standard output is to be coloured.
pub(super) fn wanted(when: ColorWhen) -> bool {
    match when {
        ColorWhen::Always => true,
        ColorWhen::Never => false,
        ColorWhen::Auto => on_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
    }
}

/// What colours a block, if it is to be coloured.
pub(super) fn painter(when: ColorWhen, placeholder: Option<&str>) -> Option<Box<Painter>> {
    if !wanted(when) {
        return None;
    }
    let custom = placeholder.map_or_else(String::new, |template| format!("|{}", pattern(template)));
    let regex =
        Regex::new(&format!("{PLACEHOLDER_REGEX}|{OTHER_FORMS}{custom}")).expect("an escaped template is a regex");
    Some(Box::new(move |bytes, out| paint(&regex, bytes, out)))
}

/// The regex of a template: its text, and any id where the rule's stands.
fn pattern(template: &str) -> String {
    let parts: Vec<String> = template.split("{rule}").map(regex_syntax::escape).collect();
    parts.join("[a-z0-9-]+")
}

fn paint(regex: &Regex, bytes: &[u8], out: &mut Vec<u8>) {
    let mut from = 0;
    for found in regex.find_iter(bytes) {
        out.extend_from_slice(&bytes[from..found.start()]);
        for part in [START, &bytes[found.range()], END] {
            out.extend_from_slice(part);
        }
        from = found.end();
    }
    out.extend_from_slice(&bytes[from..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_masked_stands_out_and_the_rest_stays() {
        let painter = painter(ColorWhen::Always, Some("<{rule}>")).unwrap();
        let mut out = Vec::new();
        painter(b"a [REDACTED:x] b <y-z> c", &mut out);
        let plain = String::from_utf8(out).unwrap().replace("\x1b[1;30;43m", "(").replace("\x1b[0m", ")");
        assert_eq!(plain, "a ([REDACTED:x]) b (<y-z>) c");
    }
}
