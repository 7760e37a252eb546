//! A clock that tests move.

use std::time::Duration;

use async_trait::async_trait;
use stele_toolkit_bus::Clock;
use stele_toolkit_envelope::Timestamp;
use tokio::sync::watch;

/// A clock that stands still until it is moved. Who waits for a time is woken when it comes.
#[derive(Debug)]
pub(crate) struct ManualClock(watch::Sender<Timestamp>);

impl ManualClock {
    pub(crate) fn new() -> Self {
        let start: Timestamp = "2024-01-15T10:30:00Z".parse().unwrap();
        Self(watch::Sender::new(start))
    }

    pub(crate) fn advance(&self, duration: Duration) {
        self.0.send_modify(|now| *now += duration);
    }
}

#[async_trait]
impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *self.0.borrow()
    }

    async fn sleep_until(&self, at: Timestamp) {
        let mut now = self.0.subscribe();
        // The sender lives as long as this does.
        now.wait_for(|now| *now >= at).await.ok();
    }
}
