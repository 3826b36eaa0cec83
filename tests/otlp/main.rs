//! OTLP messages through the rewriter, with `opentelemetry-proto` as the judge: what it decodes before and after may differ in
//! the masked values and in nothing else.

mod allow;
mod fields;
mod hostile;
mod kept;
mod keys;
mod lines;
mod messages;
mod model;
mod repeated;
mod support;
