//! The settings of the front.

use std::{fmt, sync::Arc, time::Duration};

use stele_base_env::{Clock, Rng, SharedRng};
use stele_base_types::{Name, Secret};
use stele_core_engine::Durability;
use stele_front_accept::{Hosts, Sockets};
use uuid::Uuid;

use crate::{
    dead_letters::{DeadLettersLeadTo, PriorityOf},
    limits::{BODY_TIMEOUT, HEAD_TIMEOUT, IN_FLIGHT_MAX, PURGE_INTERVAL},
    move_tasks::MoveTasks,
    purges::Purges,
};

/// The settings of the front.
#[derive(Clone)]
pub struct Settings {
    /// The accepted access keys. If empty, every request is accepted, signed or not: for loopback.
    pub credentials: Vec<Credential>,
    /// The host names that requests may use while no signature is required.
    pub hosts: Hosts,
    /// The region in a queue's ARN.
    pub region: String,
    /// The account id in a queue's URL and ARN.
    pub account_id: String,
    /// The durability of queues created here.
    pub durability: Durability,
    /// Maximum number of connections; further ones are closed immediately.
    pub connections_max: usize,
    /// The socket limit shared with other fronts' clients.
    pub sockets: Sockets,
    /// Timeout for a request's head, from its first byte or from the end of the previous request;
    /// then the connection is closed.
    pub head_timeout: Duration,
    /// Timeout for a request's body; then the request is refused and the connection closed.
    pub body_timeout: Duration,
    /// Minimum time between two purges of a queue; zero removes the limit.
    pub purge_interval: Duration,
    /// Maximum number of in-flight messages per queue.
    pub in_flight_max: u64,
    /// The recent purges over all ports.
    pub purges: Purges,
    /// The tasks that move messages, of all ports.
    pub moves: MoveTasks,
    /// Tells whether another protocol's queue sends dead letters to a queue.
    pub dead_letters_lead_to: DeadLettersLeadTo,
    /// Finds the priority of a message that is moved.
    pub priority_of: PriorityOf,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The source of request ids and of the secrets of receipt handles.
    pub random: Random,
}

/// An access key.
#[derive(Clone, Debug)]
pub struct Credential {
    /// Its id, as in `AWS_ACCESS_KEY_ID`.
    pub access_key_id: Name,
    /// Its secret, as in `AWS_SECRET_ACCESS_KEY`.
    pub secret_access_key: Secret,
}

/// A shared source of randomness.
#[derive(Clone, Debug)]
pub struct Random(SharedRng);

impl Settings {
    /// The default settings with these credentials.
    pub fn new(credentials: Vec<Credential>, clock: Arc<dyn Clock>, rng: Box<dyn Rng>) -> Self {
        Self {
            credentials,
            hosts: Hosts::default(),
            region: "us-east-1".to_owned(),
            account_id: "000000000000".to_owned(),
            durability: Durability::Synced,
            connections_max: 10_000,
            sockets: Sockets::default(),
            head_timeout: HEAD_TIMEOUT,
            body_timeout: BODY_TIMEOUT,
            purge_interval: PURGE_INTERVAL,
            in_flight_max: IN_FLIGHT_MAX,
            purges: Purges::default(),
            moves: MoveTasks::default(),
            dead_letters_lead_to: |_, _, _| false,
            priority_of: |_| None,
            clock,
            random: Random(SharedRng::new(rng)),
        }
    }
}

impl Random {
    /// 16 random bytes.
    pub(crate) fn bytes(&self) -> [u8; 16] {
        self.0.id()
    }

    /// A random UUID.
    pub(crate) fn uuid(&self) -> Uuid {
        uuid::Builder::from_random_bytes(self.bytes()).into_uuid()
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("credentials", &self.credentials)
            .field("region", &self.region)
            .field("account_id", &self.account_id)
            .field("durability", &self.durability)
            .field("connections_max", &self.connections_max)
            .finish_non_exhaustive()
    }
}
