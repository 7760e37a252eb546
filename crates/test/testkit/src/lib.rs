//! Builders and a running broker for tests.
