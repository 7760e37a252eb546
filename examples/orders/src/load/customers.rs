//! Customers: how they place an order, and what they know of it afterwards.

use std::time::Duration;

use hyper::{StatusCode, header::HeaderName};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use stele_toolkit_envelope::{Ids as _, SystemIds, Timestamp};
use tokio::time::{Instant, sleep, timeout};

use super::kinds::{self, ABANDONED, Kind};
use crate::{
    dice::Dice,
    http::{HttpClient, NoAnswer},
    messages::Item,
    money::Cents,
    order::{Accepted, NewOrder},
    process::Failed,
};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// How long a customer waits before the order is sent again.
const AGAIN_AFTER: Duration = Duration::from_millis(100);

/// How often it is sent again.
const TRIES_MAX: u32 = 600;

/// How long those who go away have waited, at most.
const IMPATIENT_MS: u64 = 10;

/// Customers. Clones are the same.
#[derive(Clone, Debug)]
pub(super) struct Customers {
    pub(super) http: HttpClient,
    pub(super) url: String,
    pub(super) dice: Dice,
    pub(super) seed: u64,
    pub(super) kinds: &'static [Kind],
}

/// An order that is to be placed.
#[derive(Clone, Debug)]
pub(super) struct ToPlace {
    key: String,
    trace: String,
    kind: Kind,
    quantity: i64,
    price: i64,
    /// For how long an answer is waited for, if not until it comes.
    leaves_after: Option<Duration>,
}

/// An order that was sent.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Placed {
    /// The `Idempotency-Key`.
    pub(super) key: String,
    pub(super) kind: String,
    pub(super) sku: String,
    pub(super) quantity: i64,
    /// In cents.
    pub(super) total: i64,
    pub(super) customer_name: String,
    /// `None` if no answer came: the order may exist all the same.
    pub(super) order_id: Option<String>,
    /// When it was sent first.
    pub(super) sent_at: Timestamp,
    /// How long it took until the answer.
    pub(super) accepted_ms: u64,
    /// How often it was sent.
    pub(super) tries: u32,
}

#[derive(Debug, Deserialize)]
struct DayReport {
    status: String,
    orders: i64,
}

impl Customers {
    /// The order of this number.
    pub(super) fn order(&self, number: u64) -> ToPlace {
        let dice = &self.dice;
        let kind = kinds::roll(dice, self.kinds);
        let leaves = kind.name == ABANDONED;
        let signed = |number| i64::try_from(number).unwrap_or_default();
        ToPlace {
            key: format!("load-{}-{number}", self.seed),
            trace: format!(
                "00-{:016x}{:016x}-{:016x}-01",
                dice.number(),
                dice.number(),
                dice.number() | 1
            ),
            kind,
            quantity: signed(1 + dice.below(3)),
            price: signed(100 + dice.below(10_000)),
            leaves_after: leaves.then(|| Duration::from_millis(dice.below(IMPATIENT_MS))),
        }
    }

    /// Places an order, again until it is accepted.
    pub(super) async fn place(&self, order: ToPlace) -> Result<Placed, Failed> {
        let customer_name = format!("Ada {}", order.key);
        let body = NewOrder {
            customer_id: format!("cust-{}", order.key),
            customer_name: customer_name.clone(),
            email: "ada@shop.example".to_owned(),
            items: vec![Item {
                sku: order.kind.sku.to_owned(),
                quantity: order.quantity,
                price: Cents(order.price),
            }],
            card: order.kind.card.to_owned(),
        };
        let mut placed = Placed {
            key: order.key.clone(),
            kind: order.kind.name.to_owned(),
            sku: order.kind.sku.to_owned(),
            quantity: order.quantity,
            total: order.quantity * order.price,
            customer_name,
            order_id: None,
            sent_at: SystemIds.now(),
            accepted_ms: 0,
            tries: 0,
        };
        let begun = Instant::now();
        while placed.tries < TRIES_MAX {
            placed.tries += 1;
            let sending = self.send(&order, &body);
            let answer = match order.leaves_after {
                Some(patience) => match timeout(patience, sending).await {
                    Ok(answer) => answer,
                    Err(_) => return Ok(placed),
                },
                None => sending.await,
            };
            match answer {
                Ok(Some(accepted)) => {
                    placed.order_id = Some(accepted.order_id);
                    let time = begun.elapsed().as_millis();
                    placed.accepted_ms = u64::try_from(time).unwrap_or(u64::MAX);
                    return Ok(placed);
                }
                Ok(None) | Err(_) if order.leaves_after.is_some() => return Ok(placed),
                Ok(None) => {}
                Err(error) => tracing::debug!(%error, "sent again"),
            }
            sleep(AGAIN_AFTER).await;
        }
        Err(format!("{} wasn't accepted", order.key).into())
    }

    /// Sends an order; `None` if the shop can't take it now.
    async fn send(&self, order: &ToPlace, body: &NewOrder) -> Result<Option<Accepted>, NoAnswer> {
        let headers = [
            (IDEMPOTENCY_KEY, order.key.as_str()),
            (TRACEPARENT, order.trace.as_str()),
        ];
        let url = format!("{}/orders", self.url);
        let answer = self.http.post(&url, &headers, body).await?;
        Ok(match answer.status {
            StatusCode::ACCEPTED => answer.json().ok(),
            status => {
                tracing::debug!(%status, "{}", answer.text());
                None
            }
        })
    }

    /// How many orders haven't come to an end yet, of this many at least.
    pub(super) async fn open(&self, accepted: usize) -> Result<i64, Failed> {
        let answer = self
            .http
            .get(&format!("{}/reports/daily", self.url))
            .await?;
        let report: Vec<DayReport> = answer.json()?;
        let orders = |is_wanted: fn(&str) -> bool| {
            let wanted = report.iter().filter(|line| is_wanted(&line.status));
            wanted.map(|line| line.orders).sum::<i64>()
        };
        let ended = orders(|status| status != "created");
        let unseen = i64::try_from(accepted).unwrap_or(i64::MAX) - ended;
        Ok(orders(|status| status == "created").max(unseen).max(0))
    }

    /// The type and time of each event of an order. The service may be killed while it is asked.
    pub(super) async fn history(&self, id: &str) -> Result<Vec<(String, Timestamp)>, Failed> {
        let url = format!("{}/orders/{id}/history", self.url);
        let mut tries = 1;
        let events: Vec<Value> = loop {
            match self.http.get(&url).await {
                Ok(answer) if answer.status.is_success() => break answer.json()?,
                Ok(answer) if tries == TRIES_MAX => return Err(answer.text().into()),
                Err(error) if tries == TRIES_MAX => return Err(error.into()),
                _ => sleep(AGAIN_AFTER).await,
            }
            tries += 1;
        };
        let read = |event: &Value| {
            let message_type = event["type"].as_str().unwrap_or_default().to_owned();
            Ok((message_type, serde_json::from_value(event["at"].clone())?))
        };
        events.iter().map(read).collect()
    }
}
