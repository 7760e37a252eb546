//! How the spans of messages are joined with those of other programs.

use std::{fmt::Debug, sync::Arc};

use stele_toolkit_envelope::Trace;
use tracing::Span;

use crate::{FailureClass, Received};

/// Joins the spans of messages to traces that go from program to program. A service without one
/// passes the trace of a message on, with a span id of its own that nobody records.
///
/// The spans are `message`, and `batch` for several messages at once. Both have the fields
/// `otel.name` and `otel.kind`, which stay empty unless they are recorded here.
///
/// The crate `stele-toolkit-otel` implements it for OpenTelemetry.
pub trait Spans: Debug + Send + Sync + 'static {
    /// A span begins in which these messages are handled: of one, the span that sent it is the
    /// parent; of several, the spans that sent them are linked.
    fn handles(&self, span: &Span, received: &[Arc<Received>]);

    /// The attempt of the span has failed.
    fn failed(&self, span: &Span, class: FailureClass, error: &str);

    /// The trace that messages belong to that are sent in this span; `None` if it isn't recorded.
    fn trace_of(&self, span: &Span) -> Option<Trace>;
}

/// Joins nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NoSpans;

impl Spans for NoSpans {
    fn handles(&self, _span: &Span, _received: &[Arc<Received>]) {}

    fn failed(&self, _span: &Span, _class: FailureClass, _error: &str) {}

    fn trace_of(&self, _span: &Span) -> Option<Trace> {
        None
    }
}
