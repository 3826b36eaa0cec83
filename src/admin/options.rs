//! `[admin]` of the configuration file.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Deserializer};

/// Where nothing else listens by default, on the machine itself alone.
pub const DEFAULT_LISTEN: &str = "127.0.0.1:9611";

/// `[admin]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AdminOptions {
    /// `ADDRESS:PORT`, `unix:PATH` or `off`. Nobody is asked who they are: listen on the machine itself alone, or let the
    /// network keep strangers out.
    #[schemars(with = "String")]
    pub listen: Listen,
}

impl Default for AdminOptions {
    fn default() -> AdminOptions {
        AdminOptions { listen: Listen::parse(DEFAULT_LISTEN).expect("an address and a port") }
    }
}

/// Where to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// Nowhere.
    Off,
    /// On a port.
    Tcp(SocketAddr),
    /// On a socket that only its owner may open.
    Unix(PathBuf),
}

impl Listen {
    /// What `text` says.
    ///
    /// # Errors
    /// Says what is allowed.
    pub fn parse(text: &str) -> Result<Listen, String> {
        match (text, text.strip_prefix("unix:")) {
            ("off", _) => Ok(Listen::Off),
            (_, Some(path)) if path.starts_with('/') => Ok(Listen::Unix(path.into())),
            (_, Some(_)) => Err(format!("`{text}`: the path of a socket is absolute: unix:/run/inkout/admin.sock")),
            _ => text.parse().map(Listen::Tcp).map_err(|_| {
                format!("`{text}` is no address to listen on: {DEFAULT_LISTEN}, [::1]:9611, unix:/run/inkout/admin.sock or off")
            }),
        }
    }

    /// Whether other machines may reach it.
    pub fn is_exposed(&self) -> bool {
        matches!(self, Listen::Tcp(address) if !address.ip().is_loopback())
    }
}

impl<'de> Deserialize<'de> for Listen {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Listen, D::Error> {
        Listen::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_is_on_the_machine_itself_unless_an_address_is_named() {
        assert!(!AdminOptions::default().listen.is_exposed());
        let cases = [
            ("127.0.0.1:1", false),
            ("[::1]:1", false),
            ("0.0.0.0:1", true),
            ("10.0.0.1:1", true),
            ("unix:/a", false),
            ("off", false),
        ];
        for (text, exposed) in cases {
            assert_eq!(Listen::parse(text).map(|listen| listen.is_exposed()), Ok(exposed), "{text}");
        }
        for text in ["", "9611", "localhost:9611", ":9611", "unix:a", "unix:", "127.0.0.1"] {
            assert!(Listen::parse(text).is_err(), "{text}");
        }
    }
}
