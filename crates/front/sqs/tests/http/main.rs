//! Tests the front over HTTP on a real broker: raw requests of both protocols, and invalid input.

#![allow(
    clippy::unwrap_used,
    reason = "what fails here is the test, and where is all there is to say"
)]

mod bad_input;
mod counting;
mod dead_letters;
mod fifo;
mod foreign;
mod full_disk;
mod kit;
mod messages;
mod move_tasks;
mod other_protocols;
mod query;
mod queues;
mod receiving;
