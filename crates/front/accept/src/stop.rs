//! The word that the process stops.

use tokio::sync::watch;

/// Says when the process stops.
#[derive(Clone, Debug)]
pub struct Stop(watch::Receiver<bool>);

impl Stop {
    /// Returns once the process stops.
    pub async fn wait(&mut self) {
        // A sender that is gone can't say so any more: that is the end, too.
        drop(self.0.wait_for(|stop| *stop).await);
    }
}

/// From a channel whose value turns true.
impl From<watch::Receiver<bool>> for Stop {
    fn from(receiver: watch::Receiver<bool>) -> Self {
        Self(receiver)
    }
}
