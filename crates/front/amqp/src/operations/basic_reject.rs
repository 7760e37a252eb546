//! `basic.reject`: rejects a delivery.
//!
//! Fields: `delivery-tag`, `requeue` (return to the queue instead of dropping). No reply. An
//! unknown tag is 406 PRECONDITION_FAILED. Spec: 1.8.3.14. Deviations from RabbitMQ: none.

use stele_wire_amqp::method::basic::Reject;

use super::{Handled, basic_ack, basic_nack};
use crate::connection::Connection;

pub(super) async fn run(connection: &mut Connection, number: u16, reject: &Reject) -> Handled {
    let settlement = basic_nack::refused(reject.requeue);
    basic_ack::settle(connection, number, reject.delivery_tag, false, settlement).await
}
