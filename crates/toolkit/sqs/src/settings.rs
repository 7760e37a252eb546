//! What can be set.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};

/// The kind of queues.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// FIFO queues: messages of one key keep their order. No delays.
    #[default]
    ByKey,
    /// Standard queues: no order, no deduplication, delays of up to 15 minutes.
    None,
}

/// Settings of the transport.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The endpoint, if it isn't AWS's of the region: `http://127.0.0.1:9324`.
    pub endpoint: Option<String>,
    /// The region, for signatures and AWS's endpoint.
    pub region: String,
    /// Where access keys come from.
    pub credentials: SharedCredentialsProvider,
    /// The kind of queues.
    pub order: Order,
    /// The services that subscribe to a topic, by topic. Subscriptions that are declared by this
    /// transport are added.
    pub routes: BTreeMap<String, BTreeSet<String>>,
    /// How long a message stays with a consumer that is gone. Between 1 second and 12 hours.
    pub visibility_timeout: Duration,
    /// How long a request for messages waits for some: up to 20 seconds. Draining may take so long.
    pub wait: Duration,
    /// The largest message with its attributes, and the largest batch: 1 MiB in AWS.
    pub message_bytes_max: usize,
    /// How long one try of a request may take, for messages beyond the time that it waits.
    pub timeout: Duration,
}

impl Settings {
    /// The defaults: FIFO queues, no routes, 30 seconds for a consumer to be gone, waits of 10
    /// seconds, 1 MiB, 5 seconds.
    pub fn new(region: impl Into<String>, credentials: impl ProvideCredentials + 'static) -> Self {
        Self {
            endpoint: None,
            region: region.into(),
            credentials: SharedCredentialsProvider::new(credentials),
            order: Order::default(),
            routes: BTreeMap::new(),
            visibility_timeout: Duration::from_secs(30),
            wait: Duration::from_secs(10),
            message_bytes_max: 1 << 20,
            timeout: Duration::from_secs(5),
        }
    }
}
