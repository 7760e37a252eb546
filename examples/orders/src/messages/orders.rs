//! What happens to orders.

use serde::{Deserialize, Serialize};
use stele_toolkit_envelope::Message;

use crate::money::Cents;

/// Something that is ordered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Item {
    /// The article.
    pub sku: String,
    /// How many.
    pub quantity: i64,
    /// The price of one, in cents.
    pub price: Cents,
}

/// An order was placed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Message)]
#[serde(rename_all = "camelCase")]
#[message(version = "1.0", topic = "order.created", key = order_id)]
pub struct OrderCreated {
    /// The order.
    pub order_id: String,
    /// Who ordered.
    pub customer_id: String,
    /// The customer's name, for people.
    pub customer_name: String,
    /// Where mails go.
    pub email: String,
    /// What was ordered: at least one item.
    pub items: Vec<Item>,
    /// The sum of all items, in cents.
    pub total: Cents,
    /// The card to charge: one of the provider's test numbers.
    pub card: String,
}

/// An order is reserved and paid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Message)]
#[serde(rename_all = "camelCase")]
#[message(version = "1.0", topic = "order.updated", key = order_id)]
pub struct OrderConfirmed {
    /// The order.
    pub order_id: String,
    /// Who ordered.
    pub customer_id: String,
    /// The customer's name.
    pub customer_name: String,
    /// Where mails go.
    pub email: String,
    /// What was paid, in cents.
    pub total: Cents,
}

/// An order won't be delivered. What was done for it is undone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Message)]
#[serde(rename_all = "camelCase")]
#[message(version = "1.0", topic = "order.updated", key = order_id)]
pub struct OrderCancelled {
    /// The order.
    pub order_id: String,
    /// Who ordered.
    pub customer_id: String,
    /// The customer's name.
    pub customer_name: String,
    /// Where mails go.
    pub email: String,
    /// Why, for people.
    pub reason: String,
}

impl OrderConfirmed {
    /// Of this order.
    pub fn of(order: &OrderCreated) -> Self {
        Self {
            order_id: order.order_id.clone(),
            customer_id: order.customer_id.clone(),
            customer_name: order.customer_name.clone(),
            email: order.email.clone(),
            total: order.total,
        }
    }
}

impl OrderCancelled {
    /// Of this order, for this reason.
    pub fn of(order: &OrderCreated, reason: impl Into<String>) -> Self {
        Self {
            order_id: order.order_id.clone(),
            customer_id: order.customer_id.clone(),
            customer_name: order.customer_name.clone(),
            email: order.email.clone(),
            reason: reason.into(),
        }
    }
}
