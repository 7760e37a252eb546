//! What an envelope says besides its eight fields.

use crate::{Fields, Trace};

/// The `metadata` of an envelope.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata {
    /// The trace that the message belongs to: `traceId`, `traceparent`, `tracestate`.
    pub trace: Trace,
    /// Who started what this message belongs to: `userId`.
    pub user_id: Option<String>,
    /// The id of the message that this one follows from: `causationId`.
    pub causation_id: Option<String>,
    /// The message's number among those of its source and key: `sequence`.
    pub sequence: Option<u64>,
    /// Where replies go: `replyTo`.
    pub reply_to: Option<String>,
    /// Other fields, as they came.
    pub unknown: Fields,
}

/// How the names of the unknown fields begin that are passed on to the messages that follow.
const TENANT: &str = "tenant";

impl Metadata {
    /// The fields that tell whose data the message is about: `tenant`, `tenantId` and others whose
    /// names begin so. Messages that follow from this one have them too.
    pub fn tenant(&self) -> Fields {
        let all = self.unknown.iter();
        all.filter(|(name, _)| name.starts_with(TENANT))
            .map(|(name, value)| (name, value.clone()))
            .collect()
    }
}
