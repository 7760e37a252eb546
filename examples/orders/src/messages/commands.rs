//! What the orchestrator asks of the other services.

use serde::{Deserialize, Serialize};
use stele_toolkit_envelope::Message;

use super::{Item, MailKind};
use crate::money::Cents;

/// Everything that an order needs is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Message)]
#[serde(rename_all = "camelCase")]
#[message(version = "1.0", topic = "order.commands", key = order_id)]
pub struct ConfirmOrder {
    /// The order.
    pub order_id: String,
}

/// Give an order up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Message)]
#[serde(rename_all = "camelCase")]
#[message(version = "1.0", topic = "order.commands", key = order_id)]
pub struct CancelOrder {
    /// The order.
    pub order_id: String,
    /// Why, for people.
    pub reason: String,
}

/// Set aside everything that an order needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Message)]
#[serde(rename_all = "camelCase")]
#[message(version = "1.0", topic = "inventory.commands", key = order_id)]
pub struct ReserveInventory {
    /// The order.
    pub order_id: String,
    /// What it needs.
    pub items: Vec<Item>,
}

/// Free what was set aside, and set nothing aside later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Message)]
#[serde(rename_all = "camelCase")]
#[message(version = "1.0", topic = "inventory.commands", key = order_id)]
pub struct ReleaseInventory {
    /// The order.
    pub order_id: String,
}

/// Charge an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Message)]
#[serde(rename_all = "camelCase")]
#[message(version = "1.0", topic = "payment.commands", key = order_id)]
pub struct ChargePayment {
    /// The order.
    pub order_id: String,
    /// The amount, in cents.
    pub amount: Cents,
    /// The card.
    pub card: String,
}

/// Pay an order back, and charge nothing later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Message)]
#[serde(rename_all = "camelCase")]
#[message(version = "1.0", topic = "payment.commands", key = order_id)]
pub struct RefundPayment {
    /// The order.
    pub order_id: String,
}

/// Plan an order's shipment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Message)]
#[serde(rename_all = "camelCase")]
#[message(version = "1.0", topic = "shipping.commands", key = order_id)]
pub struct ScheduleShipping {
    /// The order.
    pub order_id: String,
    /// The customer's name.
    pub customer_name: String,
    /// Where mails go.
    pub email: String,
}

/// Send a mail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Message)]
#[serde(rename_all = "camelCase")]
#[message(version = "1.0", topic = "notification.commands", key = order_id)]
pub struct SendEmail {
    /// The order.
    pub order_id: String,
    /// Which mail.
    pub kind: MailKind,
    /// The customer's name.
    pub customer_name: String,
    /// Where it goes.
    pub email: String,
}
