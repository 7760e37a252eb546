//! Builders and a running broker for tests.
//!
//! Never published; depended on by tests alone.

mod broker;
mod scarce_disk;

pub use broker::TestBroker;
