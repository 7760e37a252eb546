//! `confirm.select`: puts the channel into confirm mode (RabbitMQ's extension).
//!
//! Fields: `no-wait`. Reply: `confirm.select-ok`. Repeating it has no effect; a transactional
//! channel is 406 PRECONDITION_FAILED. Publishes are numbered from 1. `basic.ack` is sent when a
//! message is durable in every queue it was routed to, immediately if there is none; `basic.nack`
//! when it was refused. Spec: an extension, in the XML definition that RabbitMQ publishes.
//! Deviations from RabbitMQ: none.

use stele_wire_amqp::method::confirm::{Select, SelectOk};

use super::Handled;
use crate::{connection::Connection, errors::Fault, session::confirms::Confirms};

pub(super) fn run(connection: &mut Connection, number: u16, select: &Select) -> Handled {
    let channel = connection.session.channel(number)?;
    if channel.transaction.is_some() {
        return Err(Fault::precondition("cannot switch from tx to confirm mode"));
    }
    channel.confirms.get_or_insert_with(Confirms::new);
    if !select.no_wait {
        connection.reply(number, SelectOk {});
    }
    Ok(())
}
