//! A payment provider, as another company would run it: HTTP, and a ledger.
//!
//! | | |
//! |---|---|
//! | `POST /charges` | charges a card; `Idempotency-Key` is required, and one key is charged once |
//! | `GET /charges?key=` | what became of a key |
//! | `POST /refunds` | pays a key back; one that isn't known is refused from now on |
//! | `GET /ledger` | all keys |
//!
//! What a card does is in [`cards`].

pub mod cards;
mod ledger;

use std::time::Duration;

use axum::{
    Json, Router,
    extract::{Query, State},
    http::{HeaderMap, StatusCode},
    routing::{get, post},
};
use serde::{Deserialize, Serialize};
use stele_toolkit_bus::asked_to_end;
use stele_toolkit_sql::Db;

use crate::{
    http::HttpClient,
    money::Cents,
    problem::Problem,
    process::{self, Failed},
    settings::HttpSettings,
};

use cards::Behaviour;
pub use ledger::Charge;
use ledger::Ledger;

/// How long the provider waits for an answer to what it tells by itself.
const CALLBACK_TIMEOUT: Duration = Duration::from_secs(2);

/// What the provider is told.
#[derive(clap::Args, Clone, Debug)]
pub struct ProviderSettings {
    #[command(flatten)]
    pub http: HttpSettings,

    /// Where the ledger is: `sqlite:FILE`
    #[arg(long)]
    pub db: String,
}

#[derive(Clone, Debug)]
struct Bank {
    ledger: Ledger,
    http: HttpClient,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ChargeRequest {
    order_id: String,
    amount: Cents,
    card: String,
    callback: Option<String>,
}

#[derive(Debug, Deserialize, Serialize)]
struct Key {
    key: String,
}

/// Runs the provider until the process is asked to end.
pub async fn serve(settings: ProviderSettings) -> Result<(), Failed> {
    let bank = Bank {
        ledger: Ledger::open(Db::open(&settings.db).await?).await?,
        http: HttpClient::new(CALLBACK_TIMEOUT),
    };
    let router = Router::new()
        .route("/charges", post(charge).get(charged))
        .route("/refunds", post(refund))
        .route("/ledger", get(all))
        .with_state(bank);
    let asked = asked_to_end()?;
    tokio::select! {
        () = asked => Ok(()),
        ended = process::serve(settings.http, router) => ended,
    }
}

async fn charge(
    State(bank): State<Bank>,
    headers: HeaderMap,
    Json(request): Json<ChargeRequest>,
) -> Result<(StatusCode, Json<Charge>), Problem> {
    let key = headers.get("idempotency-key");
    let key = key.and_then(|key| key.to_str().ok());
    let key = key.ok_or_else(|| Problem::malformed("`Idempotency-Key` is missing"))?;
    if request.amount.0 <= 0 {
        return Err(Problem::invalid("the amount isn't positive"));
    }
    if let Some(known) = bank.ledger.known(key).await? {
        return Ok(answer(known));
    }
    let behaviour = cards::behaviour(&request.card);
    let mut pause = Duration::ZERO;
    match behaviour {
        Behaviour::Approve | Behaviour::Hang | Behaviour::AnswerTwice => {}
        Behaviour::Decline => {
            let reason = "the card was declined";
            return Ok(answer(bank.ledger.decline(key, &request, reason).await?));
        }
        Behaviour::FailTwice => {
            if bank.ledger.count_try(key).await? <= 2 {
                return Err(Problem::unavailable("the card's bank doesn't answer"));
            }
        }
        Behaviour::Slow => pause = cards::slowness(key),
    }
    let callback = request.callback.clone();
    // It goes on if whoever asked for it goes away.
    let capturing = tokio::spawn(capture(bank.ledger.clone(), key.to_owned(), request, pause));
    let charge = capturing.await.map_err(Problem::fault)??;
    match behaviour {
        // The money is taken, and nobody is told.
        Behaviour::Hang => std::future::pending().await,
        Behaviour::AnswerTwice => tell(&bank, key, callback).await,
        _ => {}
    }
    Ok(answer(charge))
}

async fn capture(
    ledger: Ledger,
    key: String,
    request: ChargeRequest,
    pause: Duration,
) -> Result<Charge, stele_toolkit_sql::Error> {
    tokio::time::sleep(pause).await;
    ledger.capture(&key, &request).await
}

/// Tells the result by itself, before the charge is answered: whoever asked hears of it twice, and
/// each time of the same.
async fn tell(bank: &Bank, key: &str, callback: Option<String>) {
    let Some(url) = callback else { return };
    let key = key.to_owned();
    if let Err(error) = bank.http.post(&url, &[], &Key { key }).await {
        tracing::warn!(%error, "can't tell a result");
    }
}

fn answer(charge: Charge) -> (StatusCode, Json<Charge>) {
    let status = match charge.state.as_str() {
        "captured" => StatusCode::CREATED,
        "declined" => StatusCode::PAYMENT_REQUIRED,
        _ => StatusCode::CONFLICT,
    };
    (status, Json(charge))
}

async fn charged(
    State(bank): State<Bank>,
    Query(Key { key }): Query<Key>,
) -> Result<Json<Charge>, Problem> {
    let known = bank.ledger.known(&key).await?;
    known.map(Json).ok_or_else(|| Problem::not_found(key))
}

async fn refund(
    State(bank): State<Bank>,
    Json(Key { key }): Json<Key>,
) -> Result<Json<Charge>, Problem> {
    Ok(Json(bank.ledger.refund(&key).await?))
}

async fn all(State(bank): State<Bank>) -> Result<Json<Vec<Charge>>, Problem> {
    Ok(Json(bank.ledger.all().await?))
}
