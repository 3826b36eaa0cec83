//! Offline checks of a candidate: checksums and structure. No network, no clock, and never a reason to unmask by itself.

mod bech32;
pub(crate) mod crc;
mod encoding;
mod numbers;
mod opaque;
mod vendors;
mod wrapped;

use std::fmt;

/// A named pure check.
#[derive(Clone, Copy)]
pub struct Validator {
    name: &'static str,
    check: fn(&[u8]) -> bool,
}

impl Validator {
    /// A check of your own; tests use it to inject a panicking one.
    pub const fn new(name: &'static str, check: fn(&[u8]) -> bool) -> Validator {
        Validator { name, check }
    }

    /// The built-in validator of that name.
    pub fn named(name: &str) -> Option<Validator> {
        BUILTIN.iter().copied().find(|validator| validator.name == name)
    }

    /// The names of all built-in validators.
    pub fn names() -> impl Iterator<Item = &'static str> {
        BUILTIN.iter().map(|validator| validator.name)
    }

    /// The name rule files use.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Whether `secret`, the bytes of a rule's `secret` group, passes.
    pub fn passes(&self, secret: &[u8]) -> bool {
        (self.check)(secret)
    }
}

impl fmt::Debug for Validator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Validator({})", self.name)
    }
}

const BUILTIN: &[Validator] = &[
    Validator::new("anthropic-tail", vendors::anthropic_tail),
    Validator::new("atlassian-crc", crc::atlassian),
    Validator::new("aws-key-id", vendors::aws_key_id),
    Validator::new("azure-cask", vendors::azure_cask),
    Validator::new("base64-token", wrapped::holds_token),
    Validator::new("basic-credentials", opaque::basic_credentials),
    Validator::new("bech32", bech32::bech32),
    Validator::new("confluent-crc", crc::confluent),
    Validator::new("crc32-base62", crc::crc32_base62),
    Validator::new("discord-id", vendors::discord_id),
    Validator::new("github-fine-grained", vendors::github_fine_grained),
    Validator::new("gitlab-routable", crc::gitlab_routable),
    Validator::new("grafana-crc", crc::grafana),
    Validator::new("hex-crc", crc::hex_crc),
    Validator::new("iban", numbers::iban),
    Validator::new("jwt", vendors::jwt),
    Validator::new("luhn", numbers::luhn),
    Validator::new("opaque-token", opaque::token),
    Validator::new("openai-marker", vendors::openai_marker),
    Validator::new("pypi-macaroon", vendors::pypi_macaroon),
    Validator::new("slack", vendors::slack),
    Validator::new("stripe", vendors::stripe),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted_and_found() {
        assert!(Validator::names().is_sorted());
        assert!(Validator::names().all(|name| Validator::named(name).is_some_and(|found| found.name() == name)));
        assert!(Validator::named("no-such").is_none());
    }

    #[test]
    fn no_validator_panics_on_odd_bytes() {
        let odd: [&[u8]; 8] = [b"", b"_", b"-", b".", b"1", b"\xff\xfe\x00", &[b'A'; 9000], b"pypi-AgEI"];
        for validator in BUILTIN {
            for bytes in odd {
                validator.passes(bytes);
            }
        }
    }
}
