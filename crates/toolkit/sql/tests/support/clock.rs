//! A clock that tests set.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use stele_toolkit_bus::Clock;
use stele_toolkit_envelope::Timestamp;
use tokio::sync::watch;

/// A clock that stands still until a test moves its hands.
#[derive(Clone, Debug)]
pub(crate) struct Hands(Arc<watch::Sender<Timestamp>>);

impl Hands {
    /// 2026-03-01T12:00:00Z.
    pub(crate) fn noon() -> Self {
        Self(Arc::new(watch::Sender::new(Timestamp::from_micros(
            1_772_366_400_000_000,
        ))))
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.0.send_modify(|now| *now += by);
    }
}

#[async_trait]
impl Clock for Hands {
    fn now(&self) -> Timestamp {
        *self.0.borrow()
    }

    async fn sleep_until(&self, at: Timestamp) {
        let mut hands = self.0.subscribe();
        // It fails only once the clock is gone, with which the sleeper goes too.
        drop(hands.wait_for(|now| *now >= at).await);
    }
}
