//! inkout masks secrets in logs and changes nothing else.

#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "cli")]
pub mod config;
pub mod engine;
#[cfg(feature = "cli")]
pub mod pipe;
pub mod rules;
#[cfg(feature = "cli")]
pub mod secrets;
