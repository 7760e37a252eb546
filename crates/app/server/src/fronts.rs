//! The client protocols: their tasks here, their settings in one file each.

mod amqp;
mod kafka;
mod sqs;

use std::sync::Arc;

use anyhow::Context as _;
use stele_app_config::{self as config, Settings};
use stele_base_env::{Clock, OsRng};
use stele_core_broker::{Broker, DeadLetterRoutes, DeadLetters};
use stele_core_engine::Durability;
use stele_front_accept::{Registry, Sockets, Traced};
use stele_front_amqp::{DeadLetterExchanges, priority_of};
use stele_front_sqs::RedrivePolicies;
use tokio::{sync::watch, task::JoinSet};

/// What the fronts share besides the settings.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) cluster_id: String,
    pub(crate) version: &'static str,
    pub(crate) clock: Arc<dyn Clock>,
    /// Where fronts register the connections that the admin front lists and closes.
    pub(crate) connections: Registry,
    /// Whose messages are traced, as set through the admin front.
    pub(crate) traced: Traced,
}

/// The running fronts.
#[derive(Debug)]
pub(crate) struct Fronts<'a> {
    context: &'a Context,
    settings: &'a Settings,
    broker: &'a Broker,
    /// The socket limit shared by the clients of all fronts.
    sockets: Sockets,
    stop: watch::Sender<bool>,
    tasks: JoinSet<&'static str>,
}

impl<'a> Fronts<'a> {
    /// Creates the set without any front.
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

    /// Moves dead letters to where the fronts' queues send them.
    pub(crate) fn dead_letters(&mut self) {
        let clock = Arc::clone(&self.context.clock);
        let policies = RedrivePolicies { priority_of };
        let routes: Vec<Box<dyn DeadLetterRoutes>> =
            vec![Box::new(policies), Box::new(DeadLetterExchanges)];
        let task = DeadLetters::new(self.broker.clone(), clock, routes);
        let stopping = self.stopping();
        self.spawn("dead letters", task.run(stopping));
    }

    fn rng(&self) -> anyhow::Result<Box<OsRng>> {
        Ok(Box::new(OsRng::new().context("no randomness")?))
    }

    /// When a write is acknowledged, for a log that doesn't configure it.
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

    /// Waits until a front ends by itself, which happens only on a failure.
    pub(crate) async fn ended(&mut self) -> anyhow::Error {
        match self.tasks.join_next().await {
            Some(Ok(name)) => anyhow::anyhow!("the {name} front ended unexpectedly"),
            Some(Err(error)) => anyhow::Error::new(error).context("a front failed"),
            None => std::future::pending().await,
        }
    }

    /// Makes all fronts refuse new work, and waits until they have finished the work in flight.
    pub(crate) async fn stop(&mut self) {
        self.stop.send_replace(true);
        while self.tasks.join_next().await.is_some() {}
    }
}
