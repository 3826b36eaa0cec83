//! How records are written once they were masked: fragments of a container runtime as one line, and a record's id behind it.
//! It finds nothing and brings nothing back: it works on masked bytes, and adds nothing but ids.
//!
//! | record | where the id goes |
//! |---|---|
//! | a JSON object | a last member, `"inkout_id":"…"` |
//! | a JSON array or text | nowhere: it would be none any more |
//! | a CRI line | behind the application's text, as for the text alone; of fragments, behind the last |
//! | Docker's json-file | a last member beside `log` |
//! | an empty one | nowhere |
//! | any other | at its end, ` inkout_id=…` |

use std::fmt::{Display, Write as _};
use std::ops::Range;

use super::Masked;
use super::fragment;

/// What is done to records. The default is nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shape {
    /// Lines that a container runtime cut are written as one, where all of its fragments are in one block. It stands where
    /// the first of them stood, with its time.
    pub join: bool,
    /// Each record says where it came from.
    pub id: Option<RecordId>,
}

/// The part of a record's id that all records of a stream share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordId(String);

impl RecordId {
    /// Of records of `source`, in the stream or file with that fingerprint. Other characters than letters, digits, `-` and `_`
    /// are left out.
    pub fn new(source: &str, fingerprint: &impl Display) -> RecordId {
        let allowed = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        let fingerprint = fingerprint.to_string();
        let mut id: String = source.chars().filter(allowed).collect();
        id.push(':');
        id.extend(fingerprint.chars().filter(allowed));
        id.push(':');
        RecordId(id)
    }
}

/// The bytes that were masked, and where they stood in their stream.
#[derive(Clone, Copy, Debug)]
pub struct Placed<'p> {
    /// As they came.
    pub body: &'p [u8],
    /// Where they begin.
    pub offset: u64,
    /// How many lines each record has; empty: one each.
    pub lines: &'p [u32],
    /// Whether the last record goes on in the next piece.
    pub goes_on: bool,
    /// The record that the first bytes go on with.
    pub begun: Option<Begun>,
}

/// A record of which only the beginning has been seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Begun {
    start: u64,
    kind: Kind,
}

/// What a text looks like at its beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Object,
    /// Another JSON value, if it ends as it begins.
    Value(u8),
    Text,
}

impl Shape {
    /// Whether nothing is done.
    pub fn is_default(&self) -> bool {
        !self.join && self.id.is_none()
    }

    /// Shapes the records of a piece. What is returned beside them is to be given with the next piece.
    pub fn apply(&self, masked: Masked, placed: &Placed<'_>) -> (Masked, Option<Begun>) {
        if self.is_default() || masked.0.is_empty() {
            return (masked, placed.begun.filter(|_| placed.goes_on));
        }
        let mut records = records(&masked.0, placed);
        let mut text = masked.0;
        if self.join && placed.lines.is_empty() {
            let mut joined = Vec::with_capacity(text.len());
            records = join(&text, &records, &mut joined);
            text = joined.into();
        }
        let begun = records.last().filter(|_| placed.goes_on).map(|last| Begun {
            start: last.start,
            kind: placed
                .begun
                .filter(|_| records.len() == 1)
                .map_or_else(|| kind(&text[last.text.clone()]), |begun| begun.kind),
        });
        let Some(id) = &self.id else { return (Masked(text), begun) };
        let unfinished = usize::from(placed.goes_on);
        let mut stamped = Vec::with_capacity(text.len() + 64 * records.len());
        let mut fragments = [None; 2];
        for (at, record) in records.iter().enumerate() {
            let bytes = &text[record.text.clone()];
            if at + unfinished >= records.len() {
                stamped.extend_from_slice(bytes);
                continue;
            }
            let begun = placed.begun.filter(|_| at == 0);
            stamp(bytes, record.start, begun, &mut fragments, id, &mut stamped);
        }
        (Masked(stamped.into()), begun)
    }
}

/// A record in the masked text, and where it began in its stream.
#[derive(Debug)]
struct Record {
    text: Range<usize>,
    start: u64,
}

/// Masking keeps the number of lines, so that the lines of both texts belong together.
fn records(masked: &[u8], placed: &Placed<'_>) -> Vec<Record> {
    let (mut found, mut counts) = (Vec::new(), placed.lines.iter().copied());
    let (mut at, mut came) = (0, 0);
    while at < masked.len() {
        let count = counts.next().unwrap_or(1).max(1) as usize;
        let end = at + lines_end(&masked[at..], count);
        let start = match placed.begun {
            Some(begun) if at == 0 => begun.start,
            _ => placed.offset + came as u64,
        };
        found.push(Record { text: at..end, start });
        at = end;
        came += lines_end(placed.body.get(came..).unwrap_or_default(), count);
    }
    found
}

fn lines_end(text: &[u8], count: usize) -> usize {
    memchr::memchr_iter(b'\n', text).nth(count - 1).map_or(text.len(), |at| at + 1)
}

