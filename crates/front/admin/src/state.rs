//! What the front knows of the process it runs in.

use std::{
    net::SocketAddr,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU8, Ordering},
    },
};

use stele_base_env::Clock;
use stele_base_types::Timestamp;
use stele_core_broker::Broker;

use crate::errors::Error;

/// Where the process is in its life. It only moves forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Reading what the data directory holds.
    Recovering,
    /// Serving.
    Ready,
    /// Finishing what is in flight; nothing new is taken.
    Draining,
}

impl Phase {
    /// The phase in a word.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Recovering => "recovering",
            Self::Ready => "ready",
            Self::Draining => "draining",
        }
    }
}

/// A port that is open.
#[derive(Clone, Debug)]
pub struct Listener {
    /// The front's name.
    pub front: &'static str,
    /// Where it listens.
    pub address: SocketAddr,
}

/// Shared between the front and whoever starts the process.
#[derive(Debug)]
pub struct State {
    phase: AtomicU8,
    serving: OnceLock<Serving>,
    clock: Arc<dyn Clock>,
    started: Timestamp,
    /// What the process is.
    pub(crate) version: &'static str,
}

/// What there is once the broker has recovered.
#[derive(Debug)]
pub(crate) struct Serving {
    pub(crate) broker: Broker,
    pub(crate) listeners: Vec<Listener>,
}

impl State {
    /// The state of a process that starts now.
    pub fn new(version: &'static str, clock: Arc<dyn Clock>) -> Self {
        Self {
            phase: AtomicU8::new(Phase::Recovering as u8),
            serving: OnceLock::new(),
            started: clock.now(),
            clock,
            version,
        }
    }

    /// Recovery is done and every port is open.
    pub fn ready(&self, broker: Broker, listeners: Vec<Listener>) {
        // A second call would be a defect of the caller; the first one's broker stays.
        drop(self.serving.set(Serving { broker, listeners }));
        self.phase.fetch_max(Phase::Ready as u8, Ordering::AcqRel);
    }

    /// Nothing new is taken from now on.
    pub fn draining(&self) {
        self.phase
            .fetch_max(Phase::Draining as u8, Ordering::AcqRel);
    }

    /// Where the process is in its life.
    pub fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Acquire) {
            0 => Phase::Recovering,
            1 => Phase::Ready,
            _ => Phase::Draining,
        }
    }

    /// Milliseconds since the start.
    pub(crate) fn uptime_ms(&self) -> u64 {
        self.clock.now().since_ms(self.started)
    }

    /// The broker, once there is one.
    pub(crate) fn serving(&self) -> Result<&Serving, Error> {
        self.serving
            .get()
            .ok_or_else(|| Error::NotReady(self.phase().word()))
    }
}
