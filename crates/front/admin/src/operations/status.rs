//! `GET /v1/status`: the status of the process as JSON.

use hyper::StatusCode;
use serde_json::{Value, json};
use stele_core_broker::{FrontCounts, ShardStatus};
use tokio::time::timeout;

use crate::{
    errors::Error,
    limits::PROBE_TIMEOUT,
    process,
    router::{self, Answer},
    state::{Serving, State},
};

/// The response.
pub(crate) async fn answer(state: &State) -> Result<Answer, Error> {
    let mut status = json!({
        "version": state.version,
        "phase": state.phase().word(),
        "uptime_ms": state.uptime_ms(),
        "resident_bytes": process::resident_bytes(),
    });
    if let Ok(serving) = state.serving() {
        let shards = timeout(PROBE_TIMEOUT, serving.broker.shard_statuses())
            .await
            .map_err(|_| Error::Stuck)??;
        status["fronts"] = fronts(serving);
        status["logs"] = shards.iter().map(|shard| shard.logs).sum::<u64>().into();
        status["is_blocked"] = shards.iter().any(|shard| shard.is_blocked).into();
        status["shards"] = shards.iter().map(of_shard).collect();
    }
    Ok(router::json(StatusCode::OK, &status))
}

fn fronts(serving: &Serving) -> Value {
    let counts = serving.broker.front_counts();
    serving
        .listeners
        .iter()
        .map(|listener| {
            let mut front = json!({
                "front": listener.front,
                "address": listener.address.to_string(),
            });
            if let Some(counts) = counts.iter().find(|counts| counts.front == listener.front) {
                add_counts(&mut front, counts);
            }
            front
        })
        .collect()
}

fn add_counts(front: &mut Value, counts: &FrontCounts) {
    front["connections"] = counts.connections.into();
    front["connections_total"] = counts.connections_total.into();
    let sum = |counts: &[(&str, u64)]| counts.iter().map(|(_, count)| count).sum::<u64>();
    front["connection_errors"] = counts.connection_errors.into();
    front["requests"] = sum(&counts.requests).into();
    front["errors"] = sum(&counts.errors).into();
    front["received_bytes"] = counts.received_bytes.into();
    front["sent_bytes"] = counts.sent_bytes.into();
}

fn of_shard(shard: &ShardStatus) -> Value {
    json!({
        "logs": shard.logs,
        "sessions": shard.sessions,
        "ready": shard.ready,
        "leased": shard.leased,
        "delayed": shard.delayed,
        "appended_records": shard.appended_records,
        "appended_bytes": shard.appended_bytes,
        "backlog_bytes": shard.backlog_bytes,
        "is_blocked": shard.is_blocked,
        "journal_bytes": shard.usage.journal_size_bytes,
        "segments_bytes": shard.usage.segments_size_bytes,
        "cache_bytes": shard.usage.cache_size_bytes,
    })
}
