//! `channel.close` and `channel.close-ok`: end a channel.
//!
//! Fields: code and text, for the log. Answer: `channel.close-ok`.
//! What the channel's client hasn't acknowledged returns to its place in its queue before the
//! answer is sent; its consumers end; publishes under way are kept, unconfirmed.
//! Spec: 1.5.2.5.
//! Deviations from RabbitMQ: none.

use stele_wire_amqp::method::channel::{Close, CloseOk};

use super::Handled;
use crate::connection::Connection;

pub(super) async fn run(connection: &mut Connection, number: u16, close: &Close) -> Handled {
    tracing::debug!(
        client = %connection.principal(), channel = number, code = close.reply_code,
        "channel closed by its client: {}", close.reply_text
    );
    if connection.session.channel(number).is_ok() {
        connection.release(number).await;
        connection.session.forget(number);
    }
    // Otherwise both peers close at a time: ours is still to be acknowledged.
    connection.reply(number, CloseOk {});
    Ok(())
}

/// The client has taken note of our `close`.
pub(super) async fn acknowledged(connection: &mut Connection, number: u16) -> Handled {
    if connection.session.channel(number).is_ok() {
        connection.release(number).await;
    }
    connection.session.forget(number);
    Ok(())
}
