//! Traces in the words of the envelope and in those of OpenTelemetry.

use opentelemetry::{
    Context,
    trace::{SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState},
};
use stele_toolkit_envelope::{self as envelope, Trace};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// Has a span go on with a trace: the span that sent it is the parent. To be called right after the
/// span was made, before anything happens in it.
///
/// For an HTTP request, the trace is [`Trace::of`] its headers `traceparent` and `tracestate`.
pub fn join(span: &Span, trace: &Trace) {
    if let Some(sender) = remote(trace)
        && let Err(error) = span.set_parent(Context::new().with_remote_span_context(sender))
    {
        tracing::debug!("a span can't be joined to its trace: {error}");
    }
}

/// The span that sent a message; `None` without a trace of W3C Trace Context.
pub(crate) fn remote(trace: &Trace) -> Option<SpanContext> {
    let Trace::Context { parent, state } = trace else {
        return None;
    };
    let state: TraceState = state.to_string().parse().unwrap_or_default();
    Some(SpanContext::new(
        TraceId::from(parent.trace_id.bits()),
        SpanId::from(parent.parent_id.bits()),
        TraceFlags::new(parent.flags),
        true,
        state,
    ))
}

/// The trace of what is sent in a span; `None` if nobody records the span.
pub(crate) fn of(span: &Span) -> Option<Trace> {
    let context = span.context();
    let span = context.span();
    let sender = span.span_context();
    let trace_id = u128::from_be_bytes(sender.trace_id().to_bytes());
    let parent_id = u64::from_be_bytes(sender.span_id().to_bytes());
    Some(Trace::Context {
        parent: envelope::TraceParent {
            trace_id: envelope::TraceId::new(trace_id)?,
            parent_id: envelope::SpanId::new(parent_id)?,
            flags: sender.trace_flags().to_u8(),
        },
        state: envelope::TraceState::parse(&sender.trace_state().header()),
    })
}
