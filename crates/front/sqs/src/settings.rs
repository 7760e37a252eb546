//! What the front is set to.

use std::{fmt, sync::Arc, time::Duration};

use stele_base_env::{Clock, Rng, SharedRng};
use stele_base_types::{Name, Secret};
use stele_core_engine::Durability;
use stele_front_accept::{Hosts, Sockets};
use uuid::Uuid;

use crate::{
    limits::{BODY_TIMEOUT, HEAD_TIMEOUT, IN_FLIGHT_MAX, PURGE_INTERVAL},
    purges::Purges,
};

/// How the front behaves.
#[derive(Clone)]
pub struct Settings {
    /// Whose signatures are taken. Empty takes every request, signed or not: for loopback.
    pub credentials: Vec<Credential>,
    /// The names that the server is reached by, of which requests are asked while none need be
    /// signed.
    pub hosts: Hosts,
    /// The region in a queue's ARN.
    pub region: String,
    /// The account id in a queue's URL and ARN.
    pub account_id: String,
    /// The class of queues that are created here.
    pub durability: Durability,
    /// Connections at a time; a further one is closed at once.
    pub connections_max: usize,
    /// The sockets that its clients and those of other fronts may have.
    pub sockets: Sockets,
    /// How long a request's head may take, from its first byte or from the end of the request
    /// before; the connection is closed then.
    pub head_timeout: Duration,
    /// How long a request's body may take; the request is refused and the connection closed then.
    pub body_timeout: Duration,
    /// A queue can be purged once in this time; zero lets it be purged at any.
    pub purge_interval: Duration,
    /// How many messages of a queue may be in flight.
    pub in_flight_max: u64,
    /// The purges of all ports.
    pub purges: Purges,
    /// Where instants come from.
    pub clock: Arc<dyn Clock>,
    /// Where request ids and the secrets of receipt handles come from.
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
    /// The defaults, for these credentials.
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
