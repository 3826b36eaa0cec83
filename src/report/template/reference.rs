//! A reference: the value is kept elsewhere and put in later, by a shell, a template engine, a vault. How source code gets
//! its values is `code`'s question.

/// Where a value is kept, as its first characters say.
const STORES: [&str; 26] = [
    "op://",
    "vault:",
    "ssm:",
    "env:",
    "env.",
    "file:/",
    "secret://",
    "secrets.",
    "secretsmanager:",
    "arn:aws:secretsmanager:",
    "arn:aws:ssm:",
    "keyvault:",
    "keychain:",
    "awssm://",
    "gcp-secret",
    "sops:",
    "/run/secrets/",
    "/var/run/secrets/",
    "process.env",
    "os.environ",
    "os.getenv",
    "system.getenv",
    "import.meta.env",
    "var.",
    "!ref",
    "!vault",
];
/// Text that is encrypted where it stands.
const SEALED: [&str; 4] = ["ENC[", "{cipher}", "{aes}", "$ANSIBLE_VAULT"];
/// What opens and closes a name that is filled in later.
const FIELDS: [(&str, &str); 10] = [
    ("${", "}"),
    ("$(", ")"),
    ("$[", "]"),
    ("{{", "}}"),
    ("{%", "%}"),
    ("#{", "}"),
    ("@{", "}"),
    ("<%", "%>"),
    ("%(", ")s"),
    ("__", "__"),
];

/// Whether `value`, without its quotes, refers to a value kept elsewhere.
pub(super) fn is_reference(value: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(value) else { return false };
    let lower = text.to_ascii_lowercase();
    SEALED.iter().any(|mark| text.starts_with(mark))
        || STORES.iter().any(|store| lower.starts_with(store))
        || is_regex(text)
        || is_field(text)
        || is_variable(text)
        || is_named_blank(text)
        || is_cut(text)
}

/// A regex that finds secrets: `[a-z0-9]{32}`, `(?:...)`.
fn is_regex(text: &str) -> bool {
    const SIGNS: [&str; 12] =
        ["[a-z", "[A-Z", "[0-9", "[^", "(?:", "(?i", "(?P<", "(?<", "\\d{", "\\w{", "\\w+", "\\d+"];
    let bare = text.replace("\\\\", "\\");
    bare.starts_with("(?") || SIGNS.iter().any(|sign| bare.contains(sign)) && bare.contains([']', ')', '+', '{'])
}

/// `${NAME}`, alone or with words around it: what is left without its fields names nothing random.
fn is_field(text: &str) -> bool {
    let opened = FIELDS.iter().find_map(|(open, close)| {
        let start = text.find(open)?;
        let inner = start + open.len();
        // A value may end within the field: carriers cut at blanks and quotes.
        let end = text[inner..].find(close).map_or(text.len(), |len| inner + len + close.len());
        (end > inner + close.len() || end == text.len()).then(|| format!("{}{}", &text[..start], &text[end..]))
    });
    opened.is_some_and(|rest| !super::words::look_random(rest.as_bytes()))
}

/// `$NAME`, `%NAME%`, `%s`, `:name`, `@name@`, `?`.
fn is_variable(text: &str) -> bool {
    let name = |text: &str| {
        let mut bytes = text.bytes();
        bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
            && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            && !super::words::look_random(text.as_bytes())
    };
    let within = |mark: char| text.strip_prefix(mark).and_then(|rest| rest.strip_suffix(mark));
    text.strip_prefix('$').is_some_and(|rest| name(rest.trim_start_matches(['$', '{'])))
        || within('%').is_some_and(name)
        || within('@').is_some_and(name)
        || matches!(text, "%s" | "%v" | "%q" | "%d" | "%w" | "{}" | "{0}" | "?" | "$1" | "$2" | "$@")
}

/// `<token>`, `{token}`, `[your token]`, `«token»`: a name where the value will stand.
fn is_named_blank(text: &str) -> bool {
    const PAIRS: [(char, char); 4] = [('<', '>'), ('{', '}'), ('[', ']'), ('«', '»')];
    PAIRS.iter().any(|(open, close)| {
        let Some(inner) = text.strip_prefix(*open) else { return false };
        let inner = inner.trim_end_matches(*close);
        let named = |c: char| c.is_alphanumeric() || " _-.:!/'|".contains(c);
        inner.starts_with(char::is_alphabetic)
            && inner.chars().all(named)
            && !super::words::look_random(inner.as_bytes())
    })
}

/// `sk-...`, `ghp_…abc`: a value that was cut by hand.
fn is_cut(text: &str) -> bool {
    const MAX_SHOWN: usize = 16;
    ["...", "\u{2026}", "****", "\u{2022}\u{2022}\u{2022}"].iter().any(|mark| {
        let shown = text.chars().filter(|c| c.is_alphanumeric()).count();
        text.contains(mark) && shown <= MAX_SHOWN
    })
}
