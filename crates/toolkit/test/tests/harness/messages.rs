//! An order, its stock, and a handler in between.

use serde::{Deserialize, Serialize};
use stele_toolkit_bus::{Event, Failure, Outbox, memory::MemoryTx};
use stele_toolkit_envelope::Message;

macro_rules! messages {
    ($($name:ident $topic:literal)*) => {$(
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Message)]
        #[message(version = "1.0", topic = $topic, key = order)]
        pub(crate) struct $name {
            pub(crate) order: String,
        }

        impl $name {
            #[allow(dead_code, reason = "tests make most of them")]
            pub(crate) fn of(order: &str) -> Self {
                Self { order: order.to_owned() }
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
    ChargePayment "payment.commands"
    RefundPayment "payment.commands"
    PaymentProcessed "payment.processed"
    PaymentFailed "payment.failed"
}

/// Counts orders, and says that stock is reserved.
pub(crate) async fn reserve(
    Event(order): Event<OrderCreated>,
    mut tx: MemoryTx,
    out: Outbox,
) -> Result<(), Failure> {
    if order.order.is_empty() {
        return Err(Failure::reject("an order without a number"));
    }
    tx.add("orders", 1);
    out.publish(&InventoryReserved::of(&order.order));
    Ok(())
}
