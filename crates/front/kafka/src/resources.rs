//! Resources that have configurations, and changes of topic configurations.

use hashbrown::HashSet;
use stele_core_broker::Action;
use stele_core_engine::{
    AlterLog, Altered, LogDefinition, Settings as FacetSettings, SettingsChange, alter_settings,
};
use stele_wire_kafka::{ResponseError, StrBytes};

use crate::{
    errors::Fault,
    session::Session,
    topic_configs,
    topics::{FACET, NODE_ID, check_name},
};

/// A topic, numbered as in requests (`ConfigResource.Type`).
pub(crate) const TOPIC: i8 = 2;

/// A broker.
pub(crate) const BROKER: i8 = 4;

/// The loggers of a broker.
pub(crate) const BROKER_LOGGER: i8 = 8;

/// Metrics that clients push.
pub(crate) const CLIENT_METRICS: i8 = 16;

/// A group.
pub(crate) const GROUP: i8 = 32;

/// Checks that a resource other than a topic is valid. An empty broker name means the defaults of
/// all brokers.
pub(crate) fn check_resource(resource_type: i8, name: &str) -> Result<(), Fault> {
    let message = match (resource_type, name) {
        (BROKER, "") => return Ok(()),
        (BROKER | BROKER_LOGGER, _) => return check_broker(name),
        (GROUP, "") => "Group name must not be empty".to_owned(),
        (CLIENT_METRICS, "") => "Client metrics subscription name must not be empty".to_owned(),
        (GROUP | CLIENT_METRICS, _) => return Ok(()),
        _ => format!("Unsupported resource type: {resource_type}"),
    };
    Err(invalid(message))
}

/// Checks that `name` is the one broker's.
fn check_broker(name: &str) -> Result<(), Fault> {
    match name.parse::<i32>() {
        Ok(NODE_ID) => Ok(()),
        Ok(_) => Err(invalid(format!(
            "Unexpected broker id, expected {NODE_ID} or empty string, but received {name}"
        ))),
        Err(_) => Err(invalid(format!(
            "Broker id must be an integer, but it is: {name}"
        ))),
    }
}

/// Refuses to set configurations of anything but a topic, because clients can't alter them. Setting
/// none is no change.
pub(crate) fn set_fixed<'a>(
    resource_type: i8,
    name: &str,
    configs: impl Iterator<Item = &'a str>,
) -> Result<(), Fault> {
    check_resource(resource_type, name)?;
    let names: Vec<&str> = configs.collect();
    match &names[..] {
        [] => Ok(()),
        // Kafka's message.
        _ => Err(invalid(format!(
            "Cannot update these configs dynamically: [{}]",
            names.join(", ")
        ))),
    }
}

/// The resources that occur several times in a request.
#[derive(Debug, Default)]
pub(crate) struct Repeated(HashSet<(i8, StrBytes)>);

impl Repeated {
    pub(crate) fn among(resources: impl Iterator<Item = (i8, StrBytes)>) -> Self {
        let mut seen = HashSet::new();
        let repeated = resources.filter(|resource| !seen.insert(resource.clone()));
        Self(repeated.collect())
    }

    /// Refuses a resource that occurs several times.
    pub(crate) fn check(&self, resource_type: i8, name: &StrBytes) -> Result<(), Fault> {
        match self.0.contains(&(resource_type, name.clone())) {
            true => Err(invalid("Each resource must appear at most once.")),
            false => Ok(()),
        }
    }
}

/// Refuses configurations to be set without a value.
pub(crate) fn check_values<'a>(without: impl Iterator<Item = &'a str>) -> Result<(), Fault> {
    let names: Vec<&str> = without.collect();
    match &names[..] {
        [] => Ok(()),
        _ => Err(invalid(format!(
            "Null value not supported for : {}",
            names.join(",")
        ))),
    }
}

/// Changes a topic's settings, depending on the current ones, or only validates the change. Errors
/// in the change are reported only if the topic exists. `change` is called again if the settings
/// have been changed meanwhile, so that two clients that append to a list don't undo each other.
pub(crate) async fn change_topic(
    session: &Session,
    name: &str,
    is_check: bool,
    change: impl Fn(&FacetSettings) -> Result<SettingsChange, Fault>,
) -> Result<(), Fault> {
    check_name(name)?;
    let mut definition = session.topics().definition(name, Action::Configure)?;
    loop {
        let current = definition.facets.get(FACET).cloned().unwrap_or_default();
        let alter = AlterLog {
            judged_by: Some(current.clone()),
            ..alteration(session, &definition, change(&current)?)?
        };
        if is_check {
            return Ok(());
        }
        match session.broker.alter_log(alter).await? {
            Altered::Made(_) => return Ok(()),
            Altered::Outdated(now) => definition = now,
        }
    }
}

/// A change of a topic's settings, with the retention that they ask for.
fn alteration(
    session: &Session,
    definition: &LogDefinition,
    change: SettingsChange,
) -> Result<AlterLog, Fault> {
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
    let mut new = FacetSettings::new();
    alter_settings(&mut new, &change);
    let window = topic_configs::window(&new, &session.settings);
    // A queue becomes a topic as well, with a topic's complete retention, if a retention is set;
    // other settings don't make it one.
    let sets = |name| matches!(change.get(name), Some(Some(_)));
    let is_topic = definition.config.retention.is_topic();
    let becomes_topic =
        !is_topic && (sets(topic_configs::RETENTION_MS) || sets(topic_configs::RETENTION_BYTES));
    let is_changed = |name| becomes_topic || (is_topic && change.contains_key(name));
    Ok(AlterLog {
        window_time_ms: is_changed(topic_configs::RETENTION_MS).then_some(window.time_ms),
        window_size_bytes: is_changed(topic_configs::RETENTION_BYTES).then_some(window.size_bytes),
        settings: Some((FACET.into(), change)),
        ..AlterLog::nothing(definition.id)
    })
}

fn invalid(message: impl Into<String>) -> Fault {
    Fault::new(ResponseError::InvalidRequest, message)
}
