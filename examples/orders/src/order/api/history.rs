//! What happened to an order.

use axum::{
    Json,
    extract::{Path, State},
    http::{HeaderMap, header::ACCEPT},
    response::{IntoResponse as _, Response},
};
use serde::Serialize;
use stele_toolkit_envelope::{RawJson, Timestamp};

use crate::{
    order::{
        orders::Orders,
        timeline::{self, Changes},
    },
    problem::Problem,
};

/// The most events of one answer.
const EVENTS_MAX: usize = 1000;

/// A change of an order.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Change {
    version: u64,
    /// What happened.
    #[serde(rename = "type")]
    message_type: String,
    /// When it was recorded.
    at: Timestamp,
    /// Who started it.
    who: Option<String>,
    /// The message because of which it happened.
    why: Option<String>,
    /// The service that recorded it.
    source: String,
    correlation_id: String,
    data: RawJson,
}

/// `GET /orders/{id}/history`.
pub(super) async fn history(
    State(orders): State<Orders>,
    Path(id): Path<String>,
) -> Result<Json<Vec<Change>>, Problem> {
    let events = orders.orders.history(&id, 0, EVENTS_MAX).await?;
    if events.is_empty() {
        return Err(Problem::not_found(id));
    }
    let changes = events.into_iter().map(|recorded| Change {
        version: recorded.version,
        message_type: recorded.event.message_type,
        at: recorded.time,
        who: recorded.event.metadata.user_id,
        why: recorded.event.metadata.causation_id,
        source: recorded.event.source,
        correlation_id: recorded.event.correlation_id,
        data: recorded.event.data,
    });
    Ok(Json(changes.collect()))
}

/// `GET /orders/{id}/timeline`. It is empty for a moment after the order was placed. As server-sent
/// events, if that is what is accepted, it goes on until the client goes away.
pub(super) async fn timeline(
    State((orders, changes)): State<(Orders, Changes)>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let accepted = headers.get(ACCEPT).and_then(|value| value.to_str().ok());
    if accepted.is_some_and(|types| types.contains("text/event-stream")) {
        let live = timeline::live(orders.timelines.clone(), &changes, id);
        return Ok(live.into_response());
    }
    Ok(Json(timeline::of(&orders.timelines, &id).await?).into_response())
}
