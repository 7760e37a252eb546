//! What happens to the stock.

use serde::{Deserialize, Serialize};
use stele_toolkit_envelope::Message;

/// A part of an order, and what is left of its article.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reserved {
    /// The article.
    pub sku: String,
    /// How many.
    pub quantity: i64,
    /// How many pieces nobody has reserved, after this.
    pub free: i64,
}

/// Everything that an order needs is set aside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Message)]
#[serde(rename_all = "camelCase")]
#[message(version = "1.0", topic = "inventory.reserved", key = order_id, alias = "StockReserved")]
pub struct InventoryReserved {
    /// The order.
    pub order_id: String,
    /// What is set aside.
    pub items: Vec<Reserved>,
}

/// Nothing is set aside for an order: something is out of stock, or the order was given up before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Message)]
#[serde(rename_all = "camelCase")]
#[message(version = "1.0", topic = "inventory.rejected", key = order_id)]
pub struct InventoryRejected {
    /// The order.
    pub order_id: String,
    /// Why, for people.
    pub reason: String,
}

/// What was set aside for an order is free again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Message)]
#[serde(rename_all = "camelCase")]
#[message(version = "1.0", topic = "inventory.released", key = order_id)]
pub struct InventoryReleased {
    /// The order.
    pub order_id: String,
    /// What is free again; nothing if nothing was set aside.
    pub items: Vec<Reserved>,
}
