//! The settings of the front.

use std::{fmt, sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use stele_base_env::{Clock, Rng, SharedRng};
use stele_base_types::User;
use stele_core_engine::Durability;
use stele_front_accept::{Registry, Sockets, Traced};
use stele_wire_amqp::limits::FRAME_MAX_DEFAULT_BYTES;

use crate::limits::{CONSUMER_TIMEOUT, HANDSHAKE_TIMEOUT};

/// The release that replies were compared with. Since 4.0, RabbitMQ has behaviours that libraries
/// adapt to and that Stele lacks, such as queues without a prefetch limit for the whole channel.
const RABBITMQ_VERSION: &str = "3.10.8";

/// The settings of the front. The defaults are RabbitMQ's, except the body size.
#[derive(Clone)]
pub struct Settings {
    /// The users.
    pub users: Vec<User>,
    /// The proposed heartbeat interval in seconds; 0 proposes none.
    pub heartbeat_s: u16,
    /// The proposed maximum frame size, 4096 or more; a client may choose less.
    pub frame_bytes_max: u32,
    /// The proposed maximum channel number; a client may choose less.
    pub channel_max: u16,
    /// Maximum body size in bytes.
    pub body_bytes_max: u64,
    /// The durability of durable queues.
    pub durability: Durability,
    /// Maximum number of connections; further ones are closed immediately.
    pub connections_max: usize,
    /// The socket limit shared with other fronts' clients.
    pub sockets: Sockets,
    /// The registry of its connections.
    pub connections: Registry,
    /// Whose messages are traced.
    pub traced: Traced,
    /// How long a delivery may be unacknowledged before its channel is closed; `None` for no limit.
    pub consumer_timeout: Option<Duration>,
    /// Maximum time from connecting to an open connection.
    pub handshake_timeout: Duration,
    /// The version of Stele reported to clients.
    pub version: &'static str,
    /// The RabbitMQ version reported to clients.
    pub rabbitmq_version: String,
    /// The clock for message timestamps.
    pub clock: Arc<dyn Clock>,
    /// The source of generated names.
    pub random: RandomNames,
}

impl Settings {
    /// The default settings with these users.
    pub fn new(users: Vec<User>, clock: Arc<dyn Clock>, rng: Box<dyn Rng>) -> Self {
        Self {
            users,
            heartbeat_s: 60,
            frame_bytes_max: FRAME_MAX_DEFAULT_BYTES,
            channel_max: 2047,
            body_bytes_max: 128 * 1024 * 1024,
            durability: Durability::Synced,
            connections_max: 10_000,
            sockets: Sockets::default(),
            connections: Registry::default(),
            traced: Traced::default(),
            consumer_timeout: Some(CONSUMER_TIMEOUT),
            handshake_timeout: HANDSHAKE_TIMEOUT,
            version: env!("CARGO_PKG_VERSION"),
            rabbitmq_version: RABBITMQ_VERSION.to_owned(),
            clock,
            random: RandomNames(SharedRng::new(rng)),
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("users", &self.users)
            .field("heartbeat_s", &self.heartbeat_s)
            .field("frame_bytes_max", &self.frame_bytes_max)
            .field("channel_max", &self.channel_max)
            .field("body_bytes_max", &self.body_bytes_max)
            .field("connections_max", &self.connections_max)
            .finish_non_exhaustive()
    }
}

/// Generates unique names of queues and consumers that can't be guessed.
#[derive(Clone, Debug)]
pub struct RandomNames(SharedRng);

impl RandomNames {
    /// `prefix` and 22 random letters and digits, for example `amq.gen-...`.
    pub(crate) fn name(&self, prefix: &str) -> String {
        format!("{prefix}{}", URL_SAFE_NO_PAD.encode(self.0.id()))
    }

    /// A random number, to choose one of several targets.
    pub(crate) fn number(&self) -> u64 {
        u128::from_le_bytes(self.0.id()) as u64
    }
}
