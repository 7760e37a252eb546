//! The client protocols: what each is set to (a file each), and their tasks.

mod amqp;
mod kafka;
mod sqs;

use std::sync::Arc;

use anyhow::Context as _;
use stele_app_config::{self as config, Settings};
use stele_base_env::{Clock, OsRng};
use stele_core_broker::Broker;
use stele_core_engine::Durability;
use stele_front_accept::{Registry, Sockets};
use tokio::{sync::watch, task::JoinSet};

/// What the fronts share beside the settings.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) cluster_id: String,
    pub(crate) version: &'static str,
    pub(crate) clock: Arc<dyn Clock>,
    /// Where fronts make connections known that the admin front lists and closes.
    pub(crate) connections: Registry,
}

/// The running fronts.
#[derive(Debug)]
pub(crate) struct Fronts<'a> {
    context: &'a Context,
    settings: &'a Settings,
    broker: &'a Broker,
    /// What clients of all fronts may have together.
    sockets: Sockets,
    stop: watch::Sender<bool>,
    tasks: JoinSet<&'static str>,
}

impl<'a> Fronts<'a> {
    /// None yet.
    pub(crate) fn new(
        context: &'a Context,
        settings: &'a Settings,
        broker: &'a Broker,
        sockets: Sockets,
    ) -> Self {
        let (stop, _) = watch::channel(false);
        Self {
            context,
            settings,
            broker,
            sockets,
            stop,
            tasks: JoinSet::new(),
        }
    }

    fn rng(&self) -> anyhow::Result<Box<OsRng>> {
        Ok(Box::new(OsRng::new().context("no randomness")?))
    }

    /// What an acknowledgement means for a log that doesn't say.
    fn durability(&self) -> Durability {
        match self.settings.storage.durability {
            config::Durability::Synced => Durability::Synced,
            config::Durability::Flushed => Durability::Flushed,
        }
    }

    fn stopping(&self) -> watch::Receiver<bool> {
        self.stop.subscribe()
    }

    fn spawn(&mut self, name: &'static str, serve: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(async move {
            serve.await;
            name
        });
    }

    /// Waits for one to end by itself, which none does while it can go on.
    pub(crate) async fn ended(&mut self) -> anyhow::Error {
        match self.tasks.join_next().await {
            Some(Ok(name)) => anyhow::anyhow!("the {name} front ended by itself"),
            Some(Err(error)) => anyhow::Error::new(error).context("a front failed"),
            None => std::future::pending().await,
        }
    }

    /// Tells all to take nothing new, and waits until they have finished what is in flight.
    pub(crate) async fn stop(&mut self) {
        self.stop.send_replace(true);
        while self.tasks.join_next().await.is_some() {}
    }
}
