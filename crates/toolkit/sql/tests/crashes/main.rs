//! What a crash, a pause or an absent database costs: nothing but time and copies, which the
//! receiver's inbox drops.

#![allow(clippy::unwrap_used, reason = "functions that tests are made of")]

#[path = "../support/mod.rs"]
mod support;

mod away;
mod points;
