//! Rewrites a regex in the syntax of Go (RE2) into a pattern of ours: the same text but for what the two read differently, and
//! with the wanted group as the one group named `secret`. It judges no pattern: whether it is cheap is the engine's to say.
//!
//! The two differ where Go allows what Rust does not (`\Q…\E`, a brace that is no repeat, `[` inside a class), and in two
//! meanings: in Go `^`, `$`, `\A` and `\z` are the ends of a file, here those of a record; and a `.` or a negated class takes
//! a character there, a byte here. `\s` takes a vertical tab here too.

use regex_syntax::ast::parse::ParserBuilder;
use regex_syntax::ast::{self, AssertionKind, Ast};

/// Which part of a match is secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// The first group, or everything where there is none.
    Default,
    /// Everything.
    Whole,
    /// The group of this number, from one.
    Group(usize),
}

/// A rewritten pattern, and what it means beside what it meant.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Converted {
    pub(super) pattern: String,
    /// Whether the first group is not in every match, so that the whole match is the secret.
    pub(super) widened: bool,
    /// Whether it speaks of the ends of a file, which became those of a record.
    pub(super) edges: bool,
}

/// `regex` as a pattern of ours.
///
/// # Errors
/// What is wrong with it, and what is allowed.
pub(super) fn pattern(regex: &str, wanted: Wanted) -> Result<Converted, String> {
    let text = syntax(regex);
    let tree = parse(&text)?;
    let mut found = Found::default();
    found.visit(&tree, true);
    let chosen = found.choose(wanted)?;
    let widened = wanted == Wanted::Default && chosen.is_none() && !found.groups.is_empty();
    let edges = !found.edits.is_empty();
    Ok(Converted { pattern: found.rewrite(&text, &tree, chosen), widened, edges })
}

/// `regex` for an exemption: groups and ends mean the same there.
///
/// # Errors
/// As [`pattern`].
pub(super) fn exemption(regex: &str) -> Result<String, String> {
    let text = syntax(regex);
    parse(&text).map(|_| text)
}

fn parse(text: &str) -> Result<Ast, String> {
    ParserBuilder::new().build().parse(text).map_err(|error| match error.kind() {
        ast::ErrorKind::UnsupportedLookAround => {
            "look-around (`(?=`, `(?!`, `(?<=`, `(?<!`) is not supported; allowed: `\\b` and classes".to_owned()
        }
        ast::ErrorKind::UnsupportedBackreference => {
            "back-references are not supported; allowed: groups without references".to_owned()
        }
        kind => format!("regex is not valid: {kind}"),
    })
}

/// A group that captures.
struct Group {
    /// Where its opening (`(` or `(?P<name>`) begins, and where its content does.
    open: usize,
    inner: usize,
    /// Whether it takes part in every match and never takes nothing.
    certain: bool,
}

/// What a walk over a regex finds.
#[derive(Default)]
struct Found {
    groups: Vec<Group>,
    /// Replacements of the ends of a file, by start and end.
    edits: Vec<(usize, usize, String)>,
}

impl Found {
    /// `certain` is whether every match goes through `node`.
    fn visit(&mut self, node: &Ast, certain: bool) {
        match node {
            Ast::Group(group) => {
                if group.capture_index().is_some() {
                    let (open, inner) = (group.span.start.offset, group.ast.span().start.offset);
                    self.groups.push(Group { open, inner, certain: certain && !may_be_empty(&group.ast) });
                }
                self.visit(&group.ast, certain);
            }
            Ast::Repetition(repetition) => self.visit(&repetition.ast, certain && !allows_none(&repetition.op.kind)),
            Ast::Concat(parts) => parts.asts.iter().for_each(|part| self.visit(part, certain)),
            Ast::Alternation(branches) => branches.asts.iter().for_each(|branch| self.visit(branch, false)),
            Ast::Assertion(assertion) => self.edge(assertion),
            _ => {}
        }
    }

    fn edge(&mut self, assertion: &ast::Assertion) {
        let ours = match assertion.kind {
            AssertionKind::StartLine | AssertionKind::StartText => "(?mR:^)",
            AssertionKind::EndLine | AssertionKind::EndText => "(?mR:$)",
            _ => return,
        };
        self.edits.push((assertion.span.start.offset, assertion.span.end.offset, ours.to_owned()));
    }

    /// The index of the group that is to be the secret; `None` is the whole match.
    fn choose(&self, wanted: Wanted) -> Result<Option<usize>, String> {
        match wanted {
            Wanted::Whole => Ok(None),
            Wanted::Group(number) => match self.groups.get(number - 1) {
                Some(group) if group.certain => Ok(Some(number - 1)),
                Some(_) => Err(format!(
                    "group {number} may take no part in a match, or nothing of it; the secret is in every match"
                )),
                None => Err(format!("secretGroup {number} is not there; the regex has {} groups", self.groups.len())),
            },
            Wanted::Default => Ok(self.groups.first().filter(|group| group.certain).map(|_| 0)),
        }
    }

