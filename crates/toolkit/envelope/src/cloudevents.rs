//! Envelopes as CloudEvents 1.0.
//!
//! | envelope | attribute |
//! |---|---|
//! | `messageId` | `id` |
//! | `type` | `type` |
//! | `version` | `eventversion` |
//! | `timestamp` | `time` |
//! | `source` | `source` |
//! | `correlationId` | `correlationid` |
//! | the key | `subject` and `partitionkey` |
//! | `data` | the data, with `datacontenttype` |
//! | `metadata`: `userId`, `causationId`, `replyTo` | `userid`, `causationid`, `replyto` |
//! | `metadata`: `traceparent`, `tracestate` | the same; `traceId` only without them: `traceid` |
//! | `metadata`: `sequence` | `sequence`, with 20 digits, so that its text is ordered as it is |
//! | other fields of `metadata` whose names and values an attribute can have | the same |
//! | all other fields of `metadata` | `envelopemeta`: an object as text |
//! | other fields of the envelope | `envelopefields`: an object as text |
//!
//! The other way, attributes that aren't in this table become fields of `metadata`. An event of
//! somebody else may lack what an envelope has: then the correlation id is the event's id, the
//! version 1.0 and the time that at which the event was received.

pub(crate) mod attributes;
pub(crate) mod binary;
pub(crate) mod structured;

/// The media type of JSON.
pub(crate) const JSON: &str = "application/json";

/// How the media types of CloudEvents in structured mode begin.
pub(crate) const FAMILY: &str = "application/cloudevents";

/// That of events as JSON.
const STRUCTURED: &str = "application/cloudevents+json";

/// Whether data of a media type are JSON (CloudEvents JSON format, section 3.1).
fn is_json(content_type: &str) -> bool {
    let media_type = content_type.split(';').next().unwrap_or_default();
    let subtype = media_type.trim().rsplit('/').next().unwrap_or_default();
    let subtype = subtype.to_ascii_lowercase();
    subtype == "json" || subtype.ends_with("+json")
}

#[cfg(test)]
mod tests;
