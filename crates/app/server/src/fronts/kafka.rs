//! Kafka.

use std::sync::Arc;

use stele_core_engine::Window;
use stele_front_kafka as kafka;

use super::Fronts;
use crate::listeners::Bound;

impl Fronts<'_> {
    /// Starts Kafka.
    pub(crate) fn kafka(&mut self, bound: Bound) -> anyhow::Result<()> {
        let chosen = &self.settings.kafka;
        let port = bound.port();
        let advertised = chosen.advertised_host.as_ref().map(|host| kafka::Endpoint {
            host: host.clone(),
            port: chosen.advertised_port.unwrap_or(port),
        });
        let defaults = kafka::Settings::new(
            self.context.cluster_id.clone(),
            Arc::clone(&self.context.clock),
            self.rng()?,
        );
        let settings = kafka::Settings {
            advertised,
            listener: format!("{}:{port}", chosen.host),
            log_dir: self.settings.storage.dir.display().to_string(),
            auto_create_topics: chosen.auto_create,
            partitions_default: chosen.partitions,
            durability_default: self.durability(),
            retention_default: Window {
                time_ms: Some(chosen.retention.ms()),
                size_bytes: None,
            },
            batch_size_bytes_max: u32::try_from(chosen.batch_max.0).unwrap_or(u32::MAX),
            request_size_bytes_max: chosen.request_max.bytes(),
            group_gathering_ms: u32::try_from(chosen.group_gathering.ms()).unwrap_or(u32::MAX),
            connections_max: self.settings.limits.connections,
            sockets: self.sockets.clone(),
            ..defaults
        };
        let serve = kafka::serve(
            self.broker.clone(),
            settings,
            bound.listen()?,
            self.stopping(),
        );
        self.spawn("kafka", serve);
        Ok(())
    }
}
