//! What happens to payments.

use serde::{Deserialize, Serialize};
use stele_toolkit_envelope::Message;

use crate::money::Cents;

/// An order is paid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Message)]
#[serde(rename_all = "camelCase")]
#[message(version = "1.0", topic = "payment.processed", key = order_id, alias = "PaymentCompleted")]
pub struct PaymentProcessed {
    /// The order.
    pub order_id: String,
    /// What was paid, in cents.
    pub amount: Cents,
}

/// An order isn't paid, and won't be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Message)]
#[serde(rename_all = "camelCase")]
#[message(version = "1.0", topic = "payment.failed", key = order_id)]
pub struct PaymentFailed {
    /// The order.
    pub order_id: String,
    /// Why, for people.
    pub reason: String,
}

/// An order's payment is undone. If it comes after all, it is refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Message)]
#[serde(rename_all = "camelCase")]
#[message(version = "1.0", topic = "payment.refunded", key = order_id)]
pub struct PaymentRefunded {
    /// The order.
    pub order_id: String,
    /// What was paid back, in cents; 0 if nothing had been paid.
    pub amount: Cents,
}
