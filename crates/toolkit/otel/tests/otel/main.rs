//! What goes to OpenTelemetry: one trace through HTTP requests and messages, and the metrics.

mod collector;
mod shop;
mod traces;
