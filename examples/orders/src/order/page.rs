//! The page for people who look, and what its buttons need besides the interface for orders.
//!
//! | | |
//! |---|---|
//! | `GET /` | the page; its parts are below `/page/` |
//! | `GET /shop/dead` | the dead letters of all services |
//! | `POST /shop/dead/{process}/{id}/retry` | has one handled again |
//! | `GET /shop/printer`, `PUT /shop/printer` | the label printer of the shipping service |
//! | `POST /orders/{id}/repeat` | sends the order's first event a second time |
//!
//! The page's files are in `examples/orders/page`, as they are served.

mod files;

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{Path, State, rejection::JsonRejection},
    http::StatusCode,
    routing::{get, post},
};
use serde::{Deserialize, Serialize};
use stele_toolkit_bus::Transport;
use stele_toolkit_envelope::Message as _;
use stele_toolkit_sql::Db;

use super::{
    orders::Orders,
    peers::{OWN, Peers},
};
use crate::{
    letters::{self, Letter, Nothing, Retried},
    messages::OrderCreated,
    problem::Problem,
    sending::to_topic,
    shipping::Paper,
};

/// What the page's requests need.
#[derive(Clone, Debug)]
pub(super) struct Page {
    pub(super) orders: Orders,
    pub(super) transport: Arc<dyn Transport>,
    pub(super) peers: Arc<Peers>,
}

impl Page {
    /// The databases of this process's services.
    fn databases(&self) -> [Db; 2] {
        [self.orders.db().clone(), self.orders.timelines.clone()]
    }
}

/// The dead letters of a process.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Tray {
    process: String,
    /// The letters; `None` if the process doesn't answer.
    letters: Option<Vec<Letter>>,
}

pub(super) fn router(page: Page) -> Router {
    Router::new()
        .route("/shop/dead", get(dead))
        .route("/shop/dead/{process}/{id}/retry", post(retry))
        .route("/shop/printer", get(printer).put(set_printer))
        .route("/orders/{id}/repeat", post(repeat))
        .with_state(page)
        .merge(files::router())
}

async fn dead(State(page): State<Page>) -> Result<Json<Vec<Tray>>, Problem> {
    let mut trays = vec![Tray {
        process: OWN.to_owned(),
        letters: Some(letters::all(&page.databases()).await?),
    }];
    for name in page.peers.names() {
        trays.push(Tray {
            process: name.to_owned(),
            letters: page.peers.get(name, "/dead").await.ok(),
        });
    }
    Ok(Json(trays))
}

async fn retry(
    State(page): State<Page>,
    Path((process, id)): Path<(String, String)>,
    nothing: Result<Json<Nothing>, JsonRejection>,
) -> Result<Json<Retried>, Problem> {
    let Json(nothing) = nothing?;
    if process == OWN {
        return Ok(Json(letters::retry_one(&page.databases(), &id).await?));
    }
    let path = format!("/dead/{id}/retry");
    Ok(Json(page.peers.post(&process, &path, &nothing).await?))
}

/// The service that has the label printer.
const SHIPPING: &str = "shipping";

async fn printer(State(page): State<Page>) -> Result<Json<Paper>, Problem> {
    Ok(Json(page.peers.get(SHIPPING, "/printer").await?))
}

async fn set_printer(
    State(page): State<Page>,
    paper: Result<Json<Paper>, JsonRejection>,
) -> Result<Json<Paper>, Problem> {
    let Json(paper) = paper?;
    Ok(Json(page.peers.put(SHIPPING, "/printer", &paper).await?))
}

/// What a sender does that ended after it had sent an event, and before it had noted that: it sends
/// the same message again.
async fn repeat(
    State(page): State<Page>,
    Path(id): Path<String>,
    nothing: Result<Json<Nothing>, JsonRejection>,
) -> Result<StatusCode, Problem> {
    let Json(Nothing {}) = nothing?;
    let first = page.orders.orders.history(&id, 0, 1).await?.pop();
    let created = first.ok_or_else(|| Problem::not_found(&id))?.event;
    let message = to_topic(&created, OrderCreated::TOPIC, id);
    for sent in page.transport.publish(&[message]).await {
        sent.map_err(Problem::unavailable)?;
    }
    Ok(StatusCode::NO_CONTENT)
}
