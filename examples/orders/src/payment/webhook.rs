//! Where the provider tells results by itself.

use std::sync::Arc;

use axum::{Json, extract::State, http::StatusCode};
use serde::Deserialize;

use super::charging::{self, Charging};
use crate::{calls::Calls, problem::Problem};

/// What the webhook needs.
#[derive(Clone, Debug)]
pub(super) struct Hooks {
    pub(super) calls: Calls,
    pub(super) charging: Arc<Charging>,
}

/// What the provider tells.
#[derive(Debug, Deserialize)]
pub(super) struct Told {
    key: String,
}

/// Takes a result. It says only that there is one: what it is, the provider is asked for, since
/// anybody can send this request.
pub(super) async fn charge(
    State(hooks): State<Hooks>,
    Json(told): Json<Told>,
) -> Result<StatusCode, Problem> {
    let charged = hooks.charging.provider.charged(&told.key).await;
    let charged = charged.map_err(Problem::unavailable)?;
    let charged = charged.ok_or_else(|| Problem::not_found(&told.key))?;
    if let Some(outcome) = charging::of(charged) {
        let id = charging::charge_id(&told.key);
        let settled = hooks.calls.settle(&*hooks.charging, &id, outcome).await;
        settled.map_err(Problem::fault)?;
    }
    Ok(StatusCode::NO_CONTENT)
}