    fn rewrite(mut self, text: &str, tree: &Ast, chosen: Option<usize>) -> String {
        for (index, group) in self.groups.iter().enumerate() {
            let open = if Some(index) == chosen { "(?<secret>" } else { "(?:" };
            self.edits.push((group.open, group.inner, open.to_owned()));
        }
        if chosen.is_none() {
            let start = body_start(tree);
            self.edits.push((start, start, "(?<secret>".to_owned()));
            self.edits.push((text.len(), text.len(), ")".to_owned()));
        }
        // Equal starts: what is inserted stands before what is replaced.
        self.edits.sort_by_key(|(start, end, _)| (*start, *end));
        let mut out = String::with_capacity(text.len() + 16);
        let mut from = 0;
        for (start, end, ours) in &self.edits {
            out.push_str(&text[from..*start]);
            out.push_str(ours);
            from = *end;
        }
        out + &text[from..]
    }
}

/// Where the first part begins that takes a byte: `\b` and flags stay before the group, where the engine looks for `\b`.
fn body_start(tree: &Ast) -> usize {
    let Ast::Concat(parts) = tree else { return 0 };
    let is_head = |part: &&Ast| matches!(part, Ast::Flags(_) | Ast::Assertion(_));
    parts.asts.iter().find(|part| !is_head(part)).map_or(0, |part| part.span().start.offset)
}

fn allows_none(kind: &ast::RepetitionKind) -> bool {
    use ast::{RepetitionKind, RepetitionRange};
    match kind {
        RepetitionKind::ZeroOrOne | RepetitionKind::ZeroOrMore => true,
        RepetitionKind::OneOrMore => false,
        RepetitionKind::Range(RepetitionRange::Exactly(min) | RepetitionRange::AtLeast(min)) => *min == 0,
        RepetitionKind::Range(RepetitionRange::Bounded(min, _)) => *min == 0,
    }
}

fn may_be_empty(node: &Ast) -> bool {
    match node {
        Ast::Empty(_) | Ast::Flags(_) | Ast::Assertion(_) => true,
        Ast::Repetition(repetition) => allows_none(&repetition.op.kind) || may_be_empty(&repetition.ast),
        Ast::Group(group) => may_be_empty(&group.ast),
        Ast::Concat(parts) => parts.asts.iter().all(may_be_empty),
        Ast::Alternation(branches) => branches.asts.iter().any(may_be_empty),
        _ => false,
    }
}

/// The text of a Go regex in Rust's syntax.
fn syntax(regex: &str) -> String {
    let mut out = String::with_capacity(regex.len() + 8);
    let mut rest = regex;
    while let Some(first) = rest.chars().next() {
        let len = match first {
            '\\' => escape(rest, &mut out),
            '[' => class(rest, &mut out),
            '{' if repeat_len(rest).is_none() => literal("\\{", 1, &mut out),
            first => literal(&rest[..first.len_utf8()], first.len_utf8(), &mut out),
        };
        rest = &rest[len..];
    }
    out
}

fn literal(text: &str, len: usize, out: &mut String) -> usize {
    out.push_str(text);
    len
}

/// Writes the escape that `rest` begins with and returns its length.
fn escape(rest: &str, out: &mut String) -> usize {
    let Some(second) = rest[1..].chars().next() else { return literal("\\", 1, out) };
    match second {
        // A literal in Go, the edge of a word in Rust.
        '<' | '>' => literal(&rest[1..2], 2, out),
        'Q' => {
            let quoted = rest[2..].split("\\E").next().unwrap_or_default();
            out.push_str(&regex_syntax::escape(quoted));
            rest.len().min(2 + quoted.len() + 2)
        }
        _ => literal(&rest[..1 + second.len_utf8()], 1 + second.len_utf8(), out),
    }
}

/// The length of `{2}`, `{2,}` or `{2,3}` at the start of `rest`; Go reads every other brace as itself.
fn repeat_len(rest: &str) -> Option<usize> {
    let inner = &rest[1..rest.find('}')?];
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (min, max) = inner.split_once(',').unwrap_or((inner, ""));
    (is_number(min) && (max.is_empty() || is_number(max))).then_some(inner.len() + 2)
}

