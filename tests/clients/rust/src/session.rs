//! Connections, queues and comparisons for the checks.

use std::fmt::Debug;
use std::time::{SystemTime, UNIX_EPOCH};

use futures_util::StreamExt;
use lapin::message::Delivery;
use lapin::options::{BasicPublishOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{
    BasicProperties, Channel, Confirmation, Connection, ConnectionProperties, Consumer, ErrorKind,
};

use crate::Outcome;

/// Converts any error to a reason.
pub fn reason(error: impl Debug) -> String {
    format!("{error:?}")
}

/// A connection to the broker under test.
pub async fn connection() -> Result<Connection, String> {
    let address = std::env::var("AMQP_ADDRESS").unwrap_or_else(|_| "127.0.0.1:5672".into());
    let uri = format!("amqp://guest:guest@{address}/%2f");
    Connection::connect(&uri, ConnectionProperties::default())
        .await
        .map_err(reason)
}

/// A channel in confirm mode, with its connection.
pub async fn channel() -> Result<(Connection, Channel), String> {
    let connection = connection().await?;
    let channel = connection.create_channel().await.map_err(reason)?;
    channel
        .confirm_select(Default::default())
        .await
        .map_err(reason)?;
    Ok((connection, channel))
}

/// A name not used by any other check or earlier run.
pub fn unique(prefix: &str) -> String {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    format!("{prefix}-{}-{}", std::process::id(), since.as_nanos())
}

/// Declares an exclusive queue, which is deleted with its connection.
pub async fn queue(channel: &Channel) -> Result<String, String> {
    let options = QueueDeclareOptions {
        exclusive: true,
        ..Default::default()
    };
    let declared = channel
        .queue_declare("".into(), options, FieldTable::default())
        .await
        .map_err(reason)?;
    Ok(declared.name().to_string())
}

/// Publishes to an exchange and waits for the confirm.
pub async fn publish(
    channel: &Channel,
    exchange: &str,
    key: &str,
    body: &[u8],
    properties: BasicProperties,
) -> Result<Confirmation, String> {
    let options = BasicPublishOptions {
        mandatory: true,
        ..Default::default()
    };
    let sent = channel.basic_publish(exchange.into(), key.into(), options, body, properties);
    sent.await.map_err(reason)?.await.map_err(reason)
}

/// The next delivery.
pub async fn next(consumer: &mut Consumer) -> Result<Delivery, String> {
    consumer
        .next()
        .await
        .ok_or("the consumer ended")?
        .map_err(reason)
}

/// Compares, and shows both values if they differ.
pub fn equal<T: Debug + PartialEq>(found: T, expected: T) -> Outcome {
    if found == expected {
        Ok(())
    } else {
        Err(format!("expected {expected:?}, found {found:?}"))
    }
}

/// Whether the broker refused the operation with that reply code.
pub fn refused<T: Debug>(outcome: Result<T, lapin::Error>, code: u16) -> Outcome {
    match outcome {
        Err(error) => match error.kind() {
            ErrorKind::ProtocolError(given) => equal(given.get_id(), code),
            other => Err(format!("expected the code {code}, found {other:?}")),
        },
        Ok(value) => Err(format!("expected the code {code}, found {value:?}")),
    }
}
