//! `basic.reject`: a delivery isn't processed.
//!
//! Fields: `delivery-tag`, `requeue` (back to its place rather than dropped). No answer.
//! A tag that isn't open is 406 PRECONDITION_FAILED.
//! Spec: 1.8.3.14.
//! Deviations from RabbitMQ: none.

use stele_wire_amqp::method::basic::Reject;

use super::{Handled, basic_ack, basic_nack};
use crate::connection::Connection;

pub(super) async fn run(connection: &mut Connection, number: u16, reject: &Reject) -> Handled {
    let settlement = basic_nack::refused(reject.requeue);
    basic_ack::settle(connection, number, reject.delivery_tag, false, settlement).await
}
