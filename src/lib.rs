//! inkout masks secrets in logs and changes nothing else.

pub mod engine;
pub mod rules;
