//! What was said about the keys seen last. A log repeats its keys: one of them is cut into words once, and known again by
//! its bytes. It decides nothing: an answer depends on the question alone.

use std::ops::Range;

/// A longer key is not remembered.
const MAX_KEY: usize = 64;
/// Keys remembered, a power of two. Few logs have as many that hold a secret's word.
const SLOTS: usize = 256;

/// The answers to the last questions, each in the one slot its hash names.
pub(crate) struct Memo {
    slots: Box<[(Question, Answer)]>,
}

/// The sequence that a key holds, if it is a secret's.
type Answer = Option<u16>;

/// Everything the answer depends on: the key, where in it the word stands, and which word.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Question {
    key: [u64; MAX_KEY / 8],
    /// 0 is no question: a word has a length.
    word: u64,
}

impl Default for Memo {
    fn default() -> Memo {
        Memo { slots: vec![(Question::default(), None); SLOTS].into() }
    }
}

impl Memo {
    /// The answer to `question`, asked for where it is not remembered.
    #[inline]
    pub(super) fn answer(&mut self, question: Question, ask: impl FnOnce() -> Answer) -> Answer {
        let (known, answer) = &mut self.slots[question.slot()];
        if *known != question {
            (*known, *answer) = (question, ask());
        }
        *answer
    }
}

impl Question {
    /// The question for the word at `word` of the key at `key`; `None` where the key is too long, or at the end of the haystack.
    #[inline]
    pub(super) fn new(haystack: &[u8], key: &Range<usize>, word: &Range<usize>, group: u16) -> Option<Question> {
        let bytes: &[u8; MAX_KEY] = haystack[key.start..].first_chunk().filter(|_| key.len() <= MAX_KEY)?;
        let mut words = [0; MAX_KEY / 8];
        for (at, (word, bytes)) in words.iter_mut().zip(bytes.as_chunks::<8>().0).enumerate() {
            let len = key.len().saturating_sub(8 * at).min(8) as u32;
            *word = u64::from_le_bytes(*bytes) & u64::MAX.checked_shr(64 - 8 * len).unwrap_or(0);
        }
        let word = u64::from(group) << 32 | (key.len() as u64) << 16 | (word.start as u64) << 8 | word.len() as u64;
        Some(Question { key: words, word })
    }

    #[inline]
    fn slot(&self) -> usize {
        let seed = self.word.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let folded =
            self.key.iter().fold(seed, |hash, word| (hash.rotate_left(23) ^ word).wrapping_mul(0x9FB2_1C65_1E98_DF25));
        (folded >> 56) as usize % SLOTS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(haystack: &[u8], key: Range<usize>, word: Range<usize>, group: u16) -> Option<Question> {
        Question::new(haystack, &key, &word, group)
    }

    #[test]
    fn a_question_is_the_key_and_nothing_around_it() {
        let (a, b) = (
            [b"=api_token=".as_slice(), &[b'x'; MAX_KEY]].concat(),
            [b"&api_token:".as_slice(), &[b'y'; MAX_KEY]].concat(),
        );
        assert!(question(&a, 1..10, 4..9, 7) == question(&b, 1..10, 4..9, 7));
        let others = [(1..9, 4..9, 7), (1..10, 3..9, 7), (1..10, 4..8, 7), (1..10, 4..9, 8), (2..11, 4..9, 7)];
        for (key, word, group) in others {
            assert!(question(&a, 1..10, 4..9, 7) != question(&a, key, word, group));
        }
    }

    #[test]
    fn a_long_key_and_one_at_the_end_are_not_remembered() {
        let text = [b'a'; 2 * MAX_KEY];
        assert!(question(&text, 0..MAX_KEY + 1, 0..5, 0).is_none());
        assert!(question(&text, MAX_KEY + 1..MAX_KEY + 9, 0..5, 0).is_none());
        assert!(question(&text, 0..MAX_KEY, 0..5, 0).is_some());
    }

    #[test]
    fn a_slot_that_is_taken_answers_only_its_own_question() {
        let mut memo = Memo::default();
        let text: Vec<u8> = (0..=255).chain(0..=255).collect();
        for at in 0..200 {
            let question = question(&text, at..at + 9, 0..5, 0).unwrap();
            assert_eq!(memo.answer(question, || Some(at as u16)), Some(at as u16));
            assert_eq!(memo.answer(question, || unreachable!()), Some(at as u16));
        }
        for at in 0..200 {
            let question = question(&text, at..at + 9, 0..5, 0).unwrap();
            assert_eq!(memo.answer(question, || Some(at as u16)), Some(at as u16));
        }
    }
}
