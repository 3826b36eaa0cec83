//! `inkout sample`: a demo log. Its secrets are written by generators and were never anyone's.

use super::{Exit, print};
use crate::rules::generator;

/// One template for each line.
const TEMPLATES: &str = include_str!("sample.txt");

pub(super) fn run() -> anyhow::Result<Exit> {
    let text = expanded();
    print::page(|out| out.write_all(text.as_bytes()))?;
    Ok(Exit::Done)
}

/// The log; the same every time. Each line has a seed of its own, so that editing one does not change the others.
fn expanded() -> String {
    let line = |(number, template): (usize, &str)| {
        let line = generator::expand(template, number as u64 + 1);
        line.expect("the templates are expanded by a test") + "\n"
    };
    TEMPLATES.lines().enumerate().map(line).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_template_expands() {
        assert!(super::expanded().lines().count() >= 40);
    }
}
