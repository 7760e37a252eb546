//! The dead letters of a process's services, over HTTP.
//!
//! | | |
//! |---|---|
//! | `GET /dead` | all of them, the oldest first |
//! | `POST /dead/{id}/retry` | has one handled again, as if for the first time |

use axum::{
    Json, Router,
    extract::{Path, State, rejection::JsonRejection},
    routing::{get, post},
};
use serde::{Deserialize, Serialize};
use stele_toolkit_bus::{DeadLetter, DeadLetters as _, Filter, LettersError};
use stele_toolkit_envelope::{Envelope, Timestamp};
use stele_toolkit_sql::{Db, SqlLetters};

use crate::{activity::order_of, problem::Problem};

/// A dead letter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Letter {
    /// Its id.
    pub id: String,
    /// The service that couldn't handle the message.
    pub service: String,
    /// The message.
    pub message_id: String,
    /// Its type, or nothing if it can't be read.
    pub message_type: String,
    /// The order that it is about, or nothing.
    pub order_id: String,
    /// Why, as a word: `error`.
    pub reason: String,
    /// Why, for people.
    pub error: String,
    /// How often it was tried.
    pub attempts: u32,
    /// When it was tried last.
    pub last_failed_at: Timestamp,
    /// The message, as it came.
    pub body: String,
}

/// The body of a request that has nothing to say. It has to be JSON all the same: that keeps pages
/// of other origins from sending it.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// How many letters are handled again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retried {
    /// The number.
    pub retried: usize,
}

/// The interface to the letters in a process's databases.
pub fn router(databases: Vec<Db>) -> Router {
    Router::new()
        .route("/dead", get(list))
        .route("/dead/{id}/retry", post(retry))
        .with_state(databases)
}

async fn list(State(databases): State<Vec<Db>>) -> Result<Json<Vec<Letter>>, Problem> {
    Ok(Json(all(&databases).await?))
}

/// All letters in databases, the oldest of each service first.
pub async fn all(databases: &[Db]) -> Result<Vec<Letter>, Problem> {
    let mut all = Vec::new();
    for (service, letters) in trays(databases).await? {
        let letters = letters.list(&Filter::default()).await?;
        all.extend(letters.into_iter().map(|letter| of(&service, letter)));
    }
    Ok(all)
}

fn of(service: &str, letter: DeadLetter) -> Letter {
    let envelope = Envelope::decode(&letter.body, letter.body.len()).ok();
    let order_id = envelope.as_ref().and_then(order_of);
    Letter {
        id: letter.id,
        service: service.to_owned(),
        message_id: letter.message_id,
        message_type: envelope.map(|it| it.message_type).unwrap_or_default(),
        order_id: order_id.unwrap_or(letter.key),
        reason: letter.story.reason,
        error: letter.story.error,
        attempts: letter.story.attempts,
        last_failed_at: letter.story.last_failed_at,
        body: String::from_utf8_lossy(&letter.body).into_owned(),
    }
}

async fn retry(
    State(databases): State<Vec<Db>>,
    Path(id): Path<String>,
    nothing: Result<Json<Nothing>, JsonRejection>,
) -> Result<Json<Retried>, Problem> {
    let Json(Nothing {}) = nothing?;
    Ok(Json(retry_one(&databases, &id).await?))
}

/// Has a letter handled again.
pub async fn retry_one(databases: &[Db], id: &str) -> Result<Retried, Problem> {
    for (_, letters) in trays(databases).await? {
        let retried = letters.retry(&Filter::of_id(id)).await?;
        if retried > 0 {
            return Ok(Retried { retried });
        }
    }
    Err(Problem::not_found(format!("there is no dead letter {id}")))
}

/// The letters of each service that has some, with its name.
async fn trays(databases: &[Db]) -> Result<Vec<(String, SqlLetters)>, Problem> {
    let mut trays = Vec::new();
    for db in databases {
        for service in db.services_with_dead_letters().await? {
            let letters = db.dead_letters(&service);
            trays.push((service, letters));
        }
    }
    Ok(trays)
}

impl From<LettersError> for Problem {
    fn from(error: LettersError) -> Self {
        match error {
            LettersError::NoSuchLetter { .. } => Self::not_found(error),
            LettersError::Transport(_) | LettersError::Store(_) => Self::unavailable(error),
        }
    }
}
