//! `basic.recover` and `basic.recover-async`: redeliver unacknowledged messages.
//!
//! Fields: `requeue` (to any consumer; redelivery to the same consumer is 540 NOT_IMPLEMENTED, as
//! in RabbitMQ). Reply: `basic.recover-ok`; none for the deprecated `recover-async`. Spec: 1.8.3.15
//! and 1.8.3.16. Deviations from RabbitMQ: none.

use stele_core_engine::Outcome;
use stele_wire_amqp::method::basic::{Recover, RecoverOk};

use super::Handled;
use crate::{connection::Connection, errors::Fault};

pub(super) async fn run(connection: &mut Connection, number: u16, requeue: bool) -> Handled {
    if !requeue {
        return Err(Fault::not_implemented("requeue=false"));
    }
    let taken = connection.session.channel(number)?.deliveries.take_all();
    for (_, unacked) in &taken {
        connection.settle(unacked, Outcome::Return(0)).await;
    }
    // Otherwise they would overtake the messages just returned to the queue.
    connection.return_waiting(number).await?;
    Ok(())
}

pub(super) async fn run_answered(
    connection: &mut Connection,
    number: u16,
    recover: &Recover,
) -> Handled {
    run(connection, number, recover.requeue).await?;
    connection.reply(number, RecoverOk {});
    Ok(())
}
