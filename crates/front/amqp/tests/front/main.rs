//! The AMQP front on a real broker, over real sockets.
#![allow(clippy::unwrap_used, reason = "a test that can't go on says so")]

mod bad_input;
mod broker_side;
mod channel_errors;
mod delayed;
mod full_disk;
mod messages;
mod opening;
mod overdue;
mod queues;
mod short_memory;
mod streams;
mod support;
