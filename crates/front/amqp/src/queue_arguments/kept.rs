//! The arguments that a queue was created with, from its settings.

use stele_core_engine::{LogDefinition, Settings};

use super::{
    AT_LEAST_ONCE, CLASSIC, DEAD_LETTER_EXCHANGE, DEAD_LETTER_KEY, DEAD_LETTER_STRATEGY, OVERFLOW,
    QUORUM, REJECT_PUBLISH, SINGLE_ACTIVE, STREAM, TYPE,
};
use crate::lookup::FACET;

/// The arguments that a queue was created with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kept<'a>(pub(crate) &'a Settings);

impl<'a> Kept<'a> {
    /// Where its dead letters go.
    pub(crate) fn dead_letter_exchange(self) -> Option<&'a str> {
        self.text(DEAD_LETTER_EXCHANGE)
    }

    /// The key that they go there with, instead of their own.
    pub(crate) fn dead_letter_key(self) -> Option<&'a str> {
        self.text(DEAD_LETTER_KEY)
    }

    /// Whether they stay where they are if they are routed nowhere. As in RabbitMQ, only where the
    /// queue refuses messages when it is full.
    pub(crate) fn keeps_unroutable(self) -> bool {
        let refuses = self.text(OVERFLOW) == Some(REJECT_PUBLISH);
        refuses && self.text(DEAD_LETTER_STRATEGY) == Some(AT_LEAST_ONCE)
    }

    /// Whether it was declared with type `quorum`: its messages show how often they were delivered.
    pub(crate) fn is_quorum(self) -> bool {
        self.text(TYPE) == Some(QUORUM)
    }

    fn text(self, name: &str) -> Option<&'a str> {
        let (_, text) = self.0.get(name)?.split_once(' ')?;
        Some(text)
    }
}

/// The type of an existing queue, from its settings.
pub(crate) fn kind_of(kept: Option<&Settings>) -> &str {
    kept.and_then(|kept| Kept(kept).text(TYPE))
        .unwrap_or(CLASSIC)
}

/// Whether a log was declared as a stream.
pub(crate) fn is_stream(definition: &LogDefinition) -> bool {
    kind_of(definition.facets.get(FACET)) == STREAM
}

/// Whether a log was declared as a stream that one consumer at a time reads.
pub(crate) fn is_stream_of_one(definition: &LogDefinition) -> bool {
    let kept = definition.facets.get(FACET).map(Kept);
    let flag = kept.and_then(|kept| kept.text(SINGLE_ACTIVE));
    is_stream(definition) && flag == Some("true")
}

/// Whether a log was declared over AMQP as a classic queue.
pub(crate) fn is_classic_queue(definition: &LogDefinition) -> bool {
    let kept = definition.facets.get(FACET);
    kept.is_some() && kind_of(kept) == CLASSIC
}

/// RabbitMQ's name for the type of a declared queue.
pub(crate) fn type_name(definition: &LogDefinition) -> &'static str {
    type_name_of(kind_of(definition.facets.get(FACET)))
}

/// RabbitMQ's name for a type.
pub(super) fn type_name_of(kind: &str) -> &'static str {
    match kind {
        STREAM => "rabbit_stream_queue",
        QUORUM => "rabbit_quorum_queue",
        _ => "rabbit_classic_queue",
    }
}
