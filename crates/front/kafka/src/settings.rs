//! What the front is set to.

use std::{net::SocketAddr, sync::Arc};

use stele_base_env::{Clock, Rng, SharedRng};
use stele_core_engine::{Durability, Window};
use stele_front_accept::Sockets;
use uuid::Uuid;

/// How the front behaves. The defaults are Kafka's.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What clients are told to connect to; `None` tells them the address that they already use.
    pub advertised: Option<Endpoint>,
    /// Names the cluster; the same for the life of the data directory.
    pub cluster_id: String,
    /// The addresses that it listens at, as clients are told.
    pub listeners: Vec<SocketAddr>,
    /// Where the data lies, as clients are told.
    pub log_dir: String,
    /// Create a topic that a client asks for (`auto.create.topics.enable`).
    pub auto_create_topics: bool,
    /// Partitions of a topic that doesn't say how many (`num.partitions`).
    pub partitions_default: u32,
    /// Refuse a replication factor over 1, as Kafka with one broker does.
    pub is_replication_strict: bool,
    /// Durability of a new topic that doesn't say which.
    pub durability_default: Durability,
    /// Retention of a topic that doesn't say which (`log.retention.hours`, `log.retention.bytes`).
    pub retention_default: Window,
    /// The largest batch of a topic that doesn't say how large (`message.max.bytes`).
    pub batch_size_bytes_max: u32,
    /// The largest request (`socket.request.max.bytes`).
    pub request_size_bytes_max: usize,
    /// Connections at a time; a further one is closed at once.
    pub connections_max: usize,
    /// The sockets that its clients and those of other fronts may have.
    pub sockets: Sockets,
    /// How long a group without members waits for others than the first one
    /// (`group.initial.rebalance.delay.ms`).
    pub group_gathering_ms: u32,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Where member ids come from.
    pub random: RandomIds,
}

impl Settings {
    /// The defaults.
    pub fn new(cluster_id: String, clock: Arc<dyn Clock>, rng: Box<dyn Rng>) -> Self {
        const WEEK_MS: u64 = 7 * 24 * 60 * 60 * 1000;
        Self {
            advertised: None,
            cluster_id,
            listeners: Vec::new(),
            log_dir: String::new(),
            auto_create_topics: true,
            partitions_default: 1,
            is_replication_strict: false,
            durability_default: Durability::Synced,
            retention_default: Window {
                time_ms: Some(WEEK_MS),
                size_bytes: None,
            },
            batch_size_bytes_max: 1_048_588,
            request_size_bytes_max: 100 * 1024 * 1024,
            connections_max: 10_000,
            sockets: Sockets::default(),
            group_gathering_ms: 3_000,
            clock,
            random: RandomIds(SharedRng::new(rng)),
        }
    }
}

/// Where a client connects to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
}

/// Makes up ids that can't be guessed and don't repeat.
#[derive(Clone, Debug)]
pub struct RandomIds(SharedRng);

impl RandomIds {
    /// A random UUID (version 4).
    pub(crate) fn uuid(&self) -> Uuid {
        uuid::Builder::from_random_bytes(self.0.id()).into_uuid()
    }
}
