//! Instances in a database, and services with sagas: one suite for SQLite and PostgreSQL.

#![allow(clippy::unwrap_used, reason = "functions that tests are made of")]

#[path = "../../../sql/tests/support/clock.rs"]
mod clock;
#[path = "../../../sql/tests/support/home.rs"]
mod home;

mod correlating;
mod deciding;
mod ending;
mod orchestrating;
mod order;
mod participating;
mod replying;
mod services;
