//! What configurations belong to, and changing those of topics.

use stele_core_broker::Action;
use stele_core_engine::{AlterLog, Retention, Settings as FacetSettings};
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
    /// Makes the change: `settings_new` says from the settings in force what they become.
    pub(crate) async fn make(
        &self,
        session: &Session,
        settings_new: impl FnOnce(FacetSettings) -> Result<FacetSettings, Fault>,
    ) -> Result<(), Fault> {
        match self.resource_type {
            TOPIC => self.change_topic(session, settings_new).await,
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
        settings_new: impl FnOnce(FacetSettings) -> Result<FacetSettings, Fault>,
    ) -> Result<(), Fault> {
        check_name(self.name)?;
        let definition = session.topics().definition(self.name, Action::Configure)?;
        let current = definition.facets.get(FACET).cloned().unwrap_or_default();
        let settings = settings_new(current)?;
        let durability = settings.get(topic_configs::DURABILITY);
        let current = topic_configs::durability_name(definition.config.durability);
        if durability.is_some_and(|it| &**it != current) {
            return Err(Fault::new(
                ResponseError::InvalidConfig,
                format!("the durability of a topic is fixed; it is {current}"),
            ));
        }
        if self.is_check {
            return Ok(());
        }
        let retention = Retention {
            window: Some(topic_configs::window(&settings, &session.settings)),
            ..definition.config.retention
        };
        let alter = AlterLog {
            retention: Some(retention),
            settings: Some((FACET.into(), settings)),
            ..AlterLog::nothing(definition.id)
        };
        session.broker.alter_log(alter).await?;
        Ok(())
    }
}
