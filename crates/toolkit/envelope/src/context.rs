//! What a program puts into the envelopes of its messages.

use std::sync::Arc;

use crate::{Envelope, Fields, Ids, RawJson, SystemIds, Trace};

/// What a program puts into the envelopes of its messages: its name, its clock and ids, and what
/// the messages belong to.
#[derive(Clone, Debug)]
pub struct Context {
    /// The program's name: `source`. If the messages are sent as CloudEvents, it has to be a
    /// URI-reference; a name of letters, digits and hyphens is one.
    pub source: String,
    /// Its clock and ids.
    pub ids: Arc<dyn Ids>,
    /// What the messages belong to: `correlationId`. A message without one begins something new,
    /// and its own id is used.
    pub correlation_id: Option<String>,
    /// The message that they follow from: `causationId`.
    pub causation_id: Option<String>,
    /// Who started it: `userId`.
    pub user_id: Option<String>,
    /// The trace they belong to. `parent` is the span that sends them.
    pub trace: Trace,
    /// More fields of `metadata`, such as `tenantId`.
    pub metadata: Fields,
}

impl Context {
    /// The context of a program that begins something new, with the system's clock and ids.
    pub fn new(source: impl Into<String>) -> Self {
        Self {
            source: source.into(),
            ids: Arc::new(SystemIds),
            correlation_id: None,
            causation_id: None,
            user_id: None,
            trace: Trace::None,
            metadata: Fields::new(),
        }
    }

    /// The same context with another clock and other ids.
    #[must_use]
    pub fn with_ids(mut self, ids: Arc<dyn Ids>) -> Self {
        self.ids = ids;
        self
    }

    /// The same context, belonging to what has this id.
    #[must_use]
    pub fn with_correlation_id(mut self, id: impl Into<String>) -> Self {
        self.correlation_id = Some(id.into());
        self
    }

    /// The same context for what a user started.
    #[must_use]
    pub fn with_user_id(mut self, id: impl Into<String>) -> Self {
        self.user_id = Some(id.into());
        self
    }

    /// The same context in a trace.
    #[must_use]
    pub fn with_trace(mut self, trace: Trace) -> Self {
        self.trace = trace;
        self
    }

    /// The same context with another field of `metadata`.
    #[must_use]
    pub fn with_metadata(mut self, name: impl Into<String>, value: impl Into<RawJson>) -> Self {
        self.metadata.set(name, value);
        self
    }

    /// The context of the messages that this program sends because it has received one: they keep
    /// its correlation id, user, trace and tenant fields, and have it as their cause. The trace
    /// goes on with a new span, which is that of this program's work.
    #[must_use]
    pub fn caused_by(&self, received: &Envelope) -> Self {
        Self {
            source: self.source.clone(),
            ids: Arc::clone(&self.ids),
            correlation_id: Some(received.correlation_id.clone()),
            causation_id: Some(received.message_id.clone()),
            user_id: received.metadata.user_id.clone(),
            trace: received.metadata.trace.child(&*self.ids),
            metadata: received.metadata.tenant(),
        }
    }
}
