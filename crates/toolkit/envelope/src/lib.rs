//! The envelope of messages: its fields, its versions and its forms on the wire.
//!
//! ```text
//!  OrderCreated ── Envelope::of ──► Envelope ── encode ──► JSON, or a CloudEvent
//!               ◄── open, upcasts ──         ◄── decode ──
//! ```
//!
//! A type whose values are messages implements [`Message`], usually by its derive. An [`Envelope`]
//! says which message it holds, of which type and version, when and where it was made, and what it
//! belongs to. It carries the data as they came, so that a program can pass on what it doesn't
//! know. `docs/patterns/envelope.md` says what for.
//!
//! Invariants: nothing here does I/O, but for the check of schema files in tests; time and
//! randomness come from an [`Ids`]; no input causes a panic, and the memory for a message is
//! bounded by its length, which the caller limits.

extern crate self as stele_toolkit_envelope;

mod cloudevents;
mod context;
mod decode;
mod encode;
mod envelope;
mod error;
mod fields;
mod ids;
mod key;
pub mod limits;
mod message;
mod metadata;
mod raw_json;
#[cfg(feature = "schema")]
mod schema;
mod timestamp;
mod trace;
mod upcast;
mod version;
mod wire;

pub use context::Context;
pub use envelope::Envelope;
pub use error::{DecodeError, EncodeError, OpenError, OpenProblem};
pub use fields::Fields;
pub use ids::{Ids, SeededIds, SystemIds};
pub use key::Key;
pub use message::Message;
pub use metadata::Metadata;
pub use raw_json::RawJson;
#[cfg(feature = "schema")]
pub use schema::{SchemaError, SchemaProblem, TypeSchema, check_schemas, schema_of};
/// Derives [`trait@Message`], whose documentation describes the attributes.
pub use stele_toolkit_macros::Message;
pub use timestamp::{Timestamp, TimestampError};
pub use trace::{SpanId, Trace, TraceId, TraceName, TraceParent, TraceState};
pub use upcast::{Upcast, UpcastError};
pub use version::{Version, VersionError};
pub use wire::{Binding, Decoded, Form, Reading, WireMessage, WireView};

/// The trait without its derive, for crates that re-export it with one of their own.
#[doc(hidden)]
pub mod without_derive {
    pub use crate::message::Message;
}

/// The page about the pattern, whose code runs as a test.
#[cfg(doctest)]
#[doc = include_str!("../../../../docs/patterns/envelope.md")]
struct PatternPage;
