//! A process that kills itself at a named point, once somebody has asked for it.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use axum::{
    Router,
    extract::{Path, State},
    http::StatusCode,
    routing::post,
};
use rustix::process::{Signal, getpid, kill_process};
use stele_toolkit_sql::{Failpoint, Point};

use crate::problem::Problem;

/// The point at which the process is to end, if there is one. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Death(Arc<Mutex<Option<Point>>>);

impl Death {
    /// `POST /die/POINT`: the process kills itself when it comes to the point, as by `kill -9`.
    pub(crate) fn router(&self) -> Router {
        Router::new()
            .route("/die/{point}", post(die))
            .with_state(self.clone())
    }
}

async fn die(State(death): State<Death>, Path(point): Path<String>) -> Result<StatusCode, Problem> {
    let known = Point::of_name(&point).ok_or_else(|| Problem::not_found(&point))?;
    let mut at = death.0.lock().unwrap_or_else(PoisonError::into_inner);
    *at = Some(known);
    Ok(StatusCode::NO_CONTENT)
}

#[async_trait]
impl Failpoint for Death {
    async fn reach(&self, point: Point) {
        let at = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if at == Some(point) {
            tracing::warn!(point = point.name(), "dies here, as it was asked to");
            if let Err(error) = kill_process(getpid(), Signal::KILL) {
                tracing::error!(%error, "can't die");
            }
        }
    }
}
