//! `basic.nack`: rejects deliveries (RabbitMQ's extension of `basic.reject`).
//!
//! Fields: `delivery-tag`, `multiple` (also all before it; with tag 0, all), `requeue` (return to
//! the queue instead of dropping). No reply. An unknown tag is 406 PRECONDITION_FAILED. Spec: an
//! extension, in the XML definition that RabbitMQ publishes. Deviations from RabbitMQ: none.

use stele_core_engine::Outcome;
use stele_wire_amqp::method::basic::Nack;

use super::{Handled, basic_ack};
use crate::connection::Connection;

pub(super) async fn run(connection: &mut Connection, number: u16, nack: &Nack) -> Handled {
    let settlement = refused(nack.requeue);
    basic_ack::settle(
        connection,
        number,
        nack.delivery_tag,
        nack.multiple,
        settlement,
    )
    .await
}

/// The outcome of a rejected delivery.
pub(super) fn refused(requeue: bool) -> Outcome {
    if requeue {
        Outcome::Return(0)
    } else {
        Outcome::Reject
    }
}
