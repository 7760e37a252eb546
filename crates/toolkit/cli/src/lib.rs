//! The operator's command line: dead letters, sagas and outboxes of any service, by its database.
//!
//! It is the program `stele-toolkit`, and a [`Command`] that an application mounts under a name of
//! its own.
//!
//! Invariants: data go to the standard output, all else to the standard error. Nothing is made in a
//! database: neither a file nor a table.

#[cfg(doctest)]
#[doc = include_str!("../../../../docs/toolkit/operating.md")]
mod page {}

mod command;
mod dead;
mod failure;
mod graph;
mod outbox;
mod output;
mod place;
mod saga;

pub use command::Command;
pub use failure::{EXIT_CODES, Failure};
