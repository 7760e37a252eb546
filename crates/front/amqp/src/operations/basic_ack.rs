//! `basic.ack`: acknowledges deliveries.
//!
//! Fields: `delivery-tag`, `multiple` (also all before it; with tag 0, all). No reply. An unknown
//! tag is 406 PRECONDITION_FAILED. Spec: 1.8.3.13. Deviations from RabbitMQ: none.

use stele_core_engine::Outcome;
use stele_wire_amqp::method::basic::Ack;

use super::Handled;
use crate::{connection::Connection, errors::Fault};

pub(super) async fn run(connection: &mut Connection, number: u16, ack: &Ack) -> Handled {
    settle(
        connection,
        number,
        ack.delivery_tag,
        ack.multiple,
        Outcome::Done,
    )
    .await
}

/// Settles the deliveries that a tag names.
pub(super) async fn settle(
    connection: &mut Connection,
    number: u16,
    tag: u64,
    multiple: bool,
    outcome: Outcome,
) -> Handled {
    let channel = connection.session.channel(number)?;
    let Some(taken) = channel.deliveries.take(tag, multiple) else {
        return Err(Fault::precondition(format!("unknown delivery tag {tag}")));
    };
    if let Some(transaction) = &mut channel.transaction {
        return taken
            .into_iter()
            .try_for_each(|(tag, unacked)| transaction.settle(tag, unacked, outcome));
    }
    for (_, unacked) in &taken {
        connection.settle(unacked, outcome).await;
    }
    Ok(())
}
