//! The message envelope.

mod timestamp;

pub use timestamp::Timestamp;
