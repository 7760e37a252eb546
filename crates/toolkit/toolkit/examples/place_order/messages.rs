//! What is said about an order.

use serde::{Deserialize, Serialize};
use stele_toolkit::Message;

macro_rules! messages {
    ($($name:ident $topic:literal)*) => {$(
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Message)]
        #[serde(rename_all = "camelCase")]
        #[message(version = "1.0", topic = $topic, key = order_id)]
        pub(crate) struct $name {
            pub(crate) order_id: String,
            pub(crate) total_cents: i64,
        }

        impl $name {
            pub(crate) fn of(order_id: &str, total_cents: i64) -> Self {
                let order_id = order_id.to_owned();
                Self { order_id, total_cents }
            }
        }
    )*};
}

messages! {
    OrderCreated "order.created"
    OrderConfirmed "order.updated"
    CancelOrder "order.updated"
    ReserveInventory "inventory.commands"
    ReleaseInventory "inventory.commands"
    InventoryReserved "inventory.reserved"
    InventoryRejected "inventory.rejected"
    ProcessPayment "payment.commands"
    RefundPayment "payment.commands"
    PaymentProcessed "payment.processed"
    PaymentFailed "payment.failed"
}
