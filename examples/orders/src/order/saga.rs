//! Orchestration: a saga leads each order through its steps.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use stele_toolkit_bus::{Policy, Service};
use stele_toolkit_saga::{Plan, Saga, Sagas, WithSagas as _};

use crate::{
    messages::{
        CancelOrder, ChargePayment, ConfirmOrder, ConfirmationSent, InventoryRejected,
        InventoryReleased, InventoryReserved, MailKind, OrderCancelled, OrderConfirmed,
        OrderCreated, PaymentFailed, PaymentProcessed, PaymentRefunded, RefundPayment,
        ReleaseInventory, ReserveInventory, ScheduleShipping, SendEmail, ShippingScheduled,
    },
    topology::SAGA,
};

/// How long a payment may take before its outcome counts as unknown, and is undone.
const PAYMENT_TIMEOUT: Duration = Duration::from_secs(30);

/// An order on its way: reserve, charge, confirm, ship, tell. If it fails: refund, release, cancel.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct PlaceOrder {
    order: OrderCreated,
    /// Why it is given up.
    reason: Option<String>,
}

impl Saga for PlaceOrder {
    const NAME: &'static str = "place-order";
    const VERSION: u32 = 1;
    type Start = OrderCreated;

    fn begin(order: &OrderCreated) -> Self {
        let (order, reason) = (order.clone(), None);
        Self { order, reason }
    }

    fn plan(plan: &mut Plan<Self>) {
        plan.step("place")
            .undo(Self::cancel)
            .undone::<OrderCancelled>();
        plan.step("reserve")
            .send(Self::reserve)
            .ok::<InventoryReserved>()
            .fail_with(|saga, rejected: InventoryRejected| saga.reason = Some(rejected.reason))
            .undo(Self::release)
            .undone::<InventoryReleased>();
        plan.step("charge")
            .send(Self::charge)
            .ok::<PaymentProcessed>()
            .fail_with(|saga, failed: PaymentFailed| saga.reason = Some(failed.reason))
            .timeout(PAYMENT_TIMEOUT)
            .undo(Self::refund)
            .undone::<PaymentRefunded>()
            .pivot();
        plan.step("confirm")
            .send(Self::confirm)
            .ok::<OrderConfirmed>()
            .forward();
        plan.step("ship")
            .send(Self::ship)
            .ok::<ShippingScheduled>()
            .forward();
        plan.step("notify")
            .send(Self::notify)
            .ok::<ConfirmationSent>()
            .forward();
    }
}

impl PlaceOrder {
    fn order_id(&self) -> String {
        self.order.order_id.clone()
    }

    fn reserve(&self) -> ReserveInventory {
        ReserveInventory {
            order_id: self.order_id(),
            items: self.order.items.clone(),
        }
    }

    fn release(&self) -> ReleaseInventory {
        let order_id = self.order_id();
        ReleaseInventory { order_id }
    }

    fn charge(&self) -> ChargePayment {
        ChargePayment {
            order_id: self.order_id(),
            amount: self.order.total,
            card: self.order.card.clone(),
        }
    }

    fn refund(&self) -> RefundPayment {
        let order_id = self.order_id();
        RefundPayment { order_id }
    }

    fn ship(&self) -> ScheduleShipping {
        ScheduleShipping {
            order_id: self.order_id(),
            customer_name: self.order.customer_name.clone(),
            email: self.order.email.clone(),
        }
    }

    fn notify(&self) -> SendEmail {
        SendEmail {
            order_id: self.order_id(),
            kind: MailKind::Confirmed,
            customer_name: self.order.customer_name.clone(),
            email: self.order.email.clone(),
        }
    }

    fn confirm(&self) -> ConfirmOrder {
        let order_id = self.order_id();
        ConfirmOrder { order_id }
    }

    fn cancel(&self) -> CancelOrder {
        let reason = self.reason.as_deref();
        CancelOrder {
            order_id: self.order_id(),
            reason: reason.unwrap_or("the payment took too long").to_owned(),
        }
    }
}

/// The service that runs it.
pub(super) fn service() -> Service {
    Service::new(SAGA)
        .policy(Policy::attempts(5))
        .sagas(Sagas::new().with::<PlaceOrder>())
}
