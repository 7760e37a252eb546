//! SQS requests and responses in both of its protocols as values.
//!
//! ```text
//!  AWS JSON 1.0 body ──┐                                     ┌── AWS JSON 1.0 body
//!                      ├─▶ tree ─▶ members ─▶ Request        │
//!  query form ─────────┘                       Response ─▶ writer
//!                                              Error    ─────┴── XML
//! ```
//!
//! Each action is a line in [`each_action`] and a file under `actions/`, and is read and written
//! once: [`members`] hides how
//! the two protocols name lists and maps, [`writer`] how they print them. Nothing here does I/O,
//! reads a clock or knows a queue. No input panics; what a request may cost in memory is bounded
//! by [`limits`] and by the length of the body, which the caller bounds.

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
