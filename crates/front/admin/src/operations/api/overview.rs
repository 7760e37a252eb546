//! `GET /api/overview`: versions and object totals.

use serde_json::{Value, json};
use stele_base_types::VHOST_DEFAULT;
use stele_core_engine::ExchangeKind;
use tokio::time::timeout;

use super::{NODE, view::View};
use crate::{
    errors::Error,
    limits::PROBE_TIMEOUT,
    router::Answer,
    settings::Settings,
    state::{Serving, State},
};

/// The response.
pub(super) async fn answer(
    state: &State,
    settings: &Settings,
    view: &View,
) -> Result<Answer, Error> {
    let serving = state.serving()?;
    let shards = timeout(PROBE_TIMEOUT, serving.broker.shard_statuses())
        .await
        .map_err(|_| Error::Stuck)??;
    let ready: u64 = shards.iter().map(|shard| shard.ready + shard.delayed).sum();
    let leased: u64 = shards.iter().map(|shard| shard.leased).sum();
    let queues: u64 = shards.iter().map(|shard| shard.logs).sum();
    let exchanges = serving.broker.catalogue().exchanges(VHOST_DEFAULT).count();
    let version = &settings.rabbitmq_version;
    let kinds = ExchangeKind::ALL.map(|kind| json!({ "name": kind.name(), "enabled": true }));
    let overview = json!({
        "management_version": version,
        "rabbitmq_version": version,
        "product_name": "Stele",
        "product_version": state.version,
        "cluster_name": NODE,
        "node": NODE,
        "rates_mode": "none",
        "exchange_types": kinds,
        "listeners": listeners(serving),
        "object_totals": {
            "connections": settings.connections.list().len(),
            "exchanges": exchanges,
            "queues": queues,
        },
        "queue_totals": {
            "messages": ready + leased,
            "messages_ready": ready,
            "messages_unacknowledged": leased,
        },
    });
    Ok(view.one(overview))
}

fn listeners(serving: &Serving) -> Value {
    serving
        .listeners
        .iter()
        .map(|listener| {
            json!({
                "node": NODE,
                "protocol": listener.front,
                "ip_address": listener.address.ip().to_string(),
                "port": listener.address.port(),
            })
        })
        .collect()
}
