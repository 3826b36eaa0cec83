//! `inkout sample`: a demo log. Its secrets are written by generators and were never anyone's.

use std::ops::Range;

use super::{Exit, print};
use crate::rules::generator;

/// One template for each line, its secrets between marks.
const TEMPLATES: &str = include_str!("sample.txt");

pub(super) fn run() -> anyhow::Result<Exit> {
    let text: String = lines().map(|(line, _)| line + "\n").collect();
    print::page(|out| out.write_all(text.as_bytes()))?;
    Ok(Exit::Done)
}

/// The lines of the log and where their secrets are; the same every time. Each line has a seed of its own, so that editing
/// one does not change the others.
fn lines() -> impl Iterator<Item = (String, Vec<Range<usize>>)> {
    TEMPLATES.lines().enumerate().map(|(number, template)| {
        generator::marked(template, number as u64 + 1).expect("the templates are expanded by a test")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Carry, Engine, Limits, Policy};
    use crate::rules::Catalog;

    #[test]
    fn every_secret_of_the_sample_is_masked_and_every_other_line_is_as_it_was() {
        let engine = Engine::compile(Catalog::builtin().set, Policy::default(), &Limits::default()).unwrap();
        let lines: Vec<_> = lines().collect();
        let text: String = lines.iter().map(|(line, _)| format!("{line}\n")).collect();
        let (masked, ..) = engine.redact(&mut engine.scratch(), &Carry::default(), text.into());
        let masked = String::from_utf8(masked.as_bytes().to_vec()).unwrap();
        assert!(lines.len() >= 40 && masked.lines().count() == lines.len());
        for ((line, secrets), masked) in lines.iter().zip(masked.lines()) {
            assert_eq!(secrets.is_empty(), line == masked, "{masked}");
            for secret in secrets {
                assert!(!masked.contains(&line[secret.clone()]), "{masked}");
            }
        }
    }
}
