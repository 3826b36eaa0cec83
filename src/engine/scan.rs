//! Finds every span of a haystack: prefilter hits in order, each handed to the rule, key or grammar it belongs to. It writes
//! nothing: see `redact`.

#[cfg(test)]
#[path = "naive.rs"]
mod naive;

use std::ops::Range;

use memchr::{memchr, memrchr};

use super::Engine;
use super::allow;
use super::carrier::{self, Beside, LineState, LongStructure, Pending, Site, Walked, armour, table};
use super::compile::Target;
use super::field::KeyPaths;
use super::fragment;
use super::gather;
use super::keys::Memo;
use super::known::KnownScratch;
use super::lessons::Lessons;
use super::names::Names;
use super::pattern::{self, Cache, MAX_WINDOW, TOKEN_BYTES};
use super::prefilter::{self, Hit};
use super::rule::{Category, KeyValue, Matcher, RuleId, ValidatorRole};
use super::span::{Form, Span, Why};
use super::view::{MAX_VIEW, View};

/// Secrets that go on line by line at most, of as many writers.
const MAX_STATES: usize = 8;
/// Bytes of a record that are searched at a time for a rule without a literal.
const STRIDE: usize = 4096;
/// Near misses of one rule in one run of token characters. Text has one or two.
const MAX_MISSES: u32 = 64;

/// What one block must tell the next: small, comparable, empty for almost every block.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Carry {
    pub(super) states: Vec<LineState>,
    /// A span of a long record that goes on in its next window.
    pub(super) over: Option<super::window::Over>,
    /// Values that are looked for in the next records. Empty unless the policy asks for it.
    pub(super) lessons: Lessons,
}

impl Carry {
    /// Whether there is nothing to be told: a worker that assumed so was right.
    pub fn is_empty(&self) -> bool {
        !self.is_open() && self.lessons.is_empty()
    }

    /// Whether a secret goes on in the next block. Beside that there may be values to be looked for.
    pub fn is_open(&self) -> bool {
        !self.states.is_empty() || self.over.is_some()
    }

    /// This carry with what another one opened.
    pub(super) fn joined(mut self, other: Carry) -> Carry {
        other.states.into_iter().for_each(|state| push(&mut self.states, state));
        self
    }
}

/// Adds a state in place of another writer's oldest, or of its own.
fn push(states: &mut Vec<LineState>, state: LineState) {
    states.retain(|open| !open.same_place(&state));
    let surplus = (states.len() + 1).saturating_sub(MAX_STATES);
    states.drain(..surplus);
    states.push(state);
}

/// How often a rule was tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Times a literal of the rule stood in the haystack.
    pub candidates: u64,
    /// Times its regex ran.
    pub regex_calls: u64,
}

/// The mutable memory of one worker.
#[derive(Default)]
pub struct Scratch {
    pub(super) prefilter: prefilter::Scratch,
    pub(super) hits: Vec<Hit>,
    pub(super) view_hits: Vec<Hit>,
    pub(super) view: View,
    /// Lines that hold a trigger.
    view_lines: Vec<Range<usize>>,
    /// Lines that a container runtime cut.
    pub(super) fragment_lines: Vec<Range<usize>>,
    caches: Vec<Cache>,
    /// By rule: where its last match ended. Its next one begins there or later.
    matched_to: Vec<usize>,
    /// By rule: where the run of token characters ends in which it last failed, and how often it failed there.
    misses: Vec<(usize, u32)>,
    /// The rules that the last two may hold something of: a short haystack must not pay for all of them.
    tried: Vec<RuleId>,
    /// By rule: how often it was tried since the scratch was made.
    pub(super) costs: Vec<Cost>,
    pub(super) spans: Vec<Span>,
    view_spans: Vec<Span>,
    pub(super) keys: Memo,
    /// Structures of the last scan that may reach beyond what it saw.
    pub(super) structures: Vec<LongStructure>,
    /// What the names of fields are.
    pub(super) names: Names,
    /// Of whoever makes a survey of texts.
    pub(super) gather: Option<gather::Memory>,
    known: KnownScratch,
    known_found: Vec<(Range<usize>, usize)>,
    pub(super) counts: Counts,
    /// What is read, where somebody said.
    pub(super) source: Option<Box<str>>,
    /// The keys above what is searched, where it is a field and exemptions ask for them.
    pub(super) above: allow::Above,
    /// The keys above the findings of the last message, until somebody takes them.
    found_keys: KeyPaths,
    /// Findings of the last scan that an exemption covers, and its index.
    pub(super) exempted: Vec<(Span, usize)>,
}

