//! YAML becomes the same tree that TOML is parsed into, with the same places, so that everything behind it is one.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// What is wrong, and the bytes of the file that say it.
pub(super) struct Fault {
    pub(super) at: Range<usize>,
    pub(super) reason: String,
}

/// A parser's complaint.
pub(super) fn fault(error: &toml::de::Error) -> Fault {
    Fault { at: error.span().unwrap_or_default(), reason: error.message().trim().replace('\n', ", ") }
}

/// A YAML document. It owns what the tree borrows.
pub(super) struct Document {
    lines: Lines,
    root: serde_saphyr::Spanned<Node>,
}

impl Document {
    pub(super) fn read(text: &str) -> Result<Document, Fault> {
        let lines = Lines::new(text);
        let root = serde_saphyr::from_str(text).map_err(|error| {
            let at = error.location().map_or(0, |location| lines.start(location.line()));
            let message = error.to_string();
            Fault { at: at..at, reason: message.lines().next().unwrap_or_default().to_owned() }
        })?;
        Ok(Document { lines, root })
    }

    /// The tree that a TOML file of the same content is parsed into.
    pub(super) fn tree(&self) -> Result<Spanned<DeTable<'_>>, Fault> {
        let value = self.lines.value(&self.root)?;
        let span = value.span();
        match value.into_inner() {
            DeValue::Table(table) => Ok(Spanned::new(span, table)),
            _ => Err(Fault { at: 0..0, reason: "the file is a table of keys and values".to_owned() }),
        }
    }
}

/// Where lines begin.
struct Lines(Vec<usize>);

impl Lines {
    fn new(text: &str) -> Lines {
        Lines(std::iter::once(0).chain(memchr::memchr_iter(b'\n', text.as_bytes()).map(|at| at + 1)).collect())
    }

    fn start(&self, line: u64) -> usize {
        let index = usize::try_from(line.saturating_sub(1)).unwrap_or(usize::MAX);
        self.0.get(index).or(self.0.last()).copied().unwrap_or_default()
    }

    fn value<'n>(&self, node: &'n serde_saphyr::Spanned<Node>) -> Result<Spanned<DeValue<'n>>, Fault> {
        let at = self.start(node.referenced.line());
        let span = at..at;
        let value = match &node.value {
            Node::Text(text) => DeValue::String(Cow::Borrowed(text)),
            Node::Boolean(value) => DeValue::Boolean(*value),
            // Only its parser makes a number of this tree.
            Node::Number(text) => match DeValue::parse(text) {
                Ok(value) => return Ok(Spanned::new(span, value.into_inner())),
                Err(_) => return Err(Fault { at: span, reason: format!("`{text}` is no number") }),
            },
            Node::List(items) => {
                let mut array = toml::de::DeArray::new();
                for item in items {
                    array.push(self.value(item)?);
                }
                DeValue::Array(array)
            }
            Node::Table(entries) => {
                let mut table = DeTable::new();
                for (key, value) in entries {
                    let at = self.start(key.referenced.line());
                    let value = self.value(value)?;
                    table.insert(Spanned::new(at..at, Cow::Borrowed(key.value.as_str())), value);
                }
                DeValue::Table(table)
            }
            Node::Null => return Err(Fault { at: span, reason: "a value is missing".to_owned() }),
        };
        Ok(Spanned::new(span, value))
    }
}

/// A piece of YAML.
enum Node {
    Null,
    Boolean(bool),
    Number(String),
    Text(String),
    List(Vec<serde_saphyr::Spanned<Node>>),
    Table(Vec<(serde_saphyr::Spanned<String>, serde_saphyr::Spanned<Node>)>),
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Node, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Node;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }
            fn visit_unit<E: Error>(self) -> Result<Node, E> {
                Ok(Node::Null)
            }
            fn visit_none<E: Error>(self) -> Result<Node, E> {
                Ok(Node::Null)
            }
            fn visit_bool<E: Error>(self, value: bool) -> Result<Node, E> {
                Ok(Node::Boolean(value))
            }
            fn visit_i64<E: Error>(self, value: i64) -> Result<Node, E> {
                Ok(Node::Number(value.to_string()))
            }
            fn visit_u64<E: Error>(self, value: u64) -> Result<Node, E> {
                Ok(Node::Number(value.to_string()))
            }
            fn visit_f64<E: Error>(self, value: f64) -> Result<Node, E> {
                Ok(Node::Number(format!("{value:?}")))
            }
            fn visit_str<E: Error>(self, value: &str) -> Result<Node, E> {
                Ok(Node::Text(value.to_owned()))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
                let mut list = Vec::new();
                while let Some(item) = items.next_element()? {
                    list.push(item);
                }
                Ok(Node::List(list))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Node, A::Error> {
                let mut table = Vec::new();
                while let Some(entry) = entries.next_entry()? {
                    table.push(entry);
                }
                Ok(Node::Table(table))
            }
        }
        deserializer.deserialize_any(Any)
    }
}
