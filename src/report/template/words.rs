//! Words that say "put yours here", fillers and counted-up characters. What they leave over decides: a random remainder is a
//! secret, whatever words stand before it.

/// Words that make what stands around them a stand-in, strangers to us included: `YOUR_ACME_TOKEN`.
const STRONG: &str =
    "your example changeme change changeit replace replaceme placeholder dummy insert here todo fixme redacted";
/// Words that make known words around them a stand-in.
const MARKS: &str = "yours examples sample fake mock mocked demo test tests testing tester tbd enter paste put fill foo bar \
    baz qux foobar masked hidden removed omitted some something whatever any invalid wrong incorrect lorem \
    ipsum stub notreal not unused xx xxx";
/// Words that name a secret instead of being one, and the small ones between them.
const NOUNS: &str = "api key keys token tokens secret secrets password passwd pass pwd passphrase pw client id access auth \
    oauth authorization authentication app application user username private public account value val string \
    str text the a an of for to goes go this that with me it in on now please new old is and or from by super \
    very long strong random generated secure safe my our own credential credentials login session bearer \
    basic refresh jwt hash salt sign signing encryption encrypt encrypted master root admin service db \
    database data name email web hook webhook url server host dev local prod production staging org company \
    project team bot device code number personal chars characters minimum min at least encoded hex base github gitlab \
    google aws azure slack stripe openai anthropic sendgrid twilio npm pypi docker redis postgres mysql mongo \
    sk pk live proj ghp xoxb real actual";
/// More digits than this, or a longer unknown word, is a remainder.
const MAX_DIGITS: usize = 4;
const MAX_WORD: usize = 18;
/// `HttpProxyAuthenticationRequired` is no longer.
const MAX_NAME: usize = 32;
/// From here on a run may be called random.
const MIN_RANDOM: usize = 12;
/// AWS ends the made-up keys of its documents so.
const AWS_ENDS: [&[u8]; 2] = [b"EXAMPLE", b"EXAMPLEKEY"];

/// Whether `value` is made of words, fillers and counting alone.
pub(super) fn are_instructions(value: &[u8]) -> bool {
    if value.is_empty() || value.len() > 256 {
        return false;
    }
    if AWS_ENDS.iter().any(|end| value.len() > end.len() && value.ends_with(end)) {
        return true;
    }
    let runs: Vec<&[u8]> = value.split(|byte| !byte.is_ascii_alphanumeric()).filter(|run| !run.is_empty()).collect();
    if runs.is_empty() {
        return value.iter().all(|byte| b"*.-_#?/ ".contains(byte));
    }
    let mut seen = Seen::default();
    let known = runs.iter().enumerate().all(|(at, run)| seen.take(run, at == 0));
    known && seen.is_enough()
}

/// Whether `value` holds a run that nobody would write by hand.
pub(super) fn look_random(value: &[u8]) -> bool {
    let run = |run: &[u8]| {
        let digits = run.iter().filter(|byte| byte.is_ascii_digit()).count();
        let lower = run.iter().any(u8::is_ascii_lowercase);
        let upper = run.iter().any(u8::is_ascii_uppercase);
        let mixed = digits >= 2 && (lower || upper) || lower && upper && turns(run) * 3 >= run.len();
        run.len() >= MIN_RANDOM && mixed && !counts_up(run) && !is_filler(run)
    };
    value.split(|byte| !byte.is_ascii_alphanumeric()).any(run)
}

/// Whether `value` is words as they stand in names, types and sentences: `unexpected`, `AWS::IAM::AccessKey`.
pub(super) fn are_plain(value: &[u8]) -> bool {
    let letters = |run: &[u8]| run.len() <= MAX_NAME && turns(run) * 2 < run.len().max(6);
    let plain = |byte: &u8| byte.is_ascii_alphabetic() || b" _-.:/<>()'\"".contains(byte);
    value.iter().all(plain) && value.split(|byte| !byte.is_ascii_alphabetic()).all(letters)
}

/// Changes from lower to upper case and between letters and digits.
fn turns(run: &[u8]) -> usize {
    let class = |byte: u8| (byte.is_ascii_digit(), byte.is_ascii_uppercase());
    run.windows(2).filter(|pair| class(pair[0]) != class(pair[1])).count()
}

