//! What can be set.

use std::{collections::BTreeMap, time::Duration};

/// Settings of the transport.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `host:port`, separated by commas.
    pub brokers: String,
    /// How many partitions a topic gets that is declared, unless one consumer of it is to be
    /// active at a time: then one.
    pub partitions: i32,
    /// How many replicas it gets; `None` for the broker's default.
    pub replicas: Option<i32>,
    /// The largest message: body, key and headers. Kafka's default is 1 MiB for a batch.
    pub message_bytes_max: usize,
    /// How long a declaration or a confirm may take.
    pub timeout: Duration,
    /// After how long without a sign of life a consumer loses its partitions. Brokers take 6
    /// seconds to 30 minutes unless set otherwise.
    pub session_timeout: Duration,
    /// More properties of librdkafka, for producers and consumers, such as those of its security.
    pub properties: BTreeMap<String, String>,
}

impl Settings {
    /// The defaults: 6 partitions, 1,000,000 bytes, a time-out of 10 seconds, sessions of 10
    /// seconds.
    pub fn new(brokers: impl Into<String>) -> Self {
        Self {
            brokers: brokers.into(),
            partitions: 6,
            replicas: None,
            message_bytes_max: 1_000_000,
            timeout: Duration::from_secs(10),
            session_timeout: Duration::from_secs(10),
            properties: BTreeMap::new(),
        }
    }
}
