//! The page: one file that needs nothing but itself, for somebody who must trust that a log may be shared. It reads without
//! scripts; those only sort and filter. Its policy lets nothing be loaded.
//!
//! Each section stops at a size, so that the page stays below 5 MiB, and says what it left out.

mod sections;

use std::io::{self, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use super::summary::{Report, plural};
use crate::markup::Escaped;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// Writes the page.
pub(super) fn write(report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
    let title = title(report);
    write!(
        out,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src '{}'; script-src '{}'; \
         base-uri 'none'; form-action 'none'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<meta name=\"referrer\" content=\"no-referrer\">\n\
         <title>inkout: {}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n",
        allowed(STYLE),
        allowed(SCRIPT),
        Escaped(&title)
    )?;
    let mut page = String::new();
    sections::write(&mut page, report, &title).map_err(io::Error::other)?;
    out.write_all(page.as_bytes())?;
    write!(out, "<script>{SCRIPT}</script>\n</body>\n</html>\n")
}

fn title(report: &Report<'_>) -> String {
    let found = report.found;
    match (found.total(), report.about.command) {
        (0, _) => "no findings".to_owned(),
        (total, "clean") => format!("{} masked", plural(total, "secret", "secrets")),
        (total, _) => plural(total, "finding", "findings"),
    }
}

/// What the policy calls a style or script of these bytes.
fn allowed(text: &str) -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(text.as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_become_markup() {
        assert_eq!(
            Escaped("<a href=\"x\">'&'</a>").to_string(),
            "&lt;a href=&quot;x&quot;&gt;&#39;&amp;&#39;&lt;/a&gt;"
        );
        // The end of the element would end the script, whatever stands around it.
        assert!(!SCRIPT.contains("</") && !STYLE.contains("</"));
    }
}
