//! `tx.select`, `tx.commit`, `tx.rollback`: transactions of a channel.
//!
//! Fields: none. Not offered: `select` is 540 NOT_IMPLEMENTED; the others are 406
//! PRECONDITION_FAILED, as on every channel that isn't transactional.
//! Spec: 1.9.
//! Deviations from RabbitMQ: it offers them.

use super::Outcome;
use crate::{connection::Connection, errors::Fault};

pub(super) fn run(connection: &mut Connection, number: u16) -> Outcome {
    if connection.session.channel(number)?.confirms.is_some() {
        return Err(Fault::precondition("cannot switch from confirm to tx mode"));
    }
    Err(Fault::not_implemented(
        "transactions are not supported, use publisher confirms",
    ))
}

/// Commit or rollback.
pub(super) fn end(connection: &mut Connection, number: u16) -> Outcome {
    connection.session.channel(number)?;
    Err(Fault::precondition("channel is not transactional"))
}
