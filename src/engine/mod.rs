//! The pure engine: rules in, findings and masked bytes out. No I/O, no clocks, no threads.

pub mod byteset;
pub mod prefilter;
