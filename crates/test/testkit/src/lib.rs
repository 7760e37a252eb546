//! Builders and a running broker for tests.
//!
//! Never published; only tests depend on it.

mod broker;
mod counted;
mod declaration;
mod message;
mod scarce_disk;
mod shard;
mod shifted_clock;

pub use broker::TestBroker;
pub use counted::counted;
pub use declaration::queue;
pub use message::{claiming, compressed, message, unopenable};
pub use shard::first_shard;
