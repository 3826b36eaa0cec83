//! The `inkout` program.
fn main() {}
