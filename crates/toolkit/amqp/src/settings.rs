//! What can be set.

use std::time::Duration;

/// The kind of queue that is declared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum QueueKind {
    /// Replicated in a RabbitMQ cluster. Counts deliveries. The transport declares it with a limit
    /// of deliveries that no message reaches, since RabbitMQ drops a message at its limit.
    #[default]
    Quorum,
    /// On one node. Doesn't count deliveries.
    Classic,
}

/// Settings of the transport.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `amqp://user:password@host:port/vhost`. `amqps` needs one of lapin's TLS features.
    pub uri: String,
    /// Prefix of the exchanges.
    pub namespace: String,
    /// The kind of queue that is declared.
    pub queue_kind: QueueKind,
    /// The largest body. RabbitMQ takes 16 MiB from version 4 on, and 128 MiB before.
    pub body_bytes_max: usize,
    /// How long a connection, a declaration or a confirm may take.
    pub timeout: Duration,
}

impl Settings {
    /// The defaults: namespace `stele`, quorum queues, bodies of up to 16 MiB, 10 seconds.
    pub fn new(uri: impl Into<String>) -> Self {
        Self {
            uri: uri.into(),
            namespace: "stele".to_owned(),
            queue_kind: QueueKind::default(),
            body_bytes_max: 16 << 20,
            timeout: Duration::from_secs(10),
        }
    }
}
