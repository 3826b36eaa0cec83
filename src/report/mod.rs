//! What was found, told to people and machines: tables, JSON, SARIF, JUnit, CSV, a page in HTML, a diff. It opens nothing
//! and finds nothing; it is shown pieces and what the engine made of them.
//!
//! **No secret gets in.** A [`Collector`] takes from a piece the *masked* line, places, counts and the names of rules and
//! keys; what identifies a finding across runs is a hash of its line with the finding taken out. So nothing that is written
//! from a [`Report`] can hold a secret or be tried against one.
//!
//! **Memory is bounded.** Counts are exact; of the findings themselves the first so many are kept, and every format says
//! when there were more.

mod baseline;
mod collect;
mod diff;
mod excerpt;
mod format;
mod html;
mod lines;
mod occurrence;
mod place;
mod style;
mod summary;
mod template;

use std::io::{self, Write};

pub use baseline::{Baseline, BaselineError, Entry};
pub use collect::{Blocks, Collector, FileCollector, Found, Keep, Templates};
pub use diff::Diff;
use excerpt::Excerpt;
pub use lines::Look;
use occurrence::{Identity, Occurrence};
pub use place::Place;
pub use style::Style;
pub use summary::{About, Missed, MissedKind, Report};

/// How a report is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Text for people.
    Table(Style),
    /// One JSON object.
    Json,
    /// One JSON object for each line.
    Jsonl,
    /// SARIF 2.1.0.
    Sarif,
    /// A page that needs nothing but itself.
    Html,
    /// JUnit's XML.
    Junit,
    /// Comma-separated values.
    Csv,
}

impl Report<'_> {
    /// Writes the report.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write(&self, format: Format, out: &mut dyn Write) -> io::Result<()> {
        match format {
            Format::Table(style) => format::table::write(self, style, out),
            Format::Json => format::json::write(self, out),
            Format::Jsonl => format::json::write_lines(self, out),
            Format::Sarif => format::sarif::write(self, out),
            Format::Html => html::write(self, out),
            Format::Junit => format::junit::write(self, out),
            Format::Csv => format::csv::write(self, out),
        }
    }
}
