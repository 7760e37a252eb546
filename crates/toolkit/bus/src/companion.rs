//! What runs beside a service's handlers.

use std::{error::Error, fmt::Debug, sync::Arc};

use async_trait::async_trait;
use stele_toolkit_envelope::{Context, Timestamp};
use tokio::sync::watch;

use crate::{Alert, Clock, Extensions, Notice};

/// Runs beside a service's handlers, for as long as the service does: a loop that looks after
/// deadlines, for example. See [`crate::Service::beside`].
#[async_trait]
pub trait Companion: Debug + Send + Sync + 'static {
    /// Called before the service takes messages; the service doesn't start if it fails.
    async fn prepare(&self, place: &Place) -> Result<(), Box<dyn Error + Send + Sync>>;

    /// Called once the service runs. It returns soon after [`Place::stopping`] does, with what it
    /// has begun finished; it is dropped in the middle if the service is.
    async fn run(&self, place: &Place);

    /// When it next has something to do, as far as it knows by itself: a time that has passed means
    /// now, `None` nothing. For tests, which let time pass until nobody has anything left to do.
    async fn due_at(&self) -> Result<Option<Timestamp>, Box<dyn Error + Send + Sync>> {
        Ok(None)
    }
}

/// The service that a companion runs in.
#[derive(Debug)]
pub struct Place {
    pub(crate) service: String,
    pub(crate) context: Arc<Context>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) lent: Extensions,
    pub(crate) alerts: Vec<Arc<dyn Alert>>,
    pub(crate) stopping: watch::Receiver<bool>,
}

impl Place {
    /// The service's name.
    pub fn service(&self) -> &str {
        &self.service
    }

    /// What the service's messages are made with.
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// The service's clock.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// What the store lent; see [`crate::Store::lend`].
    pub fn lent<T: Send + Sync + 'static>(&self) -> Option<&T> {
        self.lent.of()
    }

    /// Returns when the service is asked to stop.
    pub async fn stopping(&self) {
        let mut stopping = self.stopping.clone();
        // It fails only once the service is gone.
        drop(stopping.wait_for(|is_stopping| *is_stopping).await);
    }

    /// Whether the service is asked to stop.
    pub fn is_stopping(&self) -> bool {
        *self.stopping.borrow()
    }

    /// Tells the service's alerts.
    pub async fn alert(&self, subject: &str, text: &str) {
        let notice = Notice {
            service: self.service.clone(),
            subject: subject.to_owned(),
            text: text.to_owned(),
        };
        for alert in &self.alerts {
            alert.notice(&notice).await;
        }
    }
}
