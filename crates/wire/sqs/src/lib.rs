//! SQS requests and responses as values, in both of its protocols.
//!
//! ```text
//!  AWS JSON 1.0 body ──┐                                     ┌── AWS JSON 1.0 body
//!                      ├─▶ tree ─▶ members ─▶ Request        │
//!  query form ─────────┘                       Response ─▶ writer
//!                                              Error    ─────┴── XML
//! ```
//!
//! Each action is a line in [`each_action`] and a file under `actions/`, with one definition for
//! both protocols: [`members`] hides how they name lists and maps, [`writer`] how they encode them.
//! Nothing here does I/O, reads a clock or knows queues. No input causes a panic; the memory for a
//! request is bounded by [`limits`] and by the length of the body, which the caller limits.

mod action;
mod actions;
mod checksum;
mod each_action;
mod error;
mod form;
pub mod limits;
mod members;
mod message_attribute;
mod queue_name;
mod request;
mod response;
mod text;
mod tree;
mod writer;

pub use action::Action;
pub use actions::*;
pub use checksum::{content_based_deduplication_id, md5_of_attributes, md5_of_body};
pub use error::{Error, ErrorKind, Fault};
pub use message_attribute::{AttributeInput, AttributeValue, MessageAttribute};
pub use queue_name::{QueueName, queue_name_in_url};
pub use request::{Protocol, Request, decode_json, decode_query, encode_json, encode_query};
pub use response::Response;
pub use text::{first_forbidden_character, is_message_text};
