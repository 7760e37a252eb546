//! `channel.flow`: asks the server to stop or resume sending content.
//!
//! Fields: `active`. Reply: `channel.flow-ok`. Stopping is 540 NOT_IMPLEMENTED, as in RabbitMQ:
//! `basic.qos` limits what is sent. Spec: 1.5.2.3. Deviations from RabbitMQ: none.

use stele_wire_amqp::method::channel::{Flow, FlowOk};

use super::Handled;
use crate::{connection::Connection, errors::Fault};

pub(super) fn run(connection: &mut Connection, number: u16, flow: &Flow) -> Handled {
    if !flow.active {
        return Err(Fault::not_implemented("active=false"));
    }
    connection.reply(number, FlowOk { active: true });
    Ok(())
}