/// What the runs of a value were.
#[derive(Default)]
struct Seen {
    marks: usize,
    strong: usize,
    fillers: usize,
    /// Words in no list.
    strangers: usize,
    digits: usize,
    nouns: usize,
}

impl Seen {
    /// Takes a run of letters and digits; false for a random one.
    fn take(&mut self, run: &[u8], first: bool) -> bool {
        if is_filler(run) || counts_up(run) {
            self.fillers += 1;
            return true;
        }
        if look_random(run) {
            return false;
        }
        pieces(run).into_iter().all(|piece| self.piece(piece, first))
    }

    fn piece(&mut self, piece: &[u8], first: bool) -> bool {
        if piece[0].is_ascii_digit() {
            self.digits += piece.len();
            return piece.len() <= MAX_DIGITS || counts_up(piece);
        }
        if is_filler(piece) {
            self.fillers += 1;
            return true;
        }
        let word = piece.to_ascii_lowercase();
        if let Some((marks, strong)) = spelled(&word) {
            self.marks += marks;
            self.strong += strong;
            self.nouns += 1;
            return true;
        }
        // A vendor's prefix (`sr_`) or name.
        self.strangers += usize::from(!(first && piece.len() <= 4));
        piece.len() <= MAX_WORD
    }

    fn is_enough(&self) -> bool {
        if self.strong > 0 {
            return self.digits <= 2 * MAX_DIGITS;
        }
        let plain = self.strangers == 0;
        plain && (self.fillers > 0 || self.marks > 0 || self.nouns > 0 && self.digits == 0)
    }
}

/// `apiKey2` is `api`, `Key` and `2`; `URLToken` is `URL` and `Token`.
fn pieces(run: &[u8]) -> Vec<&[u8]> {
    let mut pieces = Vec::new();
    let mut start = 0;
    for at in 1..run.len() {
        let (before, here, after) = (run[at - 1], run[at], run.get(at + 1));
        let digits = before.is_ascii_digit() != here.is_ascii_digit();
        let hump = before.is_ascii_lowercase() && here.is_ascii_uppercase();
        let acronym =
            before.is_ascii_uppercase() && here.is_ascii_uppercase() && after.is_some_and(u8::is_ascii_lowercase);
        if digits || hump || acronym {
            pieces.push(&run[start..at]);
            start = at;
        }
    }
    pieces.push(&run[start..]);
    pieces
}

/// Marks and strong marks of a word that is one of ours or several written together (`yourapikeyhere`).
fn spelled(word: &[u8]) -> Option<(usize, usize)> {
    // By end: the best way to spell the word up to there.
    let mut ways: Vec<Option<(usize, usize)>> = vec![None; word.len() + 1];
    ways[0] = Some((0, 0));
    for at in 0..word.len() {
        let Some((marks, strong)) = ways[at] else { continue };
        for (list, known) in known_words().filter(|(_, known)| word[at..].starts_with(known.as_bytes())) {
            let way = (marks + usize::from(list != NOUNS), strong + usize::from(list == STRONG));
            let end = &mut ways[at + known.len()];
            *end = Some(end.map_or(way, |other| other.max(way)));
        }
    }
    ways[word.len()]
}

fn known_words() -> impl Iterator<Item = (&'static str, &'static str)> {
    [STRONG, MARKS, NOUNS].into_iter().flat_map(|list| list.split(' ').map(move |word| (list, word)))
}

/// `xxxx`, `XXXX`, `0000`, `aaaaaaaa`; two characters in turn count as well.
fn is_filler(run: &[u8]) -> bool {
    let same = run.iter().all(|byte| *byte == run[0]);
    let turn = run.len() >= 8 && run.iter().enumerate().all(|(at, byte)| *byte == run[at % 2]);
    same && (run.len() >= 8 || run.len() >= 3 && b"xX0".contains(&run[0])) || turn
}

/// `1234567890abcdef`, `abcdefgh`: each character mostly follows the one before it.
fn counts_up(run: &[u8]) -> bool {
    let follows = |pair: &&[u8]| {
        let (before, after) = (pair[0].to_ascii_lowercase(), pair[1].to_ascii_lowercase());
        after == before.wrapping_add(1)
            || matches!((before, after), (b'9', b'0' | b'a') | (b'f' | b'z' | b'0', b'0' | b'1' | b'a'))
    };
    run.len() >= 8 && run.windows(2).filter(follows).count() * 10 >= (run.len() - 1) * 9
}
