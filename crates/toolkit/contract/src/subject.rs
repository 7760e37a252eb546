//! What is tested.

use std::{fmt::Debug, sync::Arc, time::Duration};

use async_trait::async_trait;
use stele_toolkit_bus::{Clock, SystemClock, Transport};
use uuid::Uuid;

/// A transport with its broker.
#[async_trait]
pub trait Subject: Debug + Send + Sync {
    /// A transport of its own to the broker, as another process would have.
    fn transport(&self) -> Arc<dyn Transport>;

    /// Ends the broker as a crash would, and starts it again with the same data and address.
    /// `false` if there is no way to do that.
    async fn crash(&self) -> bool;

    /// The time that the claims wait by.
    fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(SystemClock)
    }

    /// How long a claim waits for something that must happen.
    fn patience(&self) -> Duration {
        Duration::from_secs(60)
    }
}

/// Names that no other test uses, so that tests can share a broker.
#[derive(Clone, Debug)]
pub struct Names(String);

impl Names {
    /// Names of one test.
    pub fn new() -> Self {
        let id = Uuid::new_v4().simple().to_string();
        Self(id[..12].to_owned())
    }

    /// A name of the test.
    pub fn name(&self, what: &str) -> String {
        format!("{what}.{}", self.0)
    }
}

impl Default for Names {
    fn default() -> Self {
        Self::new()
    }
}
