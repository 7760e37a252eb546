//! Order, inventory, payment, confirmation; or release and cancellation.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use stele_toolkit::{
    Service,
    saga::{Plan, Saga, Sagas, WithSagas as _},
};

use crate::messages::*;

/// The saga's data.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct PlaceOrder {
    order_id: String,
    cents: i64,
}

impl Saga for PlaceOrder {
    const NAME: &'static str = "place-order";
    const VERSION: u32 = 1;
    type Start = OrderCreated;

    fn begin(start: &OrderCreated) -> Self {
        let (order_id, cents) = (start.order_id.clone(), start.total_cents);
        Self { order_id, cents }
    }

    fn plan(plan: &mut Plan<Self>) {
        plan.step("reserve")
            .send(|saga: &Self| ReserveInventory::of(&saga.order_id, saga.cents))
            .ok::<InventoryReserved>()
            .fail::<InventoryRejected>()
            .undo(|saga: &Self| ReleaseInventory::of(&saga.order_id, saga.cents));
        plan.step("pay")
            .send(|saga: &Self| ProcessPayment::of(&saga.order_id, saga.cents))
            .ok::<PaymentProcessed>()
            .fail::<PaymentFailed>()
            .timeout(Duration::from_secs(30))
            .undo(|saga: &Self| RefundPayment::of(&saga.order_id, saga.cents))
            .pivot();
        plan.done(|saga| OrderConfirmed::of(&saga.order_id, saga.cents))
            .undone(|saga| CancelOrder::of(&saga.order_id, saga.cents));
    }
}

/// The service of orders, which has it.
pub(crate) fn orders() -> Service {
    Service::new("orders").sagas(Sagas::new().with::<PlaceOrder>())
}
