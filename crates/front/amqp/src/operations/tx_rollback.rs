//! `tx.rollback`: discards the contents of the transaction, and begins the next one.
//!
//! Fields: none. Reply: `tx.rollback-ok`. Its messages are dropped; deliveries that it acknowledged
//! are unacknowledged again, but not redelivered. Spec: 1.9.2.5. Deviations from RabbitMQ: none.

use stele_wire_amqp::method::tx::RollbackOk;

use super::{Handled, tx_select};
use crate::connection::Connection;

pub(super) fn run(connection: &mut Connection, number: u16) -> Handled {
    let transaction = tx_select::take(connection, number)?;
    let channel = connection.session.channel(number)?;
    let now = connection.now;
    for (tag, unacked, _) in transaction.settlements {
        channel.deliveries.restore(tag, unacked, now);
    }
    connection.reply(number, RollbackOk {});
    Ok(())
}
