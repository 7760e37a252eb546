//! `access.request`: asks for the use of a realm, as clients of AMQP 0-8 do.
//!
//! Fields: without a meaning since 0-9-1. Answer: `access.request-ok` with the ticket 1, as
//! RabbitMQ has it; tickets are ignored wherever they come.
//! Spec: 0-8, 1.3.2.1; not in 0-9-1.
//! Deviations from RabbitMQ: none.

use stele_wire_amqp::method::access::RequestOk;

use super::Handled;
use crate::connection::Connection;

pub(super) fn run(connection: &mut Connection, number: u16) -> Handled {
    connection.reply(number, RequestOk { ticket: 1 });
    Ok(())
}
