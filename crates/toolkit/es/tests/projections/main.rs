//! Projections and the two sides of CQRS, on SQLite and PostgreSQL.

#![allow(clippy::unwrap_used, reason = "functions that tests are made of")]
#![allow(
    clippy::duplicate_mod,
    reason = "the example's modules name each other"
)]

#[path = "../clock/mod.rs"]
mod clock;
#[path = "../../examples/orders/commands.rs"]
mod commands;
#[path = "../../../sql/tests/support/home.rs"]
mod home;
#[path = "../../examples/orders/order.rs"]
mod order;
#[path = "../../examples/orders/projection.rs"]
mod projection;
#[path = "../../examples/orders/queries.rs"]
mod queries;

mod failing;
mod orders;
mod rebuilding;
mod sharing;
mod world;
