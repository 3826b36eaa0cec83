//! From spans to bytes: union, action, one write. Finding the spans is `scan`'s work.

use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;

use super::action::{self, Fingerprint, Purpose};
use super::allow;
use super::compile::is_audit;
use super::field::UNINSPECTED;
use super::keys;
use super::policy::Action;
use super::rule::Category;
use super::scan::{Carry, Cost, Scratch};
use super::span::{self, Form, Span};
use super::tally::Tally;
use super::{Engine, Masked};

impl Engine {
    /// Redacts a block of whole records. Total: any bytes are taken, and a record on which a rule panics is masked whole.
    ///
    /// A block without findings is passed on without a copy.
    pub fn redact(&self, scratch: &mut Scratch, carry: &Carry, block: Bytes) -> (Masked, Carry, Tally) {
        match catch_unwind(AssertUnwindSafe(|| self.scan_records(scratch, carry, &block))) {
            Ok(next) => {
                let mut tally = self.tally(scratch, &block);
                let masked = self.write(scratch, block, &mut tally);
                tally.bytes_out = masked.0.len() as u64;
                (masked, next, tally)
            }
            Err(_) => self.redact_by_record(scratch, carry, &block),
        }
    }

    /// As [`Engine::scan`], with what is learned from earlier records.
    fn scan_records(&self, scratch: &mut Scratch, carry: &Carry, haystack: &[u8]) -> Carry {
        let next = self.scan(scratch, carry, haystack);
        let lessons = self.recall(scratch, &carry.lessons, haystack, &(0..haystack.len()));
        Carry { lessons, ..next }
    }

    /// Every finding of `haystack`, united, as [`Engine::redact`] would mask them.
    pub fn find(&self, scratch: &mut Scratch, haystack: &[u8]) -> Vec<Span> {
        self.scan_records(scratch, &Carry::default(), haystack);
        let mut tally = Tally::default();
        self.settle(scratch, haystack, &mut tally);
        std::mem::take(&mut scratch.spans)
    }

    /// Every finding before union, those of rules that are off or in shadow included: what tests and `explain` look at.
    pub fn find_all(&self, scratch: &mut Scratch, haystack: &[u8]) -> Vec<Span> {
        self.scan_records(scratch, &Carry::default(), haystack);
        std::mem::take(&mut scratch.spans)
    }

    /// The fingerprint of what was found: 16 hex digits, the same for the same secret in every carrier and under every rule.
    /// `None` where the policy has no key.
    pub fn fingerprint(&self, purpose: Purpose, secret: &[u8]) -> Option<Fingerprint> {
        self.policy.hash_key.as_ref().map(|key| action::fingerprint(key.bytes(), purpose, secret))
    }

    /// What stands in place of `secret`, the bytes of `span`.
    pub fn placeholder(&self, span: &Span, secret: &[u8]) -> Masked {
        let mut out = Vec::new();
        self.write_span(span, secret, &mut out);
        Masked(out.into())
    }