/// Writes lines that belong together as one, and the others as they are.
fn join(text: &[u8], lines: &[Record], out: &mut Vec<u8>) -> Vec<Record> {
    let mut taken = vec![false; lines.len()];
    let mut joined = Vec::with_capacity(lines.len());
    let mut group = Vec::new();
    // Lines before these have no end here, by stream: they are not sought again.
    let mut endless = [0; 2];
    for at in 0..lines.len() {
        if taken[at] {
            continue;
        }
        let begin = out.len();
        if gather(text, lines, at, &mut endless, &mut group) {
            group.iter().for_each(|(line, _)| taken[*line] = true);
            write_joined(text, &lines[at].text, &group, out);
        } else {
            out.extend_from_slice(&text[lines[at].text.clone()]);
        }
        joined.push(Record { text: begin..out.len(), start: lines[at].start });
    }
    joined
}

/// The lines that go on with the line `at`, itself the first, and their contents. False unless the last of them is there.
fn gather(
    text: &[u8],
    lines: &[Record],
    at: usize,
    endless: &mut [usize; 2],
    group: &mut Vec<(usize, Range<usize>)>,
) -> bool {
    group.clear();
    let parse = |at: usize| fragment::parse(text, without_end(text, &lines[at].text));
    let Some(first) = parse(at).filter(|first| first.partial) else { return false };
    let endless = &mut endless[usize::from(first.writer.stderr)];
    if at < *endless {
        return false;
    }
    group.push((at, first.content.clone()));
    for next in at + 1..lines.len() {
        let Some(fragment) = parse(next) else {
            *endless = next;
            return false;
        };
        if fragment.writer.stderr == first.writer.stderr {
            group.push((next, fragment.content.clone()));
            if !fragment.partial {
                return true;
            }
        }
    }
    *endless = lines.len();
    false
}

fn write_joined(text: &[u8], first: &Range<usize>, group: &[(usize, Range<usize>)], out: &mut Vec<u8>) {
    let content = &group[0].1;
    let head = &text[first.start..content.start];
    match head.strip_suffix(b"P ") {
        Some(head) => {
            out.extend_from_slice(head);
            out.extend_from_slice(b"F ");
        }
        None => out.extend_from_slice(head),
    }
    group.iter().for_each(|(_, content)| out.extend_from_slice(&text[content.clone()]));
    out.extend_from_slice(&text[content.end..first.end]);
}

fn without_end(text: &[u8], line: &Range<usize>) -> Range<usize> {
    let ended = text[line.clone()].ends_with(b"\n");
    line.start..line.end - usize::from(ended)
}

/// Appends a whole record with its id. `fragments` are the beginnings of CRI lines that are not ended yet, by stream.
fn stamp(
    record: &[u8],
    start: u64,
    begun: Option<Begun>,
    fragments: &mut [Option<Begun>; 2],
    id: &RecordId,
    out: &mut Vec<u8>,
) {
    let end = record.trim_ascii_end().len();
    let mut begun = begun.unwrap_or_else(|| Begun { start, kind: kind(record) });
    let line = record.strip_suffix(b"\n").unwrap_or(record);
    let mut content = 0;
    if let Some(cri) = fragment::cri(line, 0) {
        let open = &mut fragments[usize::from(cri.writer.stderr)];
        content = cri.content.start;
        begun = open.take().unwrap_or_else(|| Begun { start, kind: kind(&line[content..]) });
        if cri.partial {
            *open = Some(begun);
            return out.extend_from_slice(record);
        }
    }
    let Some(last) = record[..end].last().filter(|_| end > content) else { return out.extend_from_slice(record) };
    let (place, member) = match (begun.kind, last) {
        (Kind::Object, b'}') => (end - 1, true),
        (Kind::Value(close), last) if close == *last => return out.extend_from_slice(record),
        _ => (end, false),
    };
    out.extend_from_slice(&record[..place]);
    let mut text = String::with_capacity(96);
    let written = if member {
        let empty = record[..place].trim_ascii_end().ends_with(b"{");
        write!(text, "{}\"inkout_id\":\"{}{}\"", if empty { "" } else { "," }, id.0, begun.start)
    } else {
        write!(text, " inkout_id={}{}", id.0, begun.start)
    };
    written.expect("a string takes everything");
    out.extend_from_slice(text.as_bytes());
    out.extend_from_slice(&record[place..]);
}

