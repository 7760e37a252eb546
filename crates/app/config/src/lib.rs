//! The configuration. Flags override the environment, which overrides the file, which overrides the
//! defaults. Each value has its source.
//!
//! [`keys::KEYS`] is the single list of keys. Layers are flat maps from a key's path to a value.
//! [`load`] merges them, checks every value against its key's kind, and returns [`Settings`] with a
//! table of the source of each value. An unknown key is an error at start; the message names the
//! most similar key.
#![expect(
    clippy::disallowed_methods,
    reason = "the configuration is read before the disk exists, which it determines"
)]

mod check;
mod docs;
mod environment;
mod error;
mod file;
mod key;
mod keys;
mod load;
mod measure;
mod settings;
mod source;

pub use check::{check, is_localhost};
pub use docs::reference;
pub use environment::COMMAND_VARIABLES;
pub use error::Error;
pub use key::{Key, Kind};
pub use keys::{KEYS, find};
pub use load::{Flag, Inputs, Loaded, Placed, load};
pub use measure::{Size, Span};
pub use settings::{
    Admin, Amqp, Auth, Durability, Engine, Kafka, Limits, LogFormat, Logging, Settings, Sqs,
    Storage,
};
pub use source::Source;
