//! The calls of the provider, and what comes of them.
//!
//! | failure | what is done |
//! |---|---|
//! | declined | `PaymentFailed`: asking again would get the same answer |
//! | the provider fails (5xx) | again, up to [`ATTEMPTS_MAX`] times, later and later |
//! | no answer in time | nobody knows: the provider is asked by the key what it has done |
//! | still nothing | the provider is told to refuse the key from now on: `PaymentFailed` |

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use stele_toolkit_envelope::Context;
use stele_toolkit_sql::Tx;

use super::{
    provider::{Charged, Provider, Refunded},
    rows::{self, Phase},
};
use crate::{
    calls::{Call, Caller, Made},
    http::NoAnswer,
    messages::{PaymentFailed, PaymentProcessed, PaymentRefunded},
    money::Cents,
    process::Failed,
    sending::publish,
    topology::PAYMENT,
};

/// How often a charge is tried before it is given up. With the pauses between, about 15 seconds.
const ATTEMPTS_MAX: u32 = 8;

/// The reason of a payment that is undone.
pub(super) const GIVEN_UP: &str = "the order was given up before";

const UNAVAILABLE: &str = "the payment provider isn't available";

/// What a charge or a refund is about.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Order {
    pub(super) order_id: String,
    pub(super) amount: Cents,
    pub(super) card: String,
}

/// Makes the calls of the payment service.
#[derive(Debug)]
pub(super) struct Charging {
    pub(super) provider: Provider,
}

/// What came of a call.
#[derive(Clone, Debug)]
pub(super) enum Outcome {
    Processed,
    Failed(String),
    Refunded(Cents),
}

/// A charge's id. The order's id alone is the key at the provider, for charge and refund.
pub(super) fn charge_id(order_id: &str) -> String {
    format!("{order_id}{CHARGE}")
}

pub(super) fn refund_id(order_id: &str) -> String {
    format!("{order_id}/refund")
}

const CHARGE: &str = "/charge";

#[async_trait]
impl Caller for Charging {
    type Outcome = Outcome;

    async fn make(&self, call: &Call) -> Made<Outcome> {
        let order: Order = match call.payload() {
            Ok(order) => order,
            Err(error) => return Made::Again(error.to_string()),
        };
        let made = match call.id.ends_with(CHARGE) {
            true => self.charge(call, &order).await,
            false => self.refund(&order).await,
        };
        made.unwrap_or_else(|no_answer| Made::Again(no_answer.to_string()))
    }

    async fn note(&self, tx: &mut Tx, call: &Call, outcome: Outcome) -> Result<(), Failed> {
        let Order {
            order_id, amount, ..
        } = call.payload()?;
        let context = Context::new(PAYMENT).caused_by(&call.cause);
        match outcome {
            Outcome::Processed => {
                rows::note(tx, &order_id, Phase::Processed, "").await?;
                rows::book(tx, &order_id, amount).await?;
                publish(tx, &context, &PaymentProcessed { order_id, amount }).await
            }
            Outcome::Failed(reason) => {
                rows::note(tx, &order_id, Phase::Failed, &reason).await?;
                publish(tx, &context, &PaymentFailed { order_id, reason }).await
            }
            Outcome::Refunded(amount) => {
                rows::note_refund(tx, &order_id, amount).await?;
                rows::book_back(tx, &order_id).await?;
                publish(tx, &context, &PaymentRefunded { order_id, amount }).await
            }
        }
    }
}

impl Charging {
    async fn charge(&self, call: &Call, order: &Order) -> Result<Made<Outcome>, NoAnswer> {
        // An attempt before this one may have been carried out.
        if call.attempts > 1 {
            let known = self.provider.charged(&order.order_id).await?;
            if let Some(outcome) = known.and_then(of) {
                return Ok(Made::Done(outcome));
            }
        }
        if call.attempts > ATTEMPTS_MAX {
            return self.give_up(order).await;
        }
        let charged = self.provider.charge(order).await?;
        Ok(match of(charged) {
            Some(outcome) => Made::Done(outcome),
            None => Made::Again(UNAVAILABLE.to_owned()),
        })
    }

    /// Makes sure that nothing is charged any more. What was charged is paid back.
    async fn give_up(&self, order: &Order) -> Result<Made<Outcome>, NoAnswer> {
        Ok(match self.provider.refund(&order.order_id).await? {
            Refunded::Done(_) => Made::Done(Outcome::Failed(UNAVAILABLE.to_owned())),
            Refunded::NotNow(reason) => Made::Again(reason),
        })
    }

    async fn refund(&self, order: &Order) -> Result<Made<Outcome>, NoAnswer> {
        Ok(match self.provider.refund(&order.order_id).await? {
            Refunded::Done(amount) => Made::Done(Outcome::Refunded(amount)),
            Refunded::NotNow(reason) => Made::Again(reason),
        })
    }
}

/// The outcome that follows from what the provider says, if any does.
pub(super) fn of(charged: Charged) -> Option<Outcome> {
    match charged {
        Charged::Captured => Some(Outcome::Processed),
        Charged::Declined(reason) => Some(Outcome::Failed(reason)),
        Charged::Voided => Some(Outcome::Failed(GIVEN_UP.to_owned())),
        Charged::NotNow => None,
    }
}
