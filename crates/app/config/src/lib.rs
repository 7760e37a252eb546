//! The configuration: flag over environment over file over default, each value with its source.
//!
//! [`keys::KEYS`] is the one list of what can be set. Layers are flat maps from a key's path to a
//! value; [`load`] lays them over each other, judges every value by its key's kind, and gives
//! [`Settings`] together with the table of where each value came from. A key that isn't in the
//! list stops the start, with the nearest that is.
#![expect(
    clippy::disallowed_methods,
    reason = "the configuration is read before there is a disk to read it with, and says which"
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
