//! What the front is set to.

use std::{fmt, sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use stele_base_env::{Clock, Rng, SharedRng};
use stele_base_types::User;
use stele_core_engine::Durability;
use stele_front_accept::{Registry, Sockets};
use stele_wire_amqp::limits::FRAME_MAX_DEFAULT_BYTES;

use crate::limits::HANDSHAKE_TIMEOUT;

/// The release that replies were compared with. Of later ones, 4.0 has behaviours that libraries
/// adapt to and that aren't here, such as queues without a prefetch limit for the whole channel.
const RABBITMQ_VERSION: &str = "3.10.8";

/// How the front behaves. The defaults are RabbitMQ's, apart from the body size.
#[derive(Clone)]
pub struct Settings {
    /// Who may log in.
    pub users: Vec<User>,
    /// Proposed seconds between heartbeats; 0 proposes none.
    pub heartbeat_s: u16,
    /// Proposed octets of a frame, 4096 or more; a client may choose less.
    pub frame_bytes_max: u32,
    /// Proposed highest channel number; a client may choose less.
    pub channel_max: u16,
    /// The largest body that is taken, in octets.
    pub body_bytes_max: u64,
    /// The class of durable queues.
    pub durability: Durability,
    /// Connections at a time; a further one is closed at once.
    pub connections_max: usize,
    /// The sockets that its clients and those of other fronts may have.
    pub sockets: Sockets,
    /// Where its connections are made known.
    pub connections: Registry,
    /// How long a client may take from connecting to an open connection.
    pub handshake_timeout: Duration,
    /// The version of Stele that clients are told.
    pub version: &'static str,
    /// The version of RabbitMQ whose behaviour clients are told to expect.
    pub rabbitmq_version: String,
    /// Where message timestamps come from.
    pub clock: Arc<dyn Clock>,
    /// Where names that the server makes up come from.
    pub random: RandomNames,
}

impl Settings {
    /// The defaults, for these users.
    pub fn new(users: Vec<User>, clock: Arc<dyn Clock>, rng: Box<dyn Rng>) -> Self {
        Self {
            users,
            heartbeat_s: 60,
            frame_bytes_max: FRAME_MAX_DEFAULT_BYTES,
            channel_max: 2047,
            body_bytes_max: 16 * 1024 * 1024,
            durability: Durability::Synced,
            connections_max: 10_000,
            sockets: Sockets::default(),
            connections: Registry::default(),
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

/// Makes up names of queues and consumers that can't be guessed and don't repeat.
#[derive(Clone, Debug)]
pub struct RandomNames(SharedRng);

impl RandomNames {
    /// `prefix` and 22 random letters and digits, such as `amq.gen-...`.
    pub(crate) fn name(&self, prefix: &str) -> String {
        format!("{prefix}{}", URL_SAFE_NO_PAD.encode(self.0.id()))
    }
}
