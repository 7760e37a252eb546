//! `GET /api/queues/VHOST/NAME`: one queue or topic (topics are queues to AMQP).

use serde_json::{Map, Value, json};
use stele_base_types::Principal;
use stele_core_broker::{Action, LogStatus};
use stele_core_engine::{Durability, LogDefinition, Settings};
use tokio::time::timeout;

use super::{NODE, view::View};
use crate::{errors::Error, limits::PROBE_TIMEOUT, router::Answer, state::State};

/// The name under which the AMQP front stores a queue's declaration.
const FACET: &str = "amqp";

/// The response.
pub(super) async fn answer(
    state: &State,
    principal: &Principal,
    vhost: &str,
    name: &str,
    view: &View,
) -> Result<Answer, Error> {
    let broker = &state.serving()?.broker;
    let definition = broker
        .resolve(principal, vhost, name, Action::Inspect)
        .map_err(Error::of_resolve)?
        .clone();
    let status = timeout(PROBE_TIMEOUT, broker.status(definition.id)).await;
    let status = status.map_err(|_| Error::Stuck)?.unwrap_or_default();
    Ok(view.one(of(&definition, &status)))
}

/// A queue as JSON with its counts, which are 0 if it is deleted meanwhile.
pub(super) fn of(definition: &LogDefinition, status: &LogStatus) -> Value {
    let none = Settings::new();
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
fn arguments(declared: &Settings) -> Map<String, Value> {
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
