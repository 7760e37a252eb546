//! Tests of services, aggregates, sagas and projections, without a broker and without waiting.
//!
//! | what | how |
//! |---|---|
//! | an aggregate | given events, when a command, then events or a refusal: [`aggregate`] |
//! | a saga | given its start, when replies and time, then commands: [`saga`] |
//! | a process | given what makes it, when messages and time, then commands: [`process`] |
//! | a projection | given events, then rows: [`projection`] |
//! | services | on a broker in memory, in virtual time, with faults: [`Harness`] |
//!
//! All but the last are pure, or need one database. A [`Harness`] runs whole services as they are,
//! with their policy, inbox and outbox. Time passes in it only when nothing else can happen, so
//! that an hour of retries takes milliseconds and a test ends exactly when nothing is left to do.
//!
//! What isn't as expected is shown as a difference, line by line. `docs/toolkit/testing.md` has
//! examples.

#[cfg(feature = "es")]
pub mod aggregate;
#[cfg(feature = "saga")]
mod course;
mod difference;
mod message;
#[cfg(feature = "saga")]
pub mod process;
#[cfg(feature = "es")]
pub mod projection;
#[cfg(feature = "saga")]
pub mod saga;
mod service;

pub use message::{Expected, command, event};
pub use service::{Dead, Harness, TestStore};
#[doc(no_inline)]
pub use stele_toolkit_bus::memory::{Crash, Fault};

/// The page about tests, whose code runs with them.
#[cfg(all(doctest, feature = "es", feature = "saga"))]
#[doc = include_str!("../../../../docs/toolkit/testing.md")]
mod page {}