impl Scratch {
    /// What the last [`Engine::redact`] or [`Engine::redact_piece`] masked, in order, by offset in the block or in the
    /// piece's body. In audit: what it would have masked.
    pub fn found(&self) -> &[Span] {
        &self.spans
    }

    /// Says what was found by whoever walked a message field by field.
    pub(crate) fn set_found(&mut self, spans: Vec<Span>, keys: KeyPaths) {
        self.spans = spans;
        self.found_keys = keys;
    }

    /// The keys above the findings of the last message that was walked field by field. They are taken, so that nobody has
    /// them for those of a text.
    pub fn take_key_paths(&mut self) -> KeyPaths {
        std::mem::take(&mut self.found_keys)
    }

    /// Findings of the last scan that were left, each with the index of its entry in [`Engine::allows`].
    pub fn exempted(&self) -> &[(Span, usize)] {
        &self.exempted
    }

    /// Says what is read from now on: exemptions may hold for some sources only.
    pub fn read_from(&mut self, source: &str) {
        if self.source.as_deref() != Some(source) {
            self.source = Some(source.into());
        }
    }

    /// What is read, where [`Scratch::read_from`] said.
    pub fn source(&self) -> Option<&str> {
        self.source.as_deref()
    }
}

/// The work of one scan.
#[derive(Clone, Copy, Default)]
pub(super) struct Counts {
    pub(super) candidates: u64,
    pub(super) literals: u64,
    pub(super) survivors: u64,
    pub(super) regex_calls: u64,
}

impl Engine {
    /// New memory for one worker.
    pub fn scratch(&self) -> Scratch {
        let rules = self.set.rules.len();
        Scratch {
            caches: std::iter::repeat_with(Cache::default).take(rules).collect(),
            matched_to: vec![0; rules],
            misses: vec![(0, 0); rules],
            costs: vec![Cost::default(); rules],
            ..Scratch::default()
        }
    }

    /// New memory in place of `scratch`, in which a rule panicked.
    pub(super) fn renew(&self, scratch: &mut Scratch) {
        *scratch = Scratch { source: scratch.source.take(), ..self.scratch() };
    }

    /// Fills `scratch.spans` with everything found in `haystack`, before union, and returns what the next block must know.
    pub(super) fn scan(&self, scratch: &mut Scratch, carry: &Carry, haystack: &[u8]) -> Carry {
        let mut hits = std::mem::take(&mut scratch.hits);
        let found = self.prefilter.find(&mut scratch.prefilter, haystack, &mut hits);
        scratch.counts = Counts { candidates: found.candidates, literals: found.literal_hits, ..Counts::default() };
        let next = self.scan_hits(scratch, carry, haystack, &hits);
        scratch.hits = hits;
        next
    }

    /// As [`Engine::scan`], where the literals of the haystack are known.
    pub(super) fn scan_hits(&self, scratch: &mut Scratch, carry: &Carry, haystack: &[u8], hits: &[Hit]) -> Carry {
        scratch.spans.clear();
        scratch.view_lines.clear();
        scratch.fragment_lines.clear();
        scratch.structures.clear();
        let mut states = States { open: carry.states.clone(), at: 0 };
        if !hits.is_empty() || !states.open.is_empty() {
            self.walk(scratch, haystack, hits, &mut states, Depth::Original);
            states.advance(haystack, haystack.len(), self, &mut scratch.spans);
        }
        self.scan_always(scratch, haystack);
        self.scan_known(scratch, haystack);
        self.scan_views(scratch, haystack);
        self.scan_fragments(scratch, haystack);
        self.exempt(scratch, haystack);
        self.learn(scratch, haystack);
        Carry { states: states.open, ..Carry::default() }
    }

