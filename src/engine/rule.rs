//! What is looked for: a rule as the engine takes it. Parsing rule files and running their examples is the `rules` room's work.

use std::fmt;

use super::validators::Validator;

/// The index of a rule in its [`RuleSet`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RuleId(pub(crate) u16);

impl RuleId {
    /// The rule's position in [`RuleSet::rules`].
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// What kind of text a rule finds. A policy maps categories to actions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Category {
    /// Opens something: a key, a token, a password.
    Credential,
    /// Names a credential and opens nothing by itself; a responder needs its tail to revoke it.
    CredentialId,
    /// About a person.
    Personal,
    /// A card or account number.
    Financial,
    /// Of a health record.
    Health,
    /// An address or a host name.
    Network,
}

impl Category {
    /// Every category, in the order in which they are listed to people.
    pub const ALL: [Category; 6] = [
        Category::Credential,
        Category::CredentialId,
        Category::Personal,
        Category::Financial,
        Category::Health,
        Category::Network,
    ];

    /// The name used in rule files and policies.
    pub fn name(self) -> &'static str {
        match self {
            Category::Credential => "credential",
            Category::CredentialId => "credential-id",
            Category::Personal => "personal",
            Category::Financial => "financial",
            Category::Health => "health",
            Category::Network => "network",
        }
    }

    /// The category of that name.
    pub fn named(name: &str) -> Option<Category> {
        Category::ALL.into_iter().find(|category| category.name() == name)
    }
}

impl fmt::Display for Category {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How a rule finds its secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Matcher {
    /// A regex (bytes, ASCII) with exactly one group named `secret`.
    Pattern(String),
    /// The value that stands beside one of these keys, in any carrier.
    Keys(KeyRule),
    /// A grammar of the engine's own that no regex can say.
    Grammar(Grammar),
}

/// Fields whose whole value is secret.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct KeyRule {
    /// Key names, split into words the way keys in logs are: `api_key` also stands for `apiKey`, `API-KEY` and `apikey`.
    /// One that begins with `_` stands behind another word only: `_key` is `site_key` and `siteKey`, and not `key`.
    pub keys: Vec<String>,
    /// What the value of such a key looks like.
    pub value: KeyValue,
    /// Whether a bare number under this key is secret too (a password, a PIN). Under words that need a random value: whether a
    /// UUID is, where the key ends in `key`.
    pub numbers: bool,
    /// Words that make these keys harmless when they follow, beside [`KeyWords::neutral_after`]: `cvc_check`.
    pub neutral_after: Vec<String>,
    /// Words that make these keys harmless when they stand right before them, beside [`KeyWords::neutral_before`]:
    /// `input_tokens` counts, `input_password` is one.
    pub neutral_before: Vec<String>,
}

/// What stands beside a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum KeyValue {
    /// One secret.
    #[default]
    Secret,
    /// A scheme and a credential (RFC 9110, section 11.6.2).
    Authorization,
    /// Cookies: names and attributes stay (RFC 6265).
    Cookie,
    /// A connection string: fields, joined by semicolons.
    Connection,
    /// One secret, if it looks drawn at random: for words that name harmless things as often (`github`, `signing_key`).
    Random,
}

/// Grammars of the engine's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grammar {
    /// The password of `scheme://user:password@host` (RFC 3986, section 3.2.1).
    Userinfo,
    /// The body of an armoured private key (RFC 7468), over lines, escaped on one line, cut or interleaved.
    PrivateKey,
    /// Values the operator told us of, in every form: see [`Known`](super::Known). Without any it finds nothing.
    Known,
}

/// What a failed or passed validator means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum ValidatorRole {
    /// A pass names the type with more confidence; a failure never unmasks.
    #[default]
    Label,
    /// The shape alone is too common: only a pass is a finding.
    Required,
}

/// Matches of a rule that are no findings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allow {
    /// What the regexes look at.
    pub target: AllowTarget,
    /// Regexes (bytes, ASCII), one of which matches anywhere in the target; `^` and `$` are the target's ends.
    pub regexes: Vec<String>,
    /// Texts, one of which stands in the secret, whatever the case.
    pub stopwords: Vec<String>,
    /// Whether regexes and stopwords must both say so; otherwise one of them is enough.
    pub both: bool,
}

/// What the regexes of an [`Allow`] look at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AllowTarget {
    /// The secret.
    #[default]
    Secret,
    /// The whole match of the rule's pattern.
    Match,
    /// The record.
    Line,
}

/// Where a rule was written, for messages.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Origin {
    /// The file as it was named.
    pub file: String,
    /// One-based line of the rule's table.
    pub line: usize,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// One rule.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Kebab-case, stable for ever: it is the placeholder's label and a metric label.
    pub id: String,
    /// One line for people.
    pub summary: String,
    /// What kind of text it finds.
    pub category: Category,
    /// How it finds it.
    pub matcher: Matcher,
    /// An offline check of a candidate.
    pub validator: Option<Validator>,
    /// What the check decides.
    pub validator_role: ValidatorRole,
    /// Runs the pattern over every line because it holds no required literal. Costs accordingly.
    pub always_scan: bool,
    /// Where there are any, the rule is looked at only in records that hold one of these, whatever the case. A pattern
    /// without a required literal needs them, or `always_scan`.
    pub keywords: Vec<String>,
    /// A secret of less Shannon entropy, in bits per byte, is left.
    pub min_entropy: Option<f32>,
    /// Matches that are left.
    pub allow: Vec<Allow>,
    /// The pattern only finds where a value begins; it is masked to where its carrier says it ends. For secrets known by
    /// what stands before them, whose own characters no pattern can foresee.
    pub whole_value: bool,
    /// Counted, never masked.
    pub shadow: bool,
    /// Where it was written.
    pub origin: Origin,
}

/// The words that decide whether a key that holds a secret word is a secret's key after all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyWords {
    /// A word behind the secret word that makes the key harmless: `token_type`, `password_reset`.
    pub neutral_after: Vec<String>,
    /// A word before it that does: `max_tokens`, `next_token`.
    pub neutral_before: Vec<String>,
    /// A field of a secret object that is left: `{"credentials":{"username":…}}`.
    pub neutral_leaf: Vec<String>,
}

/// Everything an engine is compiled from.
#[derive(Clone, Debug, Default)]
pub struct RuleSet {
    /// The rules; a [`RuleId`] is an index into them.
    pub rules: Vec<Rule>,
    /// The neutral words of keys.
    pub key_words: KeyWords,
}
