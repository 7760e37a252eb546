//! The client protocols: what each is set to, and their tasks.

use std::{io, sync::Arc};

use anyhow::Context as _;
use stele_app_config::Settings;
use stele_base_env::{Clock, OsRng};
use stele_base_types::Name;
use stele_core_broker::Broker;
use stele_front_amqp as amqp;
use tokio::{sync::watch, task::JoinSet};

use crate::listeners::Bound;

/// What the fronts share beside the settings.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) version: &'static str,
    pub(crate) clock: Arc<dyn Clock>,
}

/// The running fronts.
#[derive(Debug)]
pub(crate) struct Fronts<'a> {
    context: &'a Context,
    settings: &'a Settings,
    broker: &'a Broker,
    stop: watch::Sender<bool>,
    tasks: JoinSet<(&'static str, io::Result<()>)>,
}

impl<'a> Fronts<'a> {
    /// None yet.
    pub(crate) fn new(context: &'a Context, settings: &'a Settings, broker: &'a Broker) -> Self {
        let (stop, _) = watch::channel(false);
        Self {
            context,
            settings,
            broker,
            stop,
            tasks: JoinSet::new(),
        }
    }

    /// Starts AMQP.
    pub(crate) fn amqp(&mut self, bound: Bound) -> anyhow::Result<()> {
        let rng = Box::new(OsRng::new().context("no randomness")?);
        let users = self.settings.auth.users.iter().map(|(name, password)| {
            let name = Name::new(name).with_context(|| format!("auth.users: {name}"))?;
            Ok(amqp::User {
                name,
                password: password.expose().to_owned(),
            })
        });
        let users = users.collect::<anyhow::Result<_>>()?;
        let chosen = &self.settings.amqp;
        let settings = amqp::Settings {
            heartbeat_s: u16::try_from(chosen.heartbeat.0.as_secs()).unwrap_or(u16::MAX),
            frame_bytes_max: u32::try_from(chosen.frame_max.0).unwrap_or(u32::MAX),
            channel_max: chosen.channel_max,
            body_bytes_max: chosen.body_max.0,
            connections_max: self.settings.limits.connections,
            version: self.context.version,
            ..amqp::Settings::new(users, Arc::clone(&self.context.clock), rng)
        };
        let serve = amqp::serve(
            self.broker.clone(),
            settings,
            bound.listen()?,
            self.stopping(),
        );
        self.tasks.spawn(async { ("amqp", serve.await) });
        Ok(())
    }

    fn stopping(&self) -> watch::Receiver<bool> {
        self.stop.subscribe()
    }

    /// Waits for one to end by itself, which it does only when it can't go on.
    pub(crate) async fn ended(&mut self) -> anyhow::Error {
        match self.tasks.join_next().await {
            Some(Ok((name, Err(error)))) => {
                anyhow::Error::new(error).context(format!("the {name} front can't go on"))
            }
            Some(Ok((name, Ok(())))) => anyhow::anyhow!("the {name} front ended by itself"),
            Some(Err(error)) => anyhow::Error::new(error).context("a front failed"),
            None => std::future::pending().await,
        }
    }

    /// Tells all to take nothing new, and waits until they have finished what is in flight.
    pub(crate) async fn stop(&mut self) {
        self.stop.send_replace(true);
        while let Some(ended) = self.tasks.join_next().await {
            if let Ok((name, Err(error))) = ended {
                tracing::warn!(%error, front = name, "ended with an error");
            }
        }
    }
}
