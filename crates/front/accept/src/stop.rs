//! The shutdown signal.

use tokio::sync::watch;

/// Signals that the process stops.
#[derive(Clone, Debug)]
pub struct Stop(watch::Receiver<bool>);

impl Stop {
    /// Returns once the process stops.
    pub async fn wait(&mut self) {
        // A dropped sender also means shutdown.
        drop(self.0.wait_for(|stop| *stop).await);
    }
}

/// From a channel whose value becomes true.
impl From<watch::Receiver<bool>> for Stop {
    fn from(receiver: watch::Receiver<bool>) -> Self {
        Self(receiver)
    }
}
