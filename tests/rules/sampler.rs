//! Draws strings from a pattern, so that a rule is held to more than the examples somebody thought of. It is no fuzzer: every
//! string it writes is meant to match, look-arounds excepted, which it ignores.

use regex_syntax::hir::{Class, Hir, HirKind, Repetition};

use crate::rng::Rng;

/// Copies of a repeat beyond its minimum, as a rule.
const FEW: u32 = 3;
/// And now and then.
const MANY: u32 = 40;

/// The pattern as rules mean it: bytes, ASCII classes, `^` and `$` at the ends of lines.
pub(crate) fn parse(pattern: &str) -> Hir {
    let mut parser = regex_syntax::ParserBuilder::new().unicode(false).utf8(false).multi_line(true).crlf(true).build();
    parser.parse(pattern).unwrap_or_else(|error| panic!("{error}"))
}

/// Text that `hir` matches; the same for the same `random`.
pub(crate) fn draw(hir: &Hir, random: &mut Rng) -> Vec<u8> {
    let mut out = Vec::new();
    write(hir, random, &mut out);
    out
}

fn write(hir: &Hir, random: &mut Rng, out: &mut Vec<u8>) {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => {}
        HirKind::Literal(literal) => out.extend_from_slice(&literal.0),
        HirKind::Class(class) => out.push(byte_of(class, random)),
        HirKind::Capture(capture) => write(&capture.sub, random, out),
        HirKind::Concat(parts) => parts.iter().for_each(|part| write(part, random, out)),
        HirKind::Alternation(branches) => write(&branches[random.below(branches.len() as u32) as usize], random, out),
        HirKind::Repetition(repetition) => {
            (0..copies(repetition, random)).for_each(|_| write(&repetition.sub, random, out));
        }
    }
}

fn copies(repetition: &Repetition, random: &mut Rng) -> u32 {
    let spread = if random.below(16) == 0 { MANY } else { FEW };
    let most = repetition.max.unwrap_or(u32::MAX).min(repetition.min.saturating_add(spread));
    random.between(repetition.min, most)
}

/// A byte of the class that a line of a log holds: printable ASCII where there is one.
fn byte_of(class: &Class, random: &mut Rng) -> u8 {
    let class = match class {
        Class::Bytes(class) => class.clone(),
        Class::Unicode(class) => class.to_byte_class().expect("a pattern of bytes holds no other characters"),
    };
    let holds = |byte: &u8| class.iter().any(|range| (range.start()..=range.end()).contains(byte));
    let printable: Vec<u8> = (b' '..=b'~').filter(holds).collect();
    let others: Vec<u8> = (0..=u8::MAX).filter(holds).collect();
    let bytes = if printable.is_empty() { others } else { printable };
    bytes[random.below(bytes.len() as u32) as usize]
}
