//! The program `stele-toolkit` on the databases of running services.

#![allow(clippy::unwrap_used, reason = "functions that tests are made of")]
#![allow(
    clippy::disallowed_methods,
    reason = "files that an operator names aren't on the broker's disk"
)]

#[path = "../../../sql/tests/support/home.rs"]
mod home;

mod letters;
mod refusing;
mod sagas;
mod shop;
