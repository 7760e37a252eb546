//! What every program here uses: a broker, the transports to it, a database.

use std::{sync::Arc, time::Duration};

use stele_toolkit::{
    Context, Db, Destination, Envelope, Message, Outgoing, Subscription, Transport, sql::Options,
    sqlx, transport::connect,
};
use stele_toolkit_contract::{Protocol, Stele};
use tempfile::TempDir;

use crate::Failure;

/// What a program did, without its cure and with it.
#[derive(Debug)]
pub(crate) struct Pitfall {
    pub(crate) title: &'static str,
    pub(crate) failure: String,
    pub(crate) cure: String,
}

/// Whether a program has its cure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cure {
    Without,
    With,
}

/// The two kinds of queues that SQS has.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Queues {
    Standard,
    Fifo,
}

/// A broker that speaks all protocols, and a directory for databases. Both are new, and gone when
/// this is dropped.
#[derive(Debug)]
pub(crate) struct World {
    stele: Stele,
    directory: TempDir,
}

impl World {
    pub(crate) async fn start() -> Result<Self, Failure> {
        Ok(Self {
            stele: Stele::start().await,
            directory: tempfile::tempdir()?,
        })
    }

    /// The transport over Kafka, whose topics have so many partitions.
    pub(crate) fn kafka(&self, partitions: u32) -> Result<Arc<dyn Transport>, Failure> {
        let broker = self.stele.address(Protocol::Kafka);
        Ok(connect(&format!(
            "kafka://{broker}?partitions={partitions}"
        ))?)
    }

    /// The transport over AMQP 0-9-1.
    pub(crate) fn amqp(&self) -> Result<Arc<dyn Transport>, Failure> {
        Ok(connect(&self.stele.address(Protocol::Amqp))?)
    }

    /// The transport over SQS, whose queues are of a kind.
    pub(crate) fn sqs(&self, queues: Queues) -> Result<Arc<dyn Transport>, Failure> {
        let endpoint = self.stele.address(Protocol::Sqs);
        let host = endpoint.trim_start_matches("http://");
        let order = match queues {
            Queues::Standard => "none",
            Queues::Fifo => "key",
        };
        let url = format!("sqs://key:secret@{host}?region=us-east-1&order={order}");
        Ok(connect(&url)?)
    }

    /// The service's database, as a process that starts now opens it.
    pub(crate) async fn database(&self, options: Options) -> Result<Db, Failure> {
        let file = self.directory.path().join("service.db");
        Ok(options.open(&format!("sqlite:{}", file.display())).await?)
    }
}

/// A message of a type for its topic, in a new envelope.
pub(crate) fn event<M: Message>(message: &M) -> Result<Outgoing, Failure> {
    let envelope = Envelope::of(message, &Context::new("shop"))?;
    Ok(enveloped::<M>(&envelope, message.key().0))
}

/// The same with its number in the sequence of its key.
pub(crate) fn numbered<M: Message>(message: &M, number: u64) -> Result<Outgoing, Failure> {
    let mut envelope = Envelope::of(message, &Context::new("shop"))?;
    envelope.metadata.sequence = Some(number);
    Ok(enveloped::<M>(&envelope, message.key().0))
}

fn enveloped<M: Message>(envelope: &Envelope, key: String) -> Outgoing {
    let topic = Destination::Topic(M::TOPIC.to_owned());
    Outgoing::json(topic, &envelope.message_id, envelope.encode()).with_key(key)
}

/// Sends messages, one after the other, and returns once the broker has confirmed them.
pub(crate) async fn send(
    transport: &dyn Transport,
    messages: impl IntoIterator<Item = Outgoing>,
) -> Result<(), Failure> {
    for message in messages {
        for result in transport.publish(&[message]).await {
            result?;
        }
    }
    Ok(())
}

/// How many messages of a topic wait at the broker for a service: its lag in a log, its queue's
/// depth elsewhere.
pub(crate) async fn waiting(
    transport: &dyn Transport,
    service: &str,
    topic: &str,
) -> Result<u64, Failure> {
    let subscription = Subscription::new(service).topic(topic);
    let depths = transport.depth(&subscription).await?;
    Ok(depths.iter().map(|depth| depth.waiting).sum())
}

/// A number out of the database.
pub(crate) async fn number(db: &Db, query: &'static str) -> Result<i64, Failure> {
    let mut reader = db.reader().await?;
    Ok(sqlx::query_scalar(query).fetch_one(&mut *reader).await?)
}

/// Changes the database, in a transaction of its own.
pub(crate) async fn execute(db: &Db, statement: &'static str) -> Result<(), Failure> {
    let mut tx = db.begin().await?;
    sqlx::query(statement).execute(&mut *tx).await?;
    Ok(tx.commit().await?)
}

/// The time between two looks at what has no other way to tell that it has changed.
pub(crate) async fn look_again() {
    tokio::time::sleep(Duration::from_millis(5)).await;
}
