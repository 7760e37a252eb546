//! Builders and a running broker for tests.
//!
//! Never published; depended on by tests alone.

mod broker;

pub use broker::TestBroker;
