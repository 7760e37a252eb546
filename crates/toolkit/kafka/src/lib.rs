//! The transport over Kafka.
//!
//! | | in Kafka |
//! |---|---|
//! | topic | a topic |
//! | a service's copies | a consumer group of the service's name |
//! | queue | a topic, and one consumer group of the queue's name, which all consumers share |
//! | message id, content type | the headers `message-id` and `content-type` |
//!
//! ```text
//!  Deliveries ◄── handout ◄── reader thread ── poll, pause, seek, commit ──► one group
//!      │                           ▲
//!      └── ack, release ──► partitions: what is read, held, given back and finished
//! ```
//!
//! Each group has a consumer on a thread of its own, which alone talks to the client library. What
//! is committed is the offset of the lowest record that isn't finished, so acknowledgements may
//! come in any order.

mod client;
mod declare;
mod errors;
mod fields;
mod partition;
mod partitions;
mod publisher;
mod reader;
mod rebalance;
mod settings;
mod subscription;
mod transport;

pub use settings::Settings;
pub use transport::Kafka;
