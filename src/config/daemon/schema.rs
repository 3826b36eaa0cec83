//! The JSON Schema of the file, for editors and charts. Made from the tables that read it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde_json::Value;

use super::tables::FileTable;

/// The settings of redaction, as the schema shows them. `config::file` reads them; a test holds the two together.
#[derive(JsonSchema)]
#[allow(dead_code, reason = "only its shape is used")]
struct RedactTable {
    /// Rule files, and folders of them, beside the built-in rules.
    rules: Option<Vec<String>>,
    /// Leave the built-in rules out.
    no_builtin: Option<bool>,
    /// Refuse other built-in rules than of this version or hash.
    rules_pin: Option<String>,
    /// Policies that come with inkout.
    profile: Option<Vec<String>>,
    /// Where known values come from.
    known: Option<KnownTable>,
    /// What is left in the clear, and why.
    allow: Option<Vec<AllowTable>>,
    /// A folder of files with more `[[allow]]` tables.
    allow_dir: Option<String>,
    /// Switch on these rules or categories and no others.
    only: Option<Vec<String>>,
    /// Switch these rules or categories off.
    disable: Option<Vec<String>>,
    /// Written in place of a secret; `{rule}` is the rule's id.
    placeholder: Option<String>,
    /// What becomes of a number under a secret key.
    number: Option<NumberName>,
    /// In so many lines behind it a value that was masked because of its key is masked without it; 0 is off.
    #[schemars(range(max = 1000))]
    learn_records: Option<u16>,
    /// Mask, or only count.
    mode: Option<ModeName>,
    /// The last day of an audit, `YYYY-MM-DD`.
    audit_until: Option<String>,
    /// Threads that redact; 0 is one for each processor.
    threads: Option<u16>,
    /// What is done to findings, by rule or category.
    policy: Option<BTreeMap<String, ActionName>>,
}

/// Where known values come from, all of them together.
#[derive(JsonSchema)]
#[allow(dead_code, reason = "only its shape is used")]
struct KnownTable {
    /// Files of one value per line.
    files: Option<Vec<String>>,
    /// Names of environment variables; `*` and `?` may stand in them.
    env: Option<Vec<String>>,
    /// Files of `NAME=value` lines.
    dotenv: Option<Vec<String>>,
    /// Folders whose files are values.
    dirs: Option<Vec<String>>,
    /// Programs that print values.
    command: Option<Vec<KnownCommandTable>>,
    /// Whom a finding of a value concerns.
    contact: Option<Vec<ContactTable>>,
    /// How long a value is looked for after another took its place while the process runs; a day unless it is said.
    grace_seconds: Option<u64>,
}

#[derive(JsonSchema)]
#[allow(dead_code, reason = "only its shape is used")]
struct KnownCommandTable {
    /// What it is called in messages.
    name: String,
    /// The program and its arguments. No shell is involved.
    argv: Vec<String>,
    /// How what it prints is read: `dotenv` or `json`.
    output: Option<String>,
    /// How long it may take.
    timeout_seconds: Option<u64>,
}

#[derive(JsonSchema)]
#[allow(dead_code, reason = "only its shape is used")]
struct ContactTable {
    /// Names of values; `*` and `?` may stand in them.
    names: String,
    /// Who owns them.
    owner: Option<String>,
    /// Where they are revoked.
    revoke: Option<String>,
}

/// An exemption.
#[derive(JsonSchema)]
#[allow(dead_code, reason = "only its shape is used")]
struct AllowTable {
    /// The rule whose findings are left.
    rule: Option<String>,
    /// Why.
    reason: String,
    /// The value that is left.
    value: Option<String>,
    /// A shape of values.
    regex: Option<String>,
    /// One value by its fingerprint.
    fingerprint: Option<String>,
    /// The key path it holds for.
    path: Option<String>,
    /// The source it holds for.
    source: Option<String>,
    /// From then on it does nothing.
    expires: Option<String>,
    /// Known values and passed checksums too.
    force: Option<bool>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
#[allow(dead_code, reason = "only its shape is used")]
enum NumberName {
    String,
    Null,
    Zero,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
#[allow(dead_code, reason = "only its shape is used")]
enum ModeName {
    Enforce,
    Audit,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
#[allow(dead_code, reason = "only its shape is used")]
enum ActionName {
    Replace,
    Mask,
    Hash,
    Remove,
    Keep,
}

/// The schema of `inkout run --config`.
pub fn schema() -> Value {
    let redact = schemars::schema_for!(RedactTable).to_value();
    let mut file = schemars::schema_for!(FileTable).to_value();
    file["title"] = "inkout run".into();
    graft(&mut file, &redact, &[]);
    if let Some(pipeline) = file.pointer_mut("/$defs/PipelineTable") {
        graft(pipeline, &redact, &["threads"]);
    }
    for (name, definition) in redact["$defs"].as_object().into_iter().flatten() {
        file["$defs"][name] = definition.clone();
    }
    file
}

/// Adds the properties of `from` to `to`.
fn graft(to: &mut Value, from: &Value, but: &[&str]) {
    let properties = from["properties"].as_object().into_iter().flatten();
    for (name, property) in properties.filter(|(name, _)| !but.contains(&name.as_str())) {
        to["properties"][name] = property.clone();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_knows_every_setting_of_redaction() {
        let schema = schema();
        for key in crate::config::file::KEYS {
            assert!(schema["properties"][key].is_object(), "{key}");
        }
        assert!(schema.pointer("/$defs/PipelineTable/properties/policy").is_some());
        assert!(schema.pointer("/$defs/PipelineTable/properties/threads").is_none());
        assert_eq!(schema["additionalProperties"], false);
    }
}
