//! The settings of the front.

use std::{net::SocketAddr, sync::Arc};

use stele_base_env::{Clock, Disk, LocalDisk, Rng, SharedRng};
use stele_core_engine::{Durability, Window};
use stele_front_accept::Sockets;
use uuid::Uuid;

/// The settings of the front. The defaults are Kafka's.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The address given to clients in metadata; `None` means the address that they already use.
    pub advertised: Option<Endpoint>,
    /// The cluster id, which never changes for a data directory.
    pub cluster_id: String,
    /// The listening addresses, reported to clients.
    pub listeners: Vec<SocketAddr>,
    /// The data directory, reported to clients.
    pub log_dir: String,
    /// The disk of the data directory.
    pub disk: Arc<dyn Disk>,
    /// Create missing topics on first use (`auto.create.topics.enable`).
    pub auto_create_topics: bool,
    /// Default number of partitions (`num.partitions`).
    pub partitions_default: u32,
    /// Refuse a replication factor over 1, as a single Kafka broker does.
    pub is_replication_strict: bool,
    /// Default durability of new topics.
    pub durability_default: Durability,
    /// Default retention (`log.retention.hours`, `log.retention.bytes`).
    pub retention_default: Window,
    /// Default maximum batch size (`message.max.bytes`).
    pub batch_size_bytes_max: u32,
    /// Maximum request size (`socket.request.max.bytes`).
    pub request_size_bytes_max: usize,
    /// Maximum number of connections; further ones are closed immediately.
    pub connections_max: usize,
    /// The socket limit shared with other fronts' clients.
    pub sockets: Sockets,
    /// How long an empty group waits for more members after the first one
    /// (`group.initial.rebalance.delay.ms`).
    pub group_gathering_ms: u32,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The source of member ids.
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
            disk: Arc::new(LocalDisk),
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

/// An address for clients to connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
}

/// Generates unique ids that can't be guessed.
#[derive(Clone, Debug)]
pub struct RandomIds(SharedRng);

impl RandomIds {
    /// A random UUID (version 4).
    pub(crate) fn uuid(&self) -> Uuid {
        uuid::Builder::from_random_bytes(self.0.id()).into_uuid()
    }
}
