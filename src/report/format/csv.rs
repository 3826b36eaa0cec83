//! Comma-separated values (RFC 4180), for spreadsheets: no cell can become a formula.

use std::io::{self, Write};

use crate::report::summary::Report;

/// Writes a header and a line for each finding.
pub(in crate::report) fn write(report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
    out.write_all(b"path,member,line,column,rule,category,found_by,excerpt,line_hash\r\n")?;
    for occurrence in &report.found.occurrences {
        let (place, rule) = (&occurrence.place, report.rule(occurrence.rule));
        let cells = [
            cell(place.path_text()),
            cell(place.member_text().unwrap_or_default()),
            occurrence.line.to_string(),
            occurrence.column.to_string(),
            cell(&rule.id),
            cell(rule.category.name()),
            cell(&occurrence.why),
            cell(&occurrence.excerpt.to_string()),
            occurrence.line_hash.hex(),
        ];
        write!(out, "{}\r\n", cells.join(","))?;
    }
    Ok(())
}

fn cell(text: &str) -> String {
    // Spreadsheets run what begins so.
    let formula = text.trim_start().starts_with(['=', '+', '-', '@']);
    let text = if formula { format!("'{text}") } else { text.to_owned() };
    if text.contains([',', '"', '\n', '\r', '\'']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_one_cell_and_no_formula() {
        for (text, expected) in
            [("a b", "a b"), ("a,b", "\"a,b\""), ("a\"b", "\"a\"\"b\""), ("=1+1", "\"'=1+1\""), (" @x", "\"' @x\"")]
        {
            assert_eq!(cell(text), expected);
        }
    }
}
