//! Dead letters: messages that couldn't be handled, with what is known about it.
//!
//! A letter is the original message, byte for byte, in the queue `{service}.dead`, with these
//! headers besides its own:
//!
//! | header | |
//! |---|---|
//! | `reason` | a word that never changes: `error`, `timeout`, `unknown_type`, `missing_field` … |
//! | `error` | what went wrong last, in words |
//! | `errorType` | the type of the last error |
//! | `handler`, `service` | who couldn't handle it |
//! | `attempts` | how many attempts were counted |
//! | `firstFailedAt`, `lastFailedAt` | RFC 3339 |
//! | `origin` | where it lay: `topic[partition]@offset` |
//! | `host`, `codeVersion` | where and with which program it failed last |
//! | `messageId`, `destination` | the original's own; a letter has an id of its own |

mod headers;
mod queue;
mod tool;

pub(crate) use headers::{Author, letter, notice, restore};
pub use queue::QueueLetters;
pub use tool::{DeadLetter, DeadLetters, Edit, Filter, LettersError};

/// The queue of a service's dead letters.
pub fn dead_queue(service: &str) -> String {
    format!("{service}.dead")
}

/// The queue by which dead letters come back to their service, and to it alone.
pub fn retry_queue(service: &str) -> String {
    format!("{service}.retry")
}
