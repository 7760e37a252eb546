//! What a client is told of its connection as a whole.
#![allow(clippy::unwrap_used, reason = "a test that can't go on says so")]

mod support;

use bytes::Bytes;
use stele_wire_amqp::{ShortString, method::connection};
use support::Server;

/// As RabbitMQ answers for users that it knows itself; the suite of amqplib asks.
#[tokio::test]
async fn a_new_secret_is_taken_note_of() {
    let server = Server::start().await;
    let mut client = server.client().await;
    let update_secret = connection::UpdateSecret {
        new_secret: Bytes::from_static(b"new"),
        reason: ShortString::from_static("because"),
    };
    client.send(0, update_secret).await;
    client.expect(0, connection::UpdateSecretOk {}).await;
    // The connection goes on.
    client.declare("orders").await;
}
