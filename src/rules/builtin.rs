//! The rule files that are compiled into the program. Not their parsing.

use std::fmt::Write as _;
use std::sync::LazyLock;

use serde::Deserialize;
use sha2::{Digest, Sha256};

/// `(name, content)` of every file in `rules/` but the set's own, by name.
macro_rules! files {
    ($($name:literal),* $(,)?) => { &[$(($name, include_str!(concat!("../../", $name)))),*] };
}

/// Sorted by name; a test compares it with the folder.
pub(super) const FILES: &[(&str, &str)] = files![
    "rules/ai.toml",
    "rules/ci.toml",
    "rules/cloud.toml",
    "rules/databases.toml",
    "rules/encoded.toml",
    "rules/grammars.toml",
    "rules/headers.toml",
    "rules/identity.toml",
    "rules/keys.toml",
    "rules/messaging.toml",
    "rules/monitoring.toml",
    "rules/payment.toml",
    "rules/protocols.toml",
    "rules/registries.toml",
    "rules/saas.toml",
    "rules/secret-managers.toml",
    "rules/source-hosting.toml"
];

/// Rules that are looked for only when somebody asks for one of their categories, sorted by name.
pub(super) const OPTIONAL: &[(&str, &str)] = files![
    "rules/optional/body.toml",
    "rules/optional/financial.toml",
    "rules/optional/health.toml",
    "rules/optional/network.toml",
    "rules/optional/personal.toml",
];

/// Policies by name, sorted.
pub(super) const PROFILES: &[(&str, &str)] = files![
    "rules/profiles/credentials.toml",
    "rules/profiles/gdpr.toml",
    "rules/profiles/hipaa.toml",
    "rules/profiles/pci.toml",
];

/// Describes the set as a whole.
const SET: (&str, &str) = ("rules/set.toml", include_str!("../../rules/set.toml"));

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetFile {
    set: SetTable,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetTable {
    version: String,
}

pub(super) fn version() -> &'static str {
    static VERSION: LazyLock<String> = LazyLock::new(|| {
        let file: SetFile = toml::from_str(SET.1).expect("rules/set.toml is parsed by a test");
        file.set.version
    });
    &VERSION
}

pub(super) fn hash() -> String {
    let mut files = [FILES, OPTIONAL, PROFILES].concat();
    files.push(SET);
    files.sort_unstable();
    let mut digest = Sha256::new();
    for (name, text) in files {
        for part in [name, text] {
            digest.update((part.len() as u64).to_le_bytes());
            digest.update(part);
        }
    }
    digest.finalize().iter().take(6).fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
