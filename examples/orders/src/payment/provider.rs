//! The provider's interface, as the payment service uses it.

use hyper::{StatusCode, header::HeaderName};
use serde::Deserialize;
use serde_json::json;

use super::charging::Order;
use crate::{
    http::{Answer, HttpClient, NoAnswer},
    money::Cents,
};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The provider.
#[derive(Clone, Debug)]
pub(super) struct Provider {
    pub(super) http: HttpClient,
    pub(super) url: String,
    /// The address of this process, if the provider is to tell results.
    pub(super) callback: Option<String>,
}

/// What the provider says about a charge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Charged {
    Captured,
    Declined(String),
    /// It was paid back, or refused before it came.
    Voided,
    /// It failed, and may succeed later.
    NotNow,
}

/// What the provider says about a refund.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refunded {
    /// So much was paid back; from now on the key is refused.
    Done(Cents),
    NotNow(String),
}

#[derive(Debug, Deserialize)]
struct Charge {
    state: String,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    refunded: Cents,
}

impl Provider {
    /// Charges an order. The key is the order's id, so it is charged once.
    pub(super) async fn charge(&self, order: &Order) -> Result<Charged, NoAnswer> {
        let callback = self.callback.as_ref();
        let callback = callback.map(|url| format!("{url}/webhooks/charges"));
        let body = json!({
            "orderId": order.order_id,
            "amount": order.amount,
            "card": order.card,
            "callback": callback,
        });
        let headers = [(IDEMPOTENCY_KEY, order.order_id.as_str())];
        let url = format!("{}/charges", self.url);
        Ok(charged(&self.http.post(&url, &headers, &body).await?))
    }

    /// What the provider has done for a key; `None` if it has never seen it.
    pub(super) async fn charged(&self, order_id: &str) -> Result<Option<Charged>, NoAnswer> {
        let url = format!("{}/charges?key={order_id}", self.url);
        let answer = self.http.get(&url).await?;
        match answer.status {
            StatusCode::NOT_FOUND => Ok(None),
            _ => Ok(Some(charged(&answer))),
        }
    }

    /// Pays an order back, and has it refused from now on.
    pub(super) async fn refund(&self, order_id: &str) -> Result<Refunded, NoAnswer> {
        let body = json!({ "key": order_id });
        let url = format!("{}/refunds", self.url);
        let answer = self.http.post(&url, &[], &body).await?;
        Ok(match answer.json::<Charge>() {
            Ok(charge) if answer.status.is_success() => Refunded::Done(charge.refunded),
            _ => Refunded::NotNow(format!("{}: {}", answer.status, answer.text())),
        })
    }
}

fn charged(answer: &Answer) -> Charged {
    let Ok(charge) = answer.json::<Charge>() else {
        return Charged::NotNow;
    };
    match charge.state.as_str() {
        "captured" => Charged::Captured,
        "declined" => Charged::Declined(charge.reason),
        "refunded" | "voided" => Charged::Voided,
        _ => Charged::NotNow,
    }
}
