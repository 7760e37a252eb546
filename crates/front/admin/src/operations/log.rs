//! `GET /v1/logs/NAME?vhost=/`: one queue or topic, with the bounds of its partitions.

use std::collections::BTreeSet;

use hyper::StatusCode;
use serde_json::{Value, json};
use stele_base_types::{Principal, VHOST_DEFAULT};
use stele_core_broker::{Action, Broker};
use stele_core_engine::{Durability, Holder, LogDefinition, Retention};
use tokio::time::timeout;

use crate::{
    consumers::OpenConsumers,
    errors::Error,
    limits::PROBE_TIMEOUT,
    router::{self, Answer},
    settings::Settings,
    state::State,
};

/// The response.
pub(crate) async fn answer(
    state: &State,
    settings: &Settings,
    principal: &Principal,
    path: &str,
    query: &str,
) -> Result<Answer, Error> {
    let broker = &state.serving()?.broker;
    let definition = find(broker, principal, path, query, Action::Inspect)?;
    Ok(router::json(
        StatusCode::OK,
        &of(broker, settings, &definition).await?,
    ))
}

/// The log named by a path and its query.
pub(super) fn find(
    broker: &Broker,
    principal: &Principal,
    path: &str,
    query: &str,
    action: Action,
) -> Result<LogDefinition, Error> {
    let mut vhost = VHOST_DEFAULT.to_owned();
    for (parameter, value) in form_urlencoded::parse(query.as_bytes()) {
        match &*parameter {
            "vhost" => vhost = value.into_owned(),
            _ => return Err(Error::BadQuery(format!("unknown parameter '{parameter}'"))),
        }
    }
    find_in(broker, principal, path, &vhost, action)
}

/// The log named by a path, in a virtual host.
pub(super) fn find_in(
    broker: &Broker,
    principal: &Principal,
    path: &str,
    vhost: &str,
    action: Action,
) -> Result<LogDefinition, Error> {
    let name = decoded(path)?;
    let found = broker.resolve(principal, vhost, &name, action);
    Ok(found.map_err(Error::of_resolve)?.clone())
}

/// Decodes the last segment of a path. A `+` there doesn't stand for a space.
pub(super) fn decoded(path: &str) -> Result<String, Error> {
    let escaped = path.replace('+', "%2B");
    form_urlencoded::parse(format!("n={escaped}").as_bytes())
        .next()
        .map(|(_, value)| value.into_owned())
        .filter(|name| !name.is_empty() && !path.contains(['&', '/']))
        .ok_or(Error::NoSuchPage)
}

/// A log as JSON with its counts, which are missing if it is deleted meanwhile.
pub(crate) async fn of(
    broker: &Broker,
    settings: &Settings,
    definition: &LogDefinition,
) -> Result<Value, Error> {
    let status = timeout(PROBE_TIMEOUT, broker.status(definition.id)).await;
    let status = status.map_err(|_| Error::Stuck)?.unwrap_or_default();
    let holders = timeout(PROBE_TIMEOUT, broker.holders(definition.id)).await;
    let holders = holders.map_err(|_| Error::Stuck)??;
    let none = Vec::new();
    let each = status.partitions.iter();
    let each = each.zip(holders.iter().chain(std::iter::repeat(&none)));
    let partitions: Vec<Value> = each
        .map(|(partition, holders)| {
            json!({
                "start": partition.start.0,
                "end": partition.committed.0,
                "size_bytes": partition.size_bytes,
                "held_by": holders.iter().map(word_of).collect::<Vec<_>>(),
            })
        })
        .collect();
    let active = status.active;
    let active = active.and_then(|active| OpenConsumers::list(settings).tag(active));
    let active = active.map(|(tag, connection)| format!("{tag} of {connection}"));
    let held_by: BTreeSet<_> = holders.iter().flatten().map(word_of).collect();
    let records = status.partitions.iter();
    let records = records.map(|partition| partition.committed.0.saturating_sub(partition.start.0));
    let sizes = status
        .partitions
        .iter()
        .map(|partition| partition.size_bytes);
    let config = &definition.config;
    let window = config.retention.window;
    Ok(json!({
        "name": definition.name.as_str(),
        "vhost": definition.vhost.as_str(),
        "declared_through": definition.facets.keys()
            .collect::<Vec<_>>(),
        "kind": kind(config.retention),
        "held_by": held_by,
        "durability": word(config.durability),
        "retention": {
            "until_acknowledged": config.retention.until_acknowledged,
            "time_ms": window.and_then(|window| window.time_ms),
            "size_bytes": window.and_then(|window| window.size_bytes),
        },
        "partitions": partitions,
        "records": records.sum::<u64>(),
        "size_bytes": sizes.sum::<u64>(),
        "ready": status.ready,
        "leased": status.leased,
        "delayed": status.delayed,
        "consumers": status.consumers,
        "active_consumer": active,
    }))
}

/// The roles that clients have declared for the log.
fn kind(retention: Retention) -> Vec<&'static str> {
    let queue = retention.is_queue().then_some("queue");
    let topic = retention.is_topic().then_some("topic");
    queue.into_iter().chain(topic).collect()
}

fn word_of(holder: &Holder) -> String {
    match holder {
        Holder::Window => "window".to_owned(),
        Holder::Queue => "queue".to_owned(),
        Holder::Ledger(name) => format!("subscription {name}"),
        Holder::Group(name) => format!("group {name}"),
    }
}

fn word(durability: Durability) -> &'static str {
    match durability {
        Durability::Volatile => "volatile",
        Durability::Flushed => "flushed",
        Durability::Synced => "synced",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_in_a_path_is_decoded() {
        assert_eq!(decoded("a%20b%2Fc+d").expect("a name"), "a b/c+d");
        assert!(decoded("a/b").is_err());
        assert!(decoded("a&b").is_err());
        assert!(decoded("").is_err());
    }
}
