//! What a database does for a service: one suite for SQLite and PostgreSQL.

#![allow(clippy::unwrap_used, reason = "functions that tests are made of")]

#[path = "../support/mod.rs"]
mod support;

mod dead;
mod inbox;
mod leases;
mod parked;
mod relay;
mod timers;
mod transactions;

use support::home;