/// Writes the class that `rest` begins with, in which Rust knows operators and nesting that Go does not.
fn class(rest: &str, out: &mut String) -> usize {
    let head = ["[^]", "[]", "[^", "["].into_iter().find(|head| rest.starts_with(head)).unwrap_or("[");
    out.push_str(&head.replace(']', "\\]"));
    let mut at = head.len();
    while let Some(next) = rest[at..].chars().next() {
        at += match next {
            ']' => return at + literal("]", 1, out),
            '\\' => escape(&rest[at..], out),
            '[' => match rest[at..].starts_with("[:").then(|| rest[at..].find(":]")).flatten() {
                Some(end) => literal(&rest[at..at + end + 2], end + 2, out),
                None => literal("\\[", 1, out),
            },
            '&' | '~' => literal(if next == '&' { "\\&" } else { "\\~" }, 1, out),
            '-' if rest[at..].starts_with("--") => literal("-\\-", 2, out),
            next => literal(&rest[at..at + next.len_utf8()], next.len_utf8(), out),
        };
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn converted(regex: &str, wanted: Wanted) -> String {
        pattern(regex, wanted).unwrap_or_else(|reason| panic!("{regex}: {reason}")).pattern
    }

    #[test]
    fn the_wanted_group_is_the_secret_and_the_others_capture_nothing() {
        let cases = [
            ("a(b)(c)", Wanted::Default, "a(?<secret>b)(?:c)"),
            ("a(b)(c)", Wanted::Group(2), "a(?:b)(?<secret>c)"),
            ("a(?P<x>b)(?:c)(?<y>d)", Wanted::Group(2), "a(?:b)(?:c)(?<secret>d)"),
            ("a(b(c))", Wanted::Group(2), "a(?:b(?<secret>c))"),
            ("((a)b)", Wanted::Default, "(?<secret>(?:a)b)"),
            ("a(b)", Wanted::Whole, "(?<secret>a(?:b))"),
            ("(a)b", Wanted::Whole, "(?<secret>(?:a)b)"),
            ("abc", Wanted::Default, "(?<secret>abc)"),
            ("a|b", Wanted::Default, "(?<secret>a|b)"),
            (r"(?i)\bab\b", Wanted::Default, r"(?i)\b(?<secret>ab\b)"),
            ("(a)|(b)", Wanted::Default, "(?<secret>(?:a)|(?:b))"),
            ("a(b)?c", Wanted::Default, "(?<secret>a(?:b)?c)"),
            ("a(b*)c", Wanted::Default, "(?<secret>a(?:b*)c)"),
        ];
        for (regex, wanted, expected) in cases {
            assert_eq!(converted(regex, wanted), expected, "{regex} {wanted:?}");
        }
    }

    #[test]
    fn what_go_reads_otherwise_is_written_otherwise() {
        let cases = [
            (r"\${[a-z]+}", r"\$\{[a-z]+}"),
            (r"a{2}b{3,}c{4,5}d{,6}{", r"a{2}b{3,}c{4,5}d\{,6}\{"),
            (r"\Qa.b\E+", r"a\.b+"),
            (r"\<a\>", "<a>"),
            (r"[a[b]", r"[a\[b]"),
            (r"[[:alnum:]_[]", r"[[:alnum:]_\[]"),
            (r"[]a]", r"[\]a]"),
            (r"[^]a]", r"[^\]a]"),
            (r"[a&&b~~]", r"[a\&\&b\~\~]"),
            (r"[+--]", r"[+-\-]"),
            (r"[\]\\]\\[a]", r"[\]\\]\\[a]"),
            (r#"['\x60"]\x2d\z"#, r#"['\x60"]\x2d\z"#),
        ];
        for (regex, expected) in cases {
            assert_eq!(exemption(regex).as_deref(), Ok(expected), "{regex}");
            let built = regex_syntax::ParserBuilder::new().unicode(false).utf8(false).build().parse(expected);
            assert!(built.is_ok(), "{expected}");
        }
    }

    #[test]
    fn the_ends_of_a_file_become_those_of_a_record() {
        let found = pattern(r"^ab(c)$|\Ad\z", Wanted::Whole).expect("a valid regex");
        assert_eq!(found.pattern, "(?<secret>(?mR:^)ab(?:c)(?mR:$)|(?mR:^)d(?mR:$))");
        assert!(found.edges && !found.widened);
    }

    #[test]
    fn what_has_no_meaning_here_is_refused() {
        let cases = [
            ("a(?=b)", Wanted::Default, "look-around"),
            ("(?<!a)b", Wanted::Default, "look-around"),
            (r"(a)\1", Wanted::Default, "back-references"),
            ("a(b", Wanted::Default, "unclosed group"),
            ("a(b)", Wanted::Group(2), "the regex has 1 groups"),
            ("a(b*)", Wanted::Group(1), "may take no part"),
            ("a(b)?", Wanted::Group(1), "may take no part"),
        ];
        for (regex, wanted, expected) in cases {
            let reason = pattern(regex, wanted).expect_err(regex);
            assert!(reason.contains(expected), "{regex}: {reason}");
        }
    }
}
