//! What was found, told to people and machines. (stub header, rewritten below)

pub mod template;
