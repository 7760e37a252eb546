//! `tx.select`: makes the channel transactional.
//!
//! Fields: none. Reply: `tx.select-ok`. Repeating it has no effect. From then on, publishes and
//! settlements wait for `tx.commit`. A channel in confirm mode is 406 PRECONDITION_FAILED. Spec:
//! 1.9.2.1. Deviations from RabbitMQ: an open transaction holds at most 64 MiB; more is 406
//! PRECONDITION_FAILED.

use stele_wire_amqp::method::tx::SelectOk;

use super::Handled;
use crate::{connection::Connection, errors::Fault, session::transaction::Transaction};

pub(super) fn run(connection: &mut Connection, number: u16) -> Handled {
    let channel = connection.session.channel(number)?;
    if channel.confirms.is_some() {
        return Err(Fault::precondition("cannot switch from confirm to tx mode"));
    }
    channel.transaction.get_or_insert_with(Transaction::default);
    connection.reply(number, SelectOk {});
    Ok(())
}

/// Takes the channel's open transaction and begins the next one.
pub(super) fn take(connection: &mut Connection, number: u16) -> Result<Transaction, Fault> {
    let channel = connection.session.channel(number)?;
    match &mut channel.transaction {
        Some(transaction) => Ok(std::mem::take(transaction)),
        None => Err(Fault::precondition("channel is not transactional")),
    }
}
