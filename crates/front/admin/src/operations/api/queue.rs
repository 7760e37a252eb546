//! `GET /api/queues/VHOST/NAME`: one queue or topic (topics are queues to AMQP) and its consumers.
//! Only those of AMQP connections are listed, without their arguments.

use serde_json::{Map, Value, json};
use stele_base_types::Principal;
use stele_core_broker::{Action, LogStatus};
use stele_core_engine::{Durability, LogDefinition, Settings as Declaration};
use tokio::time::timeout;

use super::{NODE, view::View};
use crate::{
    consumers::{OpenConsumer, OpenConsumers},
    errors::Error,
    limits::PROBE_TIMEOUT,
    router::Answer,
    settings::Settings,
    state::State,
};

/// The name under which the AMQP front stores a queue's declaration.
const FACET: &str = "amqp";

/// The response.
pub(super) async fn answer(
    state: &State,
    settings: &Settings,
    definition: &LogDefinition,
    view: &View,
) -> Result<Answer, Error> {
    let broker = &state.serving()?.broker;
    let status = timeout(PROBE_TIMEOUT, broker.status(definition.id)).await;
    let status = status.map_err(|_| Error::Stuck)?.unwrap_or_default();
    let consumers = OpenConsumers::list(settings);
    let mut queue = of(definition, &status, &consumers);
    let details = consumers.of(definition.id);
    let details = details.iter().map(|it| detail(it, definition, &status));
    queue["consumer_details"] = details.collect();
    Ok(view.one(queue))
}

/// The queue of a path.
pub(super) fn find(
    state: &State,
    principal: &Principal,
    vhost: &str,
    name: &str,
) -> Result<LogDefinition, Error> {
    let broker = &state.serving()?.broker;
    let found = broker.resolve(principal, vhost, name, Action::Inspect);
    Ok(found.map_err(Error::of_resolve)?.clone())
}

/// A consumer as JSON.
fn detail(consumer: &OpenConsumer, definition: &LogDefinition, status: &LogStatus) -> Value {
    let (info, connection) = (&consumer.info, &consumer.connection);
    let is_active = status.active.is_none() || status.active == consumer.reference;
    let activity = match (is_active, status.active) {
        (true, None) => "up",
        (true, Some(_)) => "single_active",
        (false, _) => "waiting",
    };
    let peer = connection.principal.address;
    json!({
        "consumer_tag": info.tag,
        "ack_required": info.acknowledges,
        "active": is_active,
        "activity_status": activity,
        "exclusive": info.exclusive,
        "prefetch_count": info.prefetch.unwrap_or(0),
        "queue": { "name": definition.name.as_str(), "vhost": definition.vhost.as_str() },
        "channel_details": {
            "connection_name": connection.name(),
            "name": format!("{} ({})", connection.name(), info.channel),
            "node": NODE,
            "number": info.channel,
            "peer_host": peer.ip().to_string(),
            "peer_port": peer.port(),
            "user": connection.principal.user(),
        },
    })
}

/// A queue as JSON with its counts, which are 0 if it is deleted meanwhile.
pub(super) fn of(
    definition: &LogDefinition,
    status: &LogStatus,
    consumers: &OpenConsumers,
) -> Value {
    let active = status.active.and_then(|active| consumers.tag(active));
    let none = Declaration::new();
    let declared = definition.facets.get(FACET).unwrap_or(&none);
    let arguments = arguments(declared);
    let kind = arguments.get("x-queue-type").cloned();
    let lifetime = &definition.config.lifetime;
    let ready = status.ready + status.delayed;
    let mut queue = json!({
        "name": definition.name.as_str(),
        "vhost": definition.vhost.as_str(),
        "node": NODE,
        "state": "running",
        "type": kind.unwrap_or_else(|| "classic".into()),
        "durable": definition.config.durability != Durability::Volatile,
        "auto_delete": lifetime.auto_delete,
        "exclusive": lifetime.exclusive.is_some(),
        "arguments": arguments,
        "consumers": status.consumers,
        "single_active_consumer_tag": active.map(|(tag, _)| tag),
        "messages": ready + status.leased,
        "messages_ready": ready,
        "messages_unacknowledged": status.leased,
    });
    // Known only where the queue limits them.
    if let Some(bytes) = status.ready_bytes {
        queue["message_bytes_ready"] = bytes.into();
    }
    queue
}

/// The arguments. Each is stored as the name of its type and its text.
fn arguments(declared: &Declaration) -> Map<String, Value> {
    let kept = declared.iter().filter_map(|(name, kept)| {
        let (_, text) = name.strip_prefix("x-").and(kept.split_once(' '))?;
        Some((name.to_string(), value(kept, text)))
    });
    kept.collect()
}

fn value(kept: &str, text: &str) -> Value {
    if kept.starts_with("longstr ") {
        return text.into();
    }
    // Numbers and booleans are stored as JSON text.
    serde_json::from_str(text).unwrap_or_else(|_| text.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_have_the_types_that_they_were_declared_with() {
        let declared = [
            ("durable", "true"),
            ("x-message-ttl", "signedint 60000"),
            ("x-queue-mode", "longstr lazy"),
            ("x-queue-type", "longstr 5"),
            ("x-single-active-consumer", "bool false"),
        ];
        let declared = declared.map(|(name, kept)| (name.into(), kept.into()));
        let expected = json!({
            "x-message-ttl": 60000,
            "x-queue-mode": "lazy",
            "x-queue-type": "5",
            "x-single-active-consumer": false,
        });
        assert_eq!(Value::from(arguments(&declared.into())), expected);
    }
}