    /// How often each rule was tried since `scratch` was made, by rule.
    pub fn costs<'s>(&self, scratch: &'s Scratch) -> &'s [Cost] {
        &scratch.costs
    }

    pub(super) fn tally(&self, scratch: &Scratch, block: &[u8]) -> Tally {
        Tally {
            bytes_in: block.len() as u64,
            lines: if self.limits.count_lines { memchr::memchr_iter(b'\n', block).count() as u64 } else { 0 },
            candidates: scratch.counts.candidates,
            literals: scratch.counts.literals,
            survivors: scratch.counts.survivors,
            regex_calls: scratch.counts.regex_calls,
            ..Tally::default()
        }
    }

    /// Leaves in `scratch.spans` what is to be masked: no rule that is off or in shadow, overlaps united, all counted.
    pub(super) fn settle(&self, scratch: &mut Scratch, haystack: &[u8], tally: &mut Tally) {
        let rules = &self.set.rules;
        scratch.exempted.iter().for_each(|(_, entry)| tally.count_allowed(*entry));
        scratch.spans.retain(|span| {
            let shadow = rules[span.rule.index()].shadow;
            let off = self.actions[span.rule.index()] == Action::Keep;
            if shadow && !off {
                tally.count_shadow(span.rule);
            }
            self.masks(haystack, span)
        });
        span::unite(&mut scratch.spans);
        // What only goes on was counted where it began.
        let begun = scratch.spans.iter().filter(|span| span.form != Form::Silent);
        begun.for_each(|span| tally.count(span.rule));
    }

    /// Whether something is done to what was found at `span`.
    pub(super) fn masks(&self, haystack: &[u8], span: &Span) -> bool {
        let rule = span.rule.index();
        !self.set.rules[rule].shadow && self.actions[rule] != Action::Keep && !self.is_own_id(haystack, span)
    }

    /// Whether a span is a credential's id beside the key of an id. Where it would keep its end anyway it is left whole:
    /// whoever responds needs it to revoke the credential.
    fn is_own_id(&self, haystack: &[u8], span: &Span) -> bool {
        let masked = || matches!(self.actions[span.rule.index()], Action::Mask { .. });
        self.set.rules[span.rule.index()].category == Category::CredentialId
            && masked()
            && allow::key_beside(haystack, span).is_some_and(|key| keys::names_an_id(&haystack[key]))
    }

    fn write(&self, scratch: &mut Scratch, block: Bytes, tally: &mut Tally) -> Masked {
        self.settle(scratch, &block, tally);
        if scratch.spans.is_empty() || is_audit(&self.policy) {
            return Masked(block);
        }
        let mut out = Vec::with_capacity(block.len() + 64);
        let mut from = 0;
        for span in &scratch.spans {
            out.extend_from_slice(&block[from..span.start]);
            self.write_span(span, &block[span.start..span.end], &mut out);
            from = span.end;
        }
        out.extend_from_slice(&block[from..]);
        Masked(out.into())
    }

    pub(crate) fn write_span(&self, span: &Span, secret: &[u8], out: &mut Vec<u8>) {
        let rule = span.rule.index();
        self.forms.write(self.actions[rule], &self.set.rules[rule].id, span, secret, &self.policy, out);
    }

    /// The way back from a panic: each record by itself, in new memory, and the one that panics again masked whole.
    fn redact_by_record(&self, scratch: &mut Scratch, carry: &Carry, block: &Bytes) -> (Masked, Carry, Tally) {
        let mut out = Vec::with_capacity(block.len());
        let mut tally = Tally::default();
        let mut carry = carry.clone();
        let mut found = Vec::new();
        let mut start = 0;
        while start < block.len() {
            let end = memchr::memchr(b'\n', &block[start..]).map_or(block.len(), |len| start + len + 1);
            self.renew(scratch);
            let record = block.slice(start..end);
            match catch_unwind(AssertUnwindSafe(|| self.scan_records(scratch, &carry, &record))) {
                Ok(next) => {
                    let mut counted = self.tally(scratch, &record);
                    let masked = self.write(scratch, record, &mut counted);
                    out.extend_from_slice(&masked.0);
                    tally.add(&counted);
                    found.extend(scratch.spans.iter().map(|span| span.moved(start)));
                    carry = next;
                }
                Err(_) => {
                    self.renew(scratch);
                    self.withhold(&record, &mut out, &mut tally);
                    carry.lessons = carry.lessons.behind(&record);
                }
            }
            start = end;
        }
        scratch.spans = found;
        tally.bytes_out = out.len() as u64;
        (Masked(out.into()), carry, tally)
    }

    /// A part of a record that could not be looked at.
    pub(super) fn withheld(&self, record: &Bytes) -> (Masked, Tally) {
        let (mut out, mut tally) = (Vec::new(), Tally::default());
        self.withhold(record, &mut out, &mut tally);
        tally.bytes_out = out.len() as u64;
        (Masked(out.into()), tally)
    }

    /// Writes a record that could not be looked at: its line end, and nothing else of it. In audit too: it was not inspected.
    fn withhold(&self, record: &[u8], out: &mut Vec<u8>, tally: &mut Tally) {
        out.extend_from_slice(UNINSPECTED);
        let ends: &[u8] = if record.ends_with(b"\r\n") {
            b"\r\n"
        } else if record.ends_with(b"\n") {
            b"\n"
        } else {
            b""
        };
        out.extend_from_slice(ends);
        tally.bytes_in += record.len() as u64;
        tally.lines += u64::from(self.limits.count_lines && !ends.is_empty());
        tally.records_masked_whole += 1;
    }
}
