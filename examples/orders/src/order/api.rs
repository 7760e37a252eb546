//! The HTTP interface.
//!
//! | | |
//! |---|---|
//! | `POST /orders` | places an order: 202, `Location`, and the position behind it |
//! | `GET /orders/{id}` | the order as it is; with `?at=TIME` or `?version=N` as it was |
//! | `GET /orders?customer=&status=&q=` | searches; `&after=POSITION` waits for it to be seen |
//! | `GET /orders/{id}/history` | who changed it, when and why |
//! | `GET /orders/{id}/timeline` | what all services told, also as they tell it |
//! | `GET /reports/daily` | orders and totals by day and status |
//! | `POST /accounts/{id}` | opens an account |
//! | `POST /accounts/{id}/deposit`, `…/withdraw` | moves money |
//! | `GET /accounts/{id}` | the balance, also with `?at=` and `?version=` |
//!
//! Errors are `application/problem+json`.

mod accounts;
mod history;
mod place;
mod show;

use axum::{
    Router,
    http::HeaderMap,
    routing::{get, post},
};
use serde::Deserialize;
use stele_toolkit_envelope::{Context, Timestamp, Trace};
use stele_toolkit_es::{AppendError, LoadError, ReadError, Until};

use super::{
    orders::{ActionError, Orders},
    timeline::Changes,
};
use crate::{problem::Problem, topology::ORDER};

pub use place::{Accepted, NewOrder};
pub use show::View;

pub(super) fn router(orders: Orders, changes: Changes) -> Router {
    let timeline = get(history::timeline).with_state((orders.clone(), changes));
    Router::new()
        .route("/orders", post(place::place).get(show::search))
        .route("/orders/{id}", get(show::show))
        .route("/orders/{id}/history", get(history::history))
        .route("/orders/{id}/timeline", timeline)
        .route("/reports/daily", get(show::by_day))
        .route("/accounts/{id}", post(accounts::open).get(accounts::show))
        .route("/accounts/{id}/deposit", post(accounts::deposit))
        .route("/accounts/{id}/withdraw", post(accounts::withdraw))
        .with_state(orders)
}

/// A moment in the past.
#[derive(Clone, Debug, Default, Deserialize)]
struct Moment {
    at: Option<Timestamp>,
    version: Option<u64>,
}

impl Moment {
    fn until(&self) -> Result<Until, Problem> {
        match (self.at, self.version) {
            (None, None) => Ok(Until::Latest),
            (Some(at), None) => Ok(Until::Time(at)),
            (None, Some(version)) => Ok(Until::Version(version)),
            (Some(_), Some(_)) => Err(Problem::malformed("`at` and `version` exclude each other")),
        }
    }
}

/// Who sends the request, and the trace that it belongs to: `X-User-Id`, `traceparent`,
/// `tracestate`.
fn context(headers: &HeaderMap) -> Context {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let trace = Trace::of(None, text("traceparent"), text("tracestate"));
    let context = Context::new(ORDER).with_trace(trace);
    match text("x-user-id") {
        Some(user) => context.with_user_id(user),
        None => context,
    }
}

impl From<ActionError> for Problem {
    fn from(error: ActionError) -> Self {
        match error {
            ActionError::Refused { .. } => Self::conflict(error),
            ActionError::Busy(_) => Self::unavailable(error),
            ActionError::Sql(error) => error.into(),
            ActionError::Load(error) => error.into(),
            ActionError::Append(AppendError::Store(error)) => Self::unavailable(error),
            ActionError::Append(_) | ActionError::Encode(_) => Self::fault(error),
        }
    }
}

impl From<LoadError> for Problem {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::Id(error) => Self::not_found(error),
            LoadError::Read(ReadError::Store(error)) => Self::unavailable(error),
            other => Self::fault(other),
        }
    }
}

#[cfg(test)]
mod tests;
