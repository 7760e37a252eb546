//! `access.request`: requests access to a realm, as AMQP 0-8 clients do.
//!
//! Fields: without meaning since 0-9-1. Reply: `access.request-ok` with the ticket 1, as in
//! RabbitMQ; tickets are ignored everywhere. Spec: 0-8, 1.3.2.1; not in 0-9-1. Deviations from
//! RabbitMQ: none.

use stele_wire_amqp::method::access::RequestOk;

use super::Handled;
use crate::connection::Connection;

pub(super) fn run(connection: &mut Connection, number: u16) -> Handled {
    connection.reply(number, RequestOk { ticket: 1 });
    Ok(())
}