    /// Whether a scan of `text`, in which these literals begin and no others, does nothing at any of them: most of them are
    /// `://` before a host. One that reaches beyond the text does not stand in it.
    pub(super) fn are_harmless(&self, text: &[u8], hits: &[Hit]) -> bool {
        hits.iter().all(|hit| {
            let (at, literal) = (hit.start as usize, usize::from(hit.literal));
            let reaches_beyond = at + usize::from(self.literal_lens[literal]) > text.len();
            reaches_beyond || self.targets[literal].iter().all(|target| is_harmless(text, at, *target))
        })
    }

    /// Takes the hits in order, record by record.
    fn walk(&self, scratch: &mut Scratch, haystack: &[u8], hits: &[Hit], states: &mut States, depth: Depth) {
        while let Some(rule) = scratch.tried.pop() {
            scratch.matched_to[rule.index()] = 0;
            scratch.misses[rule.index()] = (0, 0);
        }
        let mut place = Place { line: 0..0, done_to: 0, walked: Walked::default() };
        for hit in hits {
            let at = hit.start as usize;
            for target in &self.targets[hit.literal as usize] {
                if is_harmless(haystack, at, *target) {
                    continue;
                }
                if at >= place.line.end || place.line.is_empty() {
                    place.line = line_around(haystack, at, place.line.end);
                    place.walked = Walked::default();
                }
                self.take(scratch, haystack, at, *target, &mut place, states, depth);
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the one place where everything about a hit meets")]
    fn take(
        &self,
        scratch: &mut Scratch,
        haystack: &[u8],
        at: usize,
        target: Target,
        place: &mut Place,
        states: &mut States,
        depth: Depth,
    ) {
        match target {
            Target::Pattern { rule, near, far } => {
                let from = at.saturating_sub(far as usize).max(place.line.start);
                if let Some(last) = at.checked_sub(near as usize).filter(|last| *last >= from) {
                    self.confirm(scratch, haystack, rule, from..last + 1, place.line.end);
                }
            }
            Target::Gate { rule } => {
                // What was searched once is behind the record's end.
                if scratch.matched_to[rule.index()] <= place.line.start {
                    scratch.tried.push(rule);
                    scratch.matched_to[rule.index()] = place.line.end + 1;
                    scratch.costs[rule.index()].candidates += 1;
                    scratch.counts.survivors += 1;
                    self.scan_line(scratch, haystack, rule, place.line.clone());
                }
            }
            Target::Key { group, len } if at >= place.done_to => {
                let word = at..at + usize::from(len);
                self.beside(scratch, haystack, group, word, place, states, depth);
            }
            Target::Userinfo { rule, len } => {
                let url = &mut place.walked;
                if let Some(span) = carrier::password(haystack, at, usize::from(len), place.line.end, url) {
                    scratch.counts.survivors += 1;
                    self.add(scratch, haystack, span, rule, Form::Bare, Why::Grammar);
                }
            }
            Target::Armour { rule, len } => {
                self.armour(scratch, haystack, rule, at..at + usize::from(len), place, states, depth);
            }
            Target::View if depth == Depth::Original => {
                if scratch.view_lines.last() != Some(&place.line) {
                    scratch.view_lines.push(place.line.clone());
                }
            }
            Target::Fragment if depth == Depth::Original => {
                if scratch.fragment_lines.last() != Some(&place.line) {
                    scratch.fragment_lines.push(place.line.clone());
                }
            }
            Target::Key { .. } | Target::View | Target::Fragment => {}
        }
    }

    fn add(&self, scratch: &mut Scratch, haystack: &[u8], span: Range<usize>, rule: RuleId, form: Form, why: Why) {
        let ours = self.forms.end_at(haystack, span.start, span.end);
        let is_ours = ours.is_some_and(|ours| !carrier::goes_on(haystack, ours, span.end));
        if !span.is_empty() && !is_ours {
            scratch.spans.push(Span { start: span.start, end: span.end, rule, form, why });
        }
    }

    /// Tries the rule's regex at each of `starts`; the first match ends the search.
    fn confirm(&self, scratch: &mut Scratch, haystack: &[u8], rule: RuleId, starts: Range<usize>, line_end: usize) {
        let pattern = self.patterns[rule.index()].as_ref().expect("a pattern target belongs to a rule with a pattern");
        scratch.costs[rule.index()].candidates += 1;
        if scratch.tried.last() != Some(&rule) {
            scratch.tried.push(rule);
        }
        let first = starts.start.max(scratch.matched_to[rule.index()]);
        for start in first..starts.end {
            if pattern.word_start && !pattern::starts_word(haystack, start) {
                continue;
            }
            scratch.counts.survivors += 1;
            scratch.counts.regex_calls += 1;
            scratch.costs[rule.index()].regex_calls += 1;
            let cache = &mut scratch.caches[rule.index()];
            let window = line_end.min(start + MAX_WINDOW);
            if let Some((whole, secret)) = pattern.match_at(cache, haystack, start, window) {
                let whole = pattern.led_from(haystack, start, scratch.matched_to[rule.index()])..whole.end;
                scratch.matched_to[rule.index()] = whole.end.max(start + 1);
                let secret = self.to_its_end(haystack, rule, secret, window, line_end);
                // A secret followed beyond its window is not looked for again within.
                scratch.matched_to[rule.index()] = scratch.matched_to[rule.index()].max(secret.end);
                self.accept(scratch, haystack, rule, whole, secret, line_end);
                return;
            }
            if self.missed_too_often(scratch, haystack, rule, start, line_end) {
                return;
            }
        }
    }

    /// Counts a near miss. A run of token characters with more of them than the budget is no text: what is left of it is
    /// masked uninspected, so that hostile input costs no more than its length. Counted in steps, not in time.
    fn missed_too_often(
        &self,
        scratch: &mut Scratch,
        haystack: &[u8],
        rule: RuleId,
        start: usize,
        line_end: usize,
    ) -> bool {
        let (run_end, count) = scratch.misses[rule.index()];
        if start >= run_end {
            let run = TOKEN_BYTES.run(&haystack[start..line_end]);
            scratch.misses[rule.index()] = (start + run, 1);
            return false;
        }
        scratch.misses[rule.index()].1 = count + 1;
        if count < MAX_MISSES {
            return false;
        }
        scratch.matched_to[rule.index()] = run_end;
        let form = if carrier::needs_bare(haystack, start) { Form::Bare } else { Form::Bracket };
        self.add(scratch, haystack, start..run_end, rule, form, Why::Pattern { valid: None });
        true
    }

    /// A secret that fills its window goes on in its alphabet, and one that is a whole value to the value's end.
    fn to_its_end(
        &self,
        haystack: &[u8],
        rule: RuleId,
        secret: Range<usize>,
        window: usize,
        line_end: usize,
    ) -> Range<usize> {
        let more = if secret.end == window { TOKEN_BYTES.run(&haystack[window..line_end]) } else { 0 };
        let end = secret.end + more;
        let whole = self.set.rules[rule.index()].whole_value;
        secret.start..if whole { carrier::value_end(haystack, secret.start, line_end).max(end) } else { end }
    }

    /// A match becomes a finding unless a required validator or the rule's gate says no. What is glued to a credential and
    /// drawn at random like it goes with it: nobody's format is known so well that half of a key may be left.
    fn accept(
        &self,
        scratch: &mut Scratch,
        haystack: &[u8],
        rule: RuleId,
        whole: Range<usize>,
        secret: Range<usize>,
        line_end: usize,
    ) {
        // What we wrote is neither a secret nor the name that stands before one.
        let ours = |at| self.forms.end_around(haystack, at..at + 1);
        let begins_with_ours = ours(secret.start).is_some_and(|end| !carrier::goes_on(haystack, end, secret.end));
        if ours(whole.start).is_some() || begins_with_ours || self.forms.stand_in(&haystack[secret.clone()]) {
            return;
        }
        let gate = self.gates[rule.index()].as_ref();
        if gate.is_some_and(|gate| !gate.opens(haystack, whole, secret.clone())) {
            return;
        }
        let rules = &self.set.rules[rule.index()];
        let valid = rules.validator.map(|validator| validator.passes(&haystack[secret.clone()]));
        if valid == Some(false) && rules.validator_role == ValidatorRole::Required {
            return;
        }
        let form = if carrier::needs_bare(haystack, secret.start) { Form::Bare } else { Form::Bracket };
        let is_credential = rules.category == Category::Credential;
        let end = if is_credential { carrier::glued_end(haystack, secret.end, line_end) } else { secret.end };
        self.add(scratch, haystack, secret.start..end, rule, form, Why::Pattern { valid });
    }

    /// Looks at what stands beside a key word.
    #[expect(clippy::too_many_arguments, reason = "a key may end a record, open a state, or both")]
    fn beside(
        &self,
        scratch: &mut Scratch,
        haystack: &[u8],
        group: u16,
        word: Range<usize>,
        place: &mut Place,
        states: &mut States,
        depth: Depth,
    ) {
        let memo = &mut scratch.keys;
        let Some(key) = self.keys.examine(memo, group, haystack, word.clone(), place.line.clone()) else { return };
        if let Some(end) = self.forms.end_around(haystack, word) {
            place.done_to = place.done_to.max(end);
            return;
        }
        if self.forms.stand_in(&haystack[key.start..key.end]) {
            return;
        }
        // Another word of the same key has nothing to add, unless this one is weak.
        if key.value != KeyValue::Random {
            place.done_to = place.done_to.max(key.end);
        }
        scratch.counts.survivors += 1;
        let end = place.line.end;
        let (keys, forms, spans) = (&self.keys, &self.forms, &mut scratch.spans);
        let mut site = Site { haystack, end, key, keys, forms, spans, walked: &mut place.walked, reached: 0 };
        let beside = site.search();
        let column = (depth == Depth::Original && key.value == KeyValue::Secret)
            .then(|| table::column(haystack, place.line.clone(), key.start..key.end));
        if let Some(column) = column.flatten() {
            let state = LineState::new(Pending::Column(column), key.rule, b"");
            states.open_behind(haystack, place.line.clone(), state, self, &mut scratch.spans);
        }
        let structures = place.walked.long_structures.drain(..);
        scratch.structures.extend(structures.filter(|_| depth == Depth::Original));
        match beside {
            Beside::Nothing => {}
            Beside::Value(_) | Beside::NextLines(_) if key.value == KeyValue::Random => {}
            Beside::Value(to) => place.done_to = place.done_to.max(to),
            Beside::NextLines(pending) if depth == Depth::Original => {
                let prefix = carrier::prefix(haystack, pending, place.line.start, key.start);
                let state = LineState::new(pending, key.rule, prefix);
                states.open_behind(haystack, place.line.clone(), state, self, &mut scratch.spans);
            }
            Beside::NextLines(_) => {}
        }
    }

    #[expect(clippy::too_many_arguments, reason = "a key may end on its line or go on behind it")]
    fn armour(
        &self,
        scratch: &mut Scratch,
        haystack: &[u8],
        rule: RuleId,
        words: Range<usize>,
        place: &mut Place,
        states: &mut States,
        depth: Depth,
    ) {
        let Some(begin) = armour::begin(haystack, words, place.line.clone()) else { return };
        scratch.counts.survivors += 1;
        match armour::inline(haystack, begin.end, place.line.end) {
            armour::Inline::Parts(parts) => {
                for part in parts {
                    self.add(scratch, haystack, part, rule, Form::Bracket, Why::Grammar);
                }
            }
            armour::Inline::Nothing if depth == Depth::Original => {
                let pending = Pending::Armour { first: true, full: false, strangers: 0 };
                let state = LineState::new(pending, rule, &haystack[place.line.start..begin.start]);
                states.open_behind(haystack, place.line.clone(), state, self, &mut scratch.spans);
            }
            armour::Inline::Nothing => {}
        }
    }

    /// Rules without a literal: their regex over every line.
    fn scan_always(&self, scratch: &mut Scratch, haystack: &[u8]) {
        if !self.always_scans {
            return;
        }
        for (index, rule) in self.set.rules.iter().enumerate() {
            if !rule.always_scan || !matches!(rule.matcher, Matcher::Pattern(_)) {
                continue;
            }
            let mut start = 0;
            while start < haystack.len() {
                let end = memchr(b'\n', &haystack[start..]).map_or(haystack.len(), |len| start + len);
                self.scan_line(scratch, haystack, RuleId(index as u16), start..end);
                start = end + 1;
            }
        }
    }

    /// Searches one record, in strides: what a near miss costs is bounded by the stride, not by the record.
    fn scan_line(&self, scratch: &mut Scratch, haystack: &[u8], rule: RuleId, line: Range<usize>) {
        let pattern = self.patterns[rule.index()].as_ref().expect("a rule that searches records has a pattern");
        let mut from = line.start;
        while from < line.end {
            let window = line.end.min(from + STRIDE + MAX_WINDOW);
            // A match that begins behind this may need more than the window to be seen whole.
            let fresh = if window == line.end { line.end } else { from + STRIDE };
            scratch.counts.regex_calls += 1;
            scratch.costs[rule.index()].regex_calls += 1;
            let cache = &mut scratch.caches[rule.index()];
            let found = pattern.find_in(cache, haystack, from..window).filter(|(whole, _)| whole.start < fresh);
            let Some((whole, secret)) = found else {
                from = fresh;
                continue;
            };
            let led = pattern.led_from(haystack, whole.start, from)..whole.end;
            from = whole.end.max(whole.start + 1);
            if !pattern.word_start || pattern::starts_word(haystack, whole.start) {
                let secret = self.to_its_end(haystack, rule, secret, window, line.end);
                self.accept(scratch, haystack, rule, led, secret, line.end);
            } else {
                let next = (whole.start + 1..line.end).find(|&at| pattern::starts_word(haystack, at));
                from = next.unwrap_or(line.end);
            }
        }
    }

    /// Values the operator told us of.
    fn scan_known(&self, scratch: &mut Scratch, haystack: &[u8]) {
        let Some(rule) = self.known_rule.filter(|_| !self.known.is_empty()) else { return };
        let mut found = std::mem::take(&mut scratch.known_found);
        let mut before = 0;
        for known in &self.known {
            known.find(&mut scratch.known, haystack, &mut found);
            for (span, value) in found.drain(..) {
                let form = if carrier::needs_bare(haystack, span.start) { Form::Bare } else { Form::Bracket };
                self.add(scratch, haystack, span, rule, form, Why::Known { value: before + value });
            }
            before += known.len();
        }
        scratch.known_found = found;
    }

    /// Looks again at the records whose letters were hidden, decoded, and maps what is found back.
    fn scan_views(&self, scratch: &mut Scratch, haystack: &[u8]) {
        if scratch.view_lines.is_empty() {
            return;
        }
        let lines = std::mem::take(&mut scratch.view_lines);
        let mut view = std::mem::take(&mut scratch.view);
        for line in lines.iter().filter(|line| line.len() <= MAX_VIEW) {
            view.build(haystack, line.clone());
            self.scan_view(scratch, &view);
        }
        scratch.view_lines = lines;
        scratch.view = view;
    }

    /// Looks at lines that a container runtime cut, joined. A span over a cut has its placeholder in the first fragment.
    fn scan_fragments(&self, scratch: &mut Scratch, haystack: &[u8]) {
        self.for_each_joined(scratch, haystack, |scratch, view| self.scan_view(scratch, view));
    }

    /// Joins the lines that a container runtime cut.
    pub(super) fn for_each_joined(
        &self,
        scratch: &mut Scratch,
        haystack: &[u8],
        mut look: impl FnMut(&mut Scratch, &View),
    ) {
        if scratch.fragment_lines.is_empty() {
            return;
        }
        let lines = std::mem::take(&mut scratch.fragment_lines);
        let mut view = std::mem::take(&mut scratch.view);
        let mut parts = Vec::new();
        // By writer: up to where its lines were joined.
        let mut done: Vec<(fragment::Writer, usize)> = Vec::new();
        for line in lines.iter().filter(|line| line.len() <= MAX_VIEW) {
            let Some(writer) = fragment::parse(haystack, line.clone()).map(|fragment| fragment.writer) else {
                continue;
            };
            if done.iter().any(|(known, done_to)| *known == writer && line.start < *done_to) {
                continue;
            }
            fragment::group(haystack, line.clone(), &mut parts);
            if parts.len() > 1 {
                view.join(haystack, &parts);
                look(scratch, &view);
            }
            if let Some(last) = parts.last() {
                done.retain(|(known, _)| *known != writer);
                done.push((writer, last.end));
            }
        }
        scratch.fragment_lines = lines;
        scratch.view = view;
    }

    fn scan_view(&self, scratch: &mut Scratch, view: &View) {
        let mut hits = std::mem::take(&mut scratch.view_hits);
        let found = self.prefilter.find(&mut scratch.prefilter, &view.bytes, &mut hits);
        scratch.counts.candidates += found.candidates;
        scratch.counts.literals += found.literal_hits;
        let originals = std::mem::take(&mut scratch.view_spans);
        let originals = std::mem::replace(&mut scratch.spans, originals);
        let mut states = States { open: Vec::new(), at: 0 };
        self.walk(scratch, &view.bytes, &hits, &mut states, Depth::View);
        self.scan_always(scratch, &view.bytes);
        self.scan_known(scratch, &view.bytes);
        let found = std::mem::replace(&mut scratch.spans, originals);
        found.iter().for_each(|span| map_back(view, span, &mut scratch.spans));
        scratch.view_spans = found;
        scratch.view_spans.clear();
        scratch.view_hits = hits;
    }
}

/// Adds what of `span`, found in `view`, stands where in the original: a span over a cut has its placeholder in the first part.
pub(super) fn map_back(view: &View, span: &Span, out: &mut Vec<Span>) {
    let why = match span.why {
        Why::Key { start, end } if start < end => {
            let key = view.original(start..end);
            Why::Key { start: key.start, end: key.end }
        }
        other => other,
    };
    let mut form = span.form;
    for original in view.originals(span.start..span.end) {
        out.push(Span { start: original.start, end: original.end, form, why, ..*span });
        form = Form::Silent;
    }
}

/// Whether a haystack is the original or a view, in which no further view is made and no state opened.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Depth {
    Original,
    View,
}

/// Whether what stands behind a hit says that it gives nothing away. Almost every hit of a clean log ends here, before its
/// line is looked for.
#[inline]
fn is_harmless(haystack: &[u8], at: usize, target: Target) -> bool {
    match target {
        Target::Key { len, .. } => !carrier::may_bridge(haystack, at..at + usize::from(len)),
        Target::Userinfo { len, .. } => !carrier::may_hold_password(&haystack[at + usize::from(len)..]),
        _ => false,
    }
}

/// Where a walk is.
struct Place {
    /// The record of the current hit, its line end not included.
    line: Range<usize>,
    /// Key words before here stand in a value that was dealt with.
    done_to: usize,
    /// What was walked of the record.
    walked: Walked,
}

/// The record around `at`; `from` is the end of the last one, before which no line end need be sought.
fn line_around(haystack: &[u8], at: usize, from: usize) -> Range<usize> {
    let start = memrchr(b'\n', &haystack[from..at]).map_or(from, |newline| from + newline + 1);
    let start = if start == from && from > 0 && haystack[from] == b'\n' { from + 1 } else { start };
    let end = memchr(b'\n', &haystack[at..]).map_or(haystack.len(), |len| at + len);
    start.min(at)..end
}

/// Open secrets, and the line they are to be fed next.
struct States {
    open: Vec<LineState>,
    at: usize,
}

impl States {
    /// Feeds every whole line before `to`.
    fn advance(&mut self, haystack: &[u8], to: usize, engine: &Engine, spans: &mut Vec<Span>) {
        while self.at < to && !self.open.is_empty() {
            let end = memchr(b'\n', &haystack[self.at..]).map_or(haystack.len(), |len| self.at + len);
            let line = self.at..end;
            self.open.retain_mut(|state| state.step(haystack, line.clone(), &engine.forms, spans));
            self.at = end + 1;
        }
        self.at = self.at.max(to);
    }

    /// Opens a state that is fed from the line behind `line` on.
    fn open_behind(
        &mut self,
        haystack: &[u8],
        line: Range<usize>,
        state: LineState,
        engine: &Engine,
        spans: &mut Vec<Span>,
    ) {
        self.advance(haystack, (line.end + 1).min(haystack.len()), engine, spans);
        push(&mut self.open, state);
    }
}
