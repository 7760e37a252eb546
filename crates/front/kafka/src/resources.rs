//! What configurations belong to, and changing those of topics.

use stele_core_broker::Action;
use stele_core_engine::{AlterLog, Settings as FacetSettings, SettingsChange, alter_settings};
use stele_wire_kafka::ResponseError;

use crate::{
    errors::Fault,
    session::Session,
    topic_configs,
    topics::{FACET, NODE_ID, check_name},
};

/// A topic, as requests number resources (`ConfigResource.Type`).
pub(crate) const TOPIC: i8 = 2;

/// A broker.
pub(crate) const BROKER: i8 = 4;

/// The loggers of a broker.
pub(crate) const BROKER_LOGGER: i8 = 8;

/// Metrics that clients push.
pub(crate) const CLIENT_METRICS: i8 = 16;

/// A group.
pub(crate) const GROUP: i8 = 32;

/// A resource without configurations here.
pub(crate) fn unsupported(resource_type: i8) -> Fault {
    Fault::new(
        ResponseError::InvalidRequest,
        format!("resources of type {resource_type} have no configurations"),
    )
}

/// Checks that `name` is the one broker's; empty stands for the defaults of all.
pub(crate) fn check_broker(name: &str) -> Result<(), Fault> {
    if name.is_empty() || name.parse() == Ok(NODE_ID) {
        return Ok(());
    }
    let message = format!("there is no broker '{name}'");
    Err(Fault::new(ResponseError::InvalidRequest, message))
}

/// A change of a resource's configurations.
#[derive(Debug)]
pub(crate) struct Change<'a> {
    pub(crate) resource_type: i8,
    pub(crate) name: &'a str,
    /// Check it and change nothing.
    pub(crate) is_check: bool,
}

impl Change<'_> {
    /// Makes the change of the settings that are named, and leaves the others. What is wrong with
    /// the names or values counts where there is a topic.
    pub(crate) async fn make(
        &self,
        session: &Session,
        change: Result<SettingsChange, Fault>,
    ) -> Result<(), Fault> {
        match self.resource_type {
            TOPIC => self.change_topic(session, change).await,
            BROKER => {
                check_broker(self.name)?;
                Err(Fault::new(
                    ResponseError::InvalidRequest,
                    "the broker is configured by Stele's own configuration",
                ))
            }
            other => Err(unsupported(other)),
        }
    }

    async fn change_topic(
        &self,
        session: &Session,
        change: Result<SettingsChange, Fault>,
    ) -> Result<(), Fault> {
        check_name(self.name)?;
        let definition = session.topics().definition(self.name, Action::Configure)?;
        let change = change?;
        let durability = change.get(topic_configs::DURABILITY);
        let current = topic_configs::durability_name(definition.config.durability);
        if let Some(Some(durability)) = durability
            && &**durability != current
        {
            return Err(Fault::new(
                ResponseError::InvalidConfig,
                format!("the durability of a topic is fixed; it is {current}"),
            ));
        }
        if self.is_check {
            return Ok(());
        }
        let mut new = FacetSettings::new();
        alter_settings(&mut new, &change);
        let window = topic_configs::window(&new, &session.settings);
        // One that no Kafka client has used yet gets a topic's window as a whole.
        let is_new = !definition.facets.contains_key(FACET);
        let is_changed = |name| is_new || change.contains_key(name);
        let alter = AlterLog {
            window_time_ms: is_changed(topic_configs::RETENTION_MS).then_some(window.time_ms),
            window_size_bytes: is_changed(topic_configs::RETENTION_BYTES)
                .then_some(window.size_bytes),
            settings: Some((FACET.into(), change)),
            ..AlterLog::nothing(definition.id)
        };
        session.broker.alter_log(alter).await?;
        Ok(())
    }
}
