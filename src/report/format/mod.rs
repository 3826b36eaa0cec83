//! The formats: each writes one report. They hold what [`Report`](super::Report) holds, so none of them can hold a secret.

pub(super) mod csv;
pub(super) mod json;
pub(super) mod junit;
pub(super) mod sarif;
pub(super) mod table;
