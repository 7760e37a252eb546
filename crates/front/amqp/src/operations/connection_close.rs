//! `connection.close` and `connection.close-ok`: close the connection.
//!
//! Fields: code and text, for the log. Reply: `connection.close-ok`. Before the reply is sent, all
//! unacknowledged deliveries return and the connection's exclusive queues are deleted, so a client
//! that sees the reply can rely on both. Spec: 1.4.2.7. Deviations from RabbitMQ: none.

use stele_wire_amqp::method::connection::{Close, CloseOk};

use super::Handled;
use crate::connection::Connection;

pub(super) async fn run(connection: &mut Connection, close: &Close) -> Handled {
    tracing::debug!(
        client = %connection.principal(), code = close.reply_code,
        "connection closed by its client: {}", close.reply_text
    );
    connection.release_all().await;
    connection.session.begin_closing_connection();
    connection.reply(0, CloseOk {});
    connection.finish();
    Ok(())
}

/// The client has acknowledged our `close`.
pub(super) fn acknowledged(connection: &mut Connection) -> Handled {
    connection.finish();
    Ok(())
}
