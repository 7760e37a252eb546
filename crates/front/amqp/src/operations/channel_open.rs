//! `channel.open`: opens a channel.
//!
//! Fields: none in use. Reply: `channel.open-ok`. More channels than negotiated are 530
//! NOT_ALLOWED; a channel that is already open is 504 CHANNEL_ERROR. Spec: 1.5.2.1. Deviations from
//! RabbitMQ: none.

use stele_wire_amqp::method::channel;

use super::Handled;
use crate::connection::Connection;

pub(super) fn run(connection: &mut Connection, number: u16) -> Handled {
    connection.session.open_channel(number)?;
    connection.reply(number, channel::OpenOk {});
    Ok(())
}
