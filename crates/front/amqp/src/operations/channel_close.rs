//! `channel.close` and `channel.close-ok`: close a channel.
//!
//! Fields: code and text, for the log. Reply: `channel.close-ok`. Before the reply is sent, the
//! channel's unacknowledged deliveries return to their queues; its consumers end; publishes in
//! progress are kept but not confirmed. Spec: 1.5.2.5. Deviations from RabbitMQ: none.

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
    // Otherwise both peers are closing, and the client still has to acknowledge our close.
    connection.reply(number, CloseOk {});
    Ok(())
}

/// The client has acknowledged our `close`.
pub(super) async fn acknowledged(connection: &mut Connection, number: u16) -> Handled {
    if connection.session.channel(number).is_ok() {
        connection.release(number).await;
    }
    connection.session.forget(number);
    Ok(())
}
