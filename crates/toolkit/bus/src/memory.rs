//! A broker, a database and a clock in memory, for tests.
//!
//! They keep what a real transport, a real store and real time promise, and do what tests need:
//! time passes when a test says so, and faults come when it orders them.

mod broker;
mod clock;
mod consumer;
mod fault;
mod queue;
mod store;
mod transport;
mod tx;
mod work;

pub use broker::MemoryBroker;
pub use clock::{InFlight, Outside, VirtualClock};
pub use fault::{Crash, Fault};
pub use store::{MemoryLetters, MemoryStore};
pub use transport::MemoryTransport;
pub use tx::MemoryTx;
