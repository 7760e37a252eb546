//! Kafka requests and responses as values.
//!
//! The messages are generated from Kafka's schemas by the `kafka-protocol` crate, and re-exported
//! as [`messages`]. This crate adds what a server needs:
//!
//! - [`split_frame`] splits requests off a connection's bytes;
//! - [`RequestHeader`] reads a request's header, of any API, known or unknown;
//! - [`api`] lists the APIs that this crate can decode, with the shape of their requests;
//! - [`decode`] decodes a request's body, after checking its shape: the generated decoders allocate
//!   the length that a list claims before reading it, so that a few bytes could claim gigabytes;
//! - [`assigned_partitions`] reads the assignment of a group's leader;
//! - [`encode`] encodes a response;
//! - [`fetch`] encodes a Fetch response around the stored batches, without copying them.
//!
//! A frame in each direction; all integers are big-endian:
//!
//! ```text
//! request                                          response
//! ┌────────┬─────────┬─────────┬────────────┬────── ┌────────┬─────────────┬──────
//! │ length │ API key │ version │ correlation│       │ length │ correlation │
//! │ (4)    │ (2)     │ (2)     │ id (4)     │       │ (4)    │ id (4)      │
//! └────────┴─────────┴─────────┴────────────┴────── └────────┴─────────────┴──────
//!       ──┬───────────┬───────┬──────┐                    ──┬───────┬──────┐
//!         │ client id │ tags  │ body │                      │ tags  │ body │
//!         │ (2+n)     │ (v2)  │      │                      │ (v1)  │      │
//!       ──┴───────────┴───────┴──────┘                    ──┴───────┴──────┘
//! ```
//!
//! The length counts what follows it. Tags (KIP-482) occur in an API's flexible versions, except in
//! ApiVersions responses: their reader doesn't know yet which versions the server supports.
//!
//! This crate does no I/O.

pub mod api;
mod assignment;
mod decode;
mod error;
pub mod fetch;
mod frame;
mod header;
mod limits;
mod reader;
mod response;
mod shape;

pub use assignment::assigned_partitions;
pub use decode::decode;
pub use error::Error;
pub use frame::{FrameError, LENGTH_SIZE_BYTES, split_frame};
pub use header::RequestHeader;
pub use kafka_protocol::{
    ResponseError,
    error::ParseResponseErrorCode,
    messages,
    protocol::{Decodable, Encodable, HeaderVersion, Message, Request, StrBytes},
};
pub use limits::LIST_ELEMENTS_MAX;
pub use response::{Response, encode, encode_version};

#[cfg(test)]
mod tests;
