//! Time, so that tests can replace it.

use std::{
    fmt::Debug,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use async_trait::async_trait;
use stele_toolkit_envelope::Timestamp;

/// A source of time, and of waiting. Everything that waits does so here.
#[async_trait]
pub trait Clock: Debug + Send + Sync + 'static {
    /// The time now.
    fn now(&self) -> Timestamp;

    /// Returns at this time, or at once if it has passed.
    async fn sleep_until(&self, at: Timestamp);

    /// Returns after this time.
    async fn sleep(&self, duration: Duration) {
        self.sleep_until(self.now() + duration).await;
    }
}

/// The operating system's clock, and tokio's timers.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

#[async_trait]
impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is what everything else is given"
    )]
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        Timestamp::UNIX_EPOCH + since.unwrap_or_default()
    }

    async fn sleep_until(&self, at: Timestamp) {
        // The calendar may be set while this waits, so long waits look at it again.
        const LOOK_AGAIN: Duration = Duration::from_secs(60);
        loop {
            let left = at.since(self.now());
            if left.is_zero() {
                return;
            }
            tokio::time::sleep(left.min(LOOK_AGAIN)).await;
        }
    }
}
