//! Amazon SQS.

use std::sync::Arc;

use anyhow::Context as _;
use stele_base_types::Name;
use stele_front_sqs as sqs;

use super::Fronts;
use crate::{hosts, listeners::Bound};

impl Fronts<'_> {
    /// Starts SQS on its port and on the alias port.
    pub(crate) fn sqs(&mut self, bound: Bound, alias: Option<Bound>) -> anyhow::Result<()> {
        let chosen = &self.settings.sqs;
        let keys = self.settings.auth.sqs_keys.iter();
        let credentials = keys.map(|(id, secret)| {
            let id = Name::new(id).with_context(|| format!("auth.sqs_keys: {id}"))?;
            Ok(sqs::Credential {
                access_key_id: id,
                secret_access_key: secret.clone(),
            })
        });
        let defaults = sqs::Settings::new(
            credentials.collect::<anyhow::Result<_>>()?,
            Arc::clone(&self.context.clock),
            self.rng()?,
        );
        let settings = sqs::Settings {
            hosts: hosts::of(self.settings),
            region: chosen.region.clone(),
            account_id: chosen.account.clone(),
            durability: self.durability(),
            purge_interval: chosen.purge_interval.0,
            in_flight_max: chosen.in_flight_max,
            connections_max: self.settings.limits.connections,
            sockets: self.sockets.clone(),
            dead_letters_lead_to: stele_front_amqp::dead_letters_lead_to,
            priority_of: stele_front_amqp::priority_of,
            ..defaults
        };
        let broker = self.broker.clone();
        let moves = sqs::run_move_tasks(broker, settings.clone(), self.stopping());
        self.spawn("sqs move tasks", moves);
        for bound in [Some(bound), alias].into_iter().flatten() {
            let name = bound.name;
            let serve = sqs::serve(
                self.broker.clone(),
                settings.clone(),
                bound.listen()?,
                self.stopping(),
            );
            self.spawn(name, serve);
        }
        Ok(())
    }
}
