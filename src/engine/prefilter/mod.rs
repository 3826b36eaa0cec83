//! Finds where a required literal of some rule begins.
