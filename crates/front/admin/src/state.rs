//! What the front knows about the process.

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

/// The phase of the process. It only moves forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Reading the data directory.
    Recovering,
    /// Serving.
    Ready,
    /// Finishing work in flight; new work is refused.
    Draining,
}

impl Phase {
    /// The phase as a word.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Recovering => "recovering",
            Self::Ready => "ready",
            Self::Draining => "draining",
        }
    }
}

/// An open port.
#[derive(Clone, Debug)]
pub struct Listener {
    /// The front's name.
    pub front: &'static str,
    /// Its address.
    pub address: SocketAddr,
}

/// Shared between the front and its starter.
#[derive(Debug)]
pub struct State {
    phase: AtomicU8,
    serving: OnceLock<Serving>,
    clock: Arc<dyn Clock>,
    started: Timestamp,
    /// The version of the program.
    pub(crate) version: &'static str,
}

/// Available once the broker has recovered.
#[derive(Debug)]
pub(crate) struct Serving {
    pub(crate) broker: Broker,
    pub(crate) listeners: Vec<Listener>,
}

impl State {
    /// The state of a process that is starting.
    pub fn new(version: &'static str, clock: Arc<dyn Clock>) -> Self {
        Self {
            phase: AtomicU8::new(Phase::Recovering as u8),
            serving: OnceLock::new(),
            started: clock.now(),
            clock,
            version,
        }
    }

    /// Marks the process as ready: recovery is done and every port is open.
    pub fn ready(&self, broker: Broker, listeners: Vec<Listener>) {
        // A second call would be a bug of the caller; the first broker stays.
        drop(self.serving.set(Serving { broker, listeners }));
        self.phase.fetch_max(Phase::Ready as u8, Ordering::AcqRel);
    }

    /// Marks the process as draining: new work is refused.
    pub fn draining(&self) {
        self.phase
            .fetch_max(Phase::Draining as u8, Ordering::AcqRel);
    }

    /// The current phase.
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

    /// The broker, or an error if it isn't ready.
    pub(crate) fn serving(&self) -> Result<&Serving, Error> {
        self.serving
            .get()
            .ok_or_else(|| Error::NotReady(self.phase().word()))
    }
}