/// What `text` begins with.
fn kind(text: &[u8]) -> Kind {
    let text = text.trim_ascii_start();
    let second = || text[1..].trim_ascii_start().first().copied().unwrap_or(0);
    match text.first() {
        Some(b'{') if matches!(second(), b'"' | b'}') => Kind::Object,
        // `[INFO]` is no array.
        Some(b'[') if matches!(second(), b'"' | b'{' | b'[' | b']' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n') => {
            Kind::Value(b']')
        }
        Some(b'"') => Kind::Value(b'"'),
        _ => Kind::Text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAMP: &str = "2026-03-04T05:06:07.000000001Z";

    fn shape(shape: &Shape, pieces: &[(&str, bool)], lines: &[u32]) -> String {
        let (mut out, mut begun, mut offset) = (String::new(), None, 0);
        for (text, goes_on) in pieces {
            let body = text.as_bytes();
            let placed = Placed { body, offset, lines, goes_on: *goes_on, begun };
            let (masked, next) = shape.apply(Masked(text.to_string().into()), &placed);
            out += std::str::from_utf8(masked.as_bytes()).unwrap();
            (begun, offset) = (next, offset + text.len() as u64);
        }
        out
    }

    fn ids() -> Shape {
        Shape { join: false, id: Some(RecordId::new("app", &"00ff")) }
    }

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(shape(&ids(), &[(text, false)], &[]), expected);
    }

    #[test]
    fn a_record_says_where_it_began() {
        check("one\ntwo\r\n", "one inkout_id=app:00ff:0\ntwo inkout_id=app:00ff:4\r\n");
        check("\n \nx", "\n \nx inkout_id=app:00ff:3");
        check("[INFO] up\n[warn]\n", "[INFO] up inkout_id=app:00ff:0\n[warn] inkout_id=app:00ff:10\n");
        assert_eq!(RecordId::new("a\" b", &"c\n"), RecordId("ab:c:".to_owned()));
    }

    #[test]
    fn json_stays_json() {
        let cases = [
            ("{\"a\":1}\n", "{\"a\":1,\"inkout_id\":\"app:00ff:0\"}\n"),
            ("{ }", "{ \"inkout_id\":\"app:00ff:0\"}"),
            (" {\"a\": {\"b\": []} } \r\n", " {\"a\": {\"b\": []} ,\"inkout_id\":\"app:00ff:0\"} \r\n"),
            ("[1, 2]\n", "[1, 2]\n"),
            ("\"text\"\n", "\"text\"\n"),
            (
                "{\"log\":\"a\\n\",\"stream\":\"stdout\"}\n",
                "{\"log\":\"a\\n\",\"stream\":\"stdout\",\"inkout_id\":\"app:00ff:0\"}\n",
            ),
        ];
        for (text, expected) in cases {
            check(text, expected);
            serde_json::from_str::<serde_json::Value>(expected).unwrap();
        }
        check("{a} b\n", "{a} b inkout_id=app:00ff:0\n");
    }

    #[test]
    fn of_fragments_the_last_bears_the_id_of_the_first() {
        let text = format!(
            "{STAMP} stdout P {{\"a\":\n{STAMP} stderr F x\n{STAMP} stdout F 1}}\n{STAMP} stdout F y\n{STAMP} stdout F \n"
        );
        let len = STAMP.len() as u64;
        let expected = format!(
            "{STAMP} stdout P {{\"a\":\n{STAMP} stderr F x inkout_id=app:00ff:{}\n{STAMP} stdout F 1,\"inkout_id\":\"app:00ff:0\"}}\n\
             {STAMP} stdout F y inkout_id=app:00ff:{}\n{STAMP} stdout F \n",
            len + 16,
            3 * len + 41
        );
        check(&text, &expected);
    }

    #[test]
    fn a_record_in_parts_has_one_id() {
        let parts = [("{\"a\":", true), ("1,", true), ("2}\nx\n", false), ("y\n", false)];
        assert_eq!(
            shape(&ids(), &parts, &[]),
            "{\"a\":1,2,\"inkout_id\":\"app:00ff:0\"}\nx inkout_id=app:00ff:10\ny inkout_id=app:00ff:12\n"
        );
        assert_eq!(
            shape(&ids(), &[("a\nb\nc\n", false)], &[2, 1]),
            "a\nb inkout_id=app:00ff:0\nc inkout_id=app:00ff:4\n"
        );
    }

    #[test]
    fn fragments_become_one_line() {
        let join = Shape { join: true, id: None };
        let both = Shape { join: true, ..ids() };
        let text =
            format!("{STAMP} stdout P ab\n{STAMP} stderr F x\n{STAMP} stdout P cd\n{STAMP} stdout F ef\r\nplain\n");
        let expected = format!("{STAMP} stdout F abcdef\r\n{STAMP} stderr F x\nplain\n");
        assert_eq!(shape(&join, &[(&text, false)], &[]), expected);
        let stamped = shape(&both, &[(&text, false)], &[]);
        assert!(stamped.starts_with(&format!("{STAMP} stdout F abcdef inkout_id=app:00ff:0\r\n")), "{stamped}");
        let docker = "{\"log\":\"ab\",\"stream\":\"stdout\",\"time\":\"1\"}\n{\"log\":\"cd\\n\",\"stream\":\"stdout\",\"time\":\"2\"}\n";
        assert_eq!(
            shape(&join, &[(docker, false)], &[]),
            "{\"log\":\"abcd\\n\",\"stream\":\"stdout\",\"time\":\"1\"}\n"
        );
        // What has no end here stays as it came, and so does everything that is no fragment.
        for text in [&format!("{STAMP} stdout P ab\n{STAMP} stderr F x\n"), "a\nb\n\n", "", "{\"log\":\"x\"}\n"] {
            assert_eq!(shape(&join, &[(text, false)], &[]), text);
        }
    }

    #[test]
    fn nothing_asked_for_is_nothing_done() {
        let text = "{\"a\":1}\nx";
        assert_eq!(shape(&Shape::default(), &[(text, false)], &[]), text);
    }
}
