//! A client of one of the protocols.

use anyhow::Result;
use bytes::Bytes;

use super::{Load, amqp, kafka, sqs};

/// Which protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Kafka,
    Amqp,
    Sqs,
}

impl Protocol {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Kafka => "kafka",
            Self::Amqp => "amqp",
            Self::Sqs => "sqs",
        }
    }

    /// The usual address of the protocol's broker.
    pub(super) fn address_default(self) -> &'static str {
        match self {
            Self::Kafka => "127.0.0.1:9092",
            Self::Amqp => "127.0.0.1:5672",
            Self::Sqs => "127.0.0.1:9324",
        }
    }

    /// Whether a consumer receives one sender's messages in order.
    pub(super) fn is_ordered(self) -> bool {
        !matches!(self, Self::Sqs)
    }
}

/// A connection and the queue or topic that it uses.
pub(super) enum Client {
    Kafka(kafka::Client),
    Amqp(amqp::Client),
    Sqs(sqs::Client),
}

impl Client {
    /// Connects client number `index`, for the queue or topic `name`.
    pub(super) async fn connect(
        protocol: Protocol,
        load: &Load,
        name: &str,
        index: u16,
    ) -> Result<Self> {
        let address = load
            .address
            .as_deref()
            .unwrap_or(protocol.address_default());
        Ok(match protocol {
            Protocol::Kafka => Self::Kafka(kafka::Client::connect(address, name, index).await?),
            Protocol::Amqp => Self::Amqp(amqp::Client::connect(address, name, &load.login).await?),
            Protocol::Sqs => Self::Sqs(sqs::Client::connect(address, name, &load.key).await?),
        })
    }

    /// Creates the queue or topic for this number of clients.
    pub(super) async fn create(&mut self, clients: u16) -> Result<()> {
        match self {
            Self::Kafka(client) => client.create(clients).await,
            Self::Amqp(client) => client.create().await,
            Self::Sqs(client) => client.create().await,
        }
    }

    /// Deletes it.
    pub(super) async fn delete(&mut self) -> Result<()> {
        match self {
            Self::Kafka(client) => client.delete().await,
            Self::Amqp(client) => client.delete().await,
            Self::Sqs(client) => client.delete().await,
        }
    }

    /// Sends messages; returns once all are acknowledged.
    pub(super) async fn send(&mut self, bodies: &[Bytes]) -> Result<()> {
        match self {
            Self::Kafka(client) => client.send(bodies).await,
            Self::Amqp(client) => client.send(bodies).await,
            Self::Sqs(client) => client.send(bodies).await,
        }
    }

    /// Prepares to consume.
    pub(super) async fn subscribe(&mut self) -> Result<()> {
        match self {
            Self::Amqp(client) => client.subscribe().await,
            Self::Kafka(_) | Self::Sqs(_) => Ok(()),
        }
    }

    /// Appends received messages to `bodies` and acknowledges them. Waits up to about a second for
    /// the first.
    pub(super) async fn receive(&mut self, bodies: &mut Vec<Bytes>) -> Result<()> {
        match self {
            Self::Kafka(client) => client.receive(bodies).await,
            Self::Amqp(client) => client.receive(bodies).await,
            Self::Sqs(client) => client.receive(bodies).await,
        }
    }
}
