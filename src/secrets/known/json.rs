//! JSON as secret managers print it: one flat object of names and values, or an array of pairs. Not a search for values in any
//! JSON: what is masked wherever it stands must be named by the operator, and a nested object also holds regions and dates.

use serde_json::Value;

use crate::engine::KnownValue;
use crate::secrets::SecretError;

const NAMES: [&str; 3] = ["key", "name", "label"];

/// The values of `text`. Numbers are taken as they are written; booleans, nulls and empty texts are no values.
pub(super) fn parse(text: &[u8], place: &str) -> Result<Vec<KnownValue>, SecretError> {
    let refuse = |reason: String| SecretError::Known { place: place.to_owned(), reason };
    // The parser's own message could show a piece of the text.
    let parsed: Value = serde_json::from_slice(text)
        .map_err(|error| refuse(format!("line {}, column {}: no JSON", error.line(), error.column())))?;
    let mut values = Vec::new();
    match parsed {
        Value::Object(fields) => {
            for (name, value) in fields {
                add(name, value, &mut values).map_err(refuse)?;
            }
        }
        Value::Array(pairs) => {
            for (at, pair) in pairs.into_iter().enumerate() {
                let (name, value) = named(pair)
                    .ok_or_else(|| refuse(format!("item {at} has no `value` beside one of {}", NAMES.join(", "))))?;
                add(name, value, &mut values).map_err(refuse)?;
            }
        }
        _ => return Err(refuse("neither an object of names and values nor an array of such pairs".to_owned())),
    }
    Ok(values)
}

fn named(pair: Value) -> Option<(String, Value)> {
    let Value::Object(mut fields) = pair else { return None };
    let name = NAMES.iter().find_map(|name| fields.get(*name)?.as_str().map(str::to_owned))?;
    fields.remove("value").map(|value| (name, value))
}

fn add(name: String, value: Value, values: &mut Vec<KnownValue>) -> Result<(), String> {
    let text = match value {
        Value::String(text) => text,
        Value::Number(number) => number.to_string(),
        Value::Bool(_) | Value::Null => return Ok(()),
        Value::Object(_) | Value::Array(_) => {
            return Err(format!("the value of `{name}` is no text; let the command print a flat object"));
        }
    };
    if !text.is_empty() {
        values.push(KnownValue { name, value: text.into_bytes() });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<String>, String> {
        let shown = |value: &KnownValue| format!("{}={}", value.name, String::from_utf8_lossy(&value.value));
        parse(text.as_bytes(), "c").map(|values| values.iter().map(shown).collect()).map_err(|error| error.to_string())
    }

    #[test]
    fn objects_and_pairs_are_read() {
        let flat = r#"{"A":"b","N":1234567,"T":true,"Z":null,"E":"","M":"x\ny"}"#;
        assert_eq!(read(flat).unwrap(), ["A=b", "M=x\ny", "N=1234567"]);
        let pairs = r#"[{"key":"A","value":"b","version":1},{"name":"C","value":"d"}]"#;
        assert_eq!(read(pairs).unwrap(), ["A=b", "C=d"]);
    }

    #[test]
    fn anything_else_is_refused_without_a_byte_of_it() {
        let cases = [
            (r#"{"data":{"A":"hunter2"}}"#, "c: the value of `data` is no text"),
            (r#"["hunter2"]"#, "c: item 0 has no `value`"),
            (r#""hunter2""#, "c: neither"),
            (r#"{"A":hunter2}"#, "c: line 1, column 6: no JSON"),
            ("", "c: line 1, column 0: no JSON"),
        ];
        for (text, said) in cases {
            let error = read(text).unwrap_err();
            assert!(error.starts_with(said) && !error.contains("hunter2"), "{text}: {error}");
        }
    }
}
