//! The transport over AMQP 0-9-1: RabbitMQ, Stele and others.
//!
//! | | in AMQP |
//! |---|---|
//! | topic | a routing key of the topic exchange `{namespace}.events` |
//! | a service's copies | the queue `{service}`, bound to its topics |
//! | queue | a queue of this name, by the default exchange |
//! | delays | the exchanges `{namespace}.delayed.events` and `{namespace}.delayed.queues` |
//!
//! The exchanges of delays are of the type `x-delayed-message`. A broker that doesn't know it, such
//! as RabbitMQ without the plugin, has no delays.
//!
//! All are durable, and so are messages. A publish is confirmed by the broker. Each subscription
//! has a connection, and a task that connects again when it is lost.

mod connection;
mod declare;
mod errors;
mod fields;
mod names;
mod publisher;
mod settings;
mod settle;
mod subscription;
mod transport;

pub use settings::{QueueKind, Settings};
pub use transport::Amqp;
