//! The trace that a message belongs to.

mod parent;
mod state;

pub use parent::{SpanId, TraceId, TraceParent};
pub use state::TraceState;

use std::fmt;

use crate::Ids;

/// The trace that a message belongs to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Trace {
    /// None.
    #[default]
    None,
    /// An id that isn't one of W3C Trace Context, such as `trace-abc`. It is passed on as it is.
    Text(String),
    /// A trace of W3C Trace Context.
    Context {
        /// The span that sent the message.
        parent: TraceParent,
        /// What tracing systems pass to each other.
        state: TraceState,
    },
}

impl Trace {
    /// The trace of two headers. As the specification says, `traceparent` counts only if it is
    /// valid, and `tracestate` only beside it; without, the trace is `id`, if there is one.
    pub fn of(id: Option<&str>, traceparent: Option<&str>, tracestate: Option<&str>) -> Self {
        match traceparent.and_then(TraceParent::parse) {
            Some(parent) => Self::Context {
                parent,
                state: tracestate.map(TraceState::parse).unwrap_or_default(),
            },
            None => id.map_or(Self::None, |id| Self::Text(id.to_owned())),
        }
    }

    /// The trace's id, as in `metadata.traceId`.
    pub fn id(&self) -> Option<TraceName<'_>> {
        match self {
            Self::None => None,
            Self::Text(text) => Some(TraceName::Text(text)),
            Self::Context { parent, .. } => Some(TraceName::Id(parent.trace_id)),
        }
    }

    /// The same trace with a new span as the parent of what follows.
    #[must_use]
    pub fn child(&self, ids: &dyn Ids) -> Self {
        match self {
            Self::Context { parent, state } => Self::Context {
                parent: parent.child(ids),
                state: state.clone(),
            },
            other => other.clone(),
        }
    }
}

/// The id of a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TraceName<'a> {
    /// An id of W3C Trace Context.
    Id(TraceId),
    /// Another one.
    Text(&'a str),
}

impl fmt::Display for TraceName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::Text(text) => f.write_str(text),
        }
    }
}
