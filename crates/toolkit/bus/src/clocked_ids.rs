//! Ids by the service's clock.

use std::sync::Arc;

use stele_toolkit_envelope::{Ids, Timestamp};

use crate::Clock;

/// Times from a clock, and randomness from elsewhere: so that the ids and times of messages are
/// those that timers see, also in virtual time.
#[derive(Debug)]
pub struct ClockedIds {
    clock: Arc<dyn Clock>,
    random: Arc<dyn Ids>,
}

impl ClockedIds {
    /// Ids with the times of `clock` and the randomness of `random`.
    pub fn new(clock: Arc<dyn Clock>, random: Arc<dyn Ids>) -> Self {
        Self { clock, random }
    }
}

impl Ids for ClockedIds {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn random(&self) -> u64 {
        self.random.random()
    }
}
