//! AMQP 0-9-1.

use std::sync::Arc;

use stele_front_amqp as amqp;

use super::Fronts;
use crate::{listeners::Bound, users};

impl Fronts<'_> {
    /// Starts AMQP.
    pub(crate) fn amqp(&mut self, bound: Bound, body_bytes_max: usize) -> anyhow::Result<()> {
        let rng = self.rng()?;
        let users = users::of(&self.settings.auth)?;
        let chosen = &self.settings.amqp;
        let settings = amqp::Settings {
            heartbeat_s: u16::try_from(chosen.heartbeat.0.as_secs()).unwrap_or(u16::MAX),
            frame_bytes_max: u32::try_from(chosen.frame_max.0).unwrap_or(u32::MAX),
            channel_max: chosen.channel_max,
            body_bytes_max: body_bytes_max as u64,
            consumer_timeout: Some(chosen.consumer_timeout.0).filter(|it| !it.is_zero()),
            durability: self.durability(),
            connections_max: self.settings.limits.connections,
            sockets: self.sockets.clone(),
            connections: self.context.connections.clone(),
            traced: self.context.traced.clone(),
            version: self.context.version,
            rabbitmq_version: chosen.rabbitmq_version.clone(),
            ..amqp::Settings::new(users, Arc::clone(&self.context.clock), rng)
        };
        let serve = amqp::serve(
            self.broker.clone(),
            settings,
            bound.listen()?,
            self.stopping(),
        );
        self.spawn("amqp", serve);
        Ok(())
    }
}
