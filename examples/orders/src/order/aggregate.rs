//! An order, by its events.

use serde::{Deserialize, Serialize};
use stele_toolkit_envelope::Timestamp;
use stele_toolkit_es::{Aggregate, events};

use crate::messages::{
    InventoryRejected, InventoryReleased, InventoryReserved, OrderCancelled, OrderConfirmed,
    OrderCreated, PaymentFailed, PaymentProcessed, PaymentRefunded, ShippingScheduled,
};

events! {
    /// What happens to an order: what is decided here, and what other services tell.
    #[derive(Clone, Debug, PartialEq)]
    pub(super) enum OrderEvent {
        OrderCreated,
        OrderConfirmed,
        OrderCancelled,
        InventoryReserved,
        InventoryRejected,
        InventoryReleased,
        PaymentProcessed,
        PaymentFailed,
        PaymentRefunded,
        ShippingScheduled,
    }
}

/// What an order is asked to do.
#[derive(Clone, Debug)]
pub(super) enum Action {
    /// Begin.
    Create(OrderCreated),
    /// Be confirmed, if it is still open: the saga decides.
    Confirm,
    /// Be given up for this reason, if it is still open: the saga decides.
    Cancel(String),
    /// Remember what another service tells.
    Note(OrderEvent),
    /// Remember what another service tells, and decide by it whether the order is confirmed or
    /// cancelled.
    React(OrderEvent),
}

/// Why an order refuses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    /// There is one of this id.
    #[error("the order exists already")]
    Exists,
    /// There is none of this id.
    #[error("there is no such order")]
    Unknown,
}

/// How far an order is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Status {
    /// Its stock and payment aren't decided yet.
    #[default]
    Created,
    /// Reserved and paid.
    Confirmed,
    /// Given up.
    Cancelled,
}

/// What is known of an order.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Order {
    pub(super) created: Option<OrderCreated>,
    pub(super) status: Status,
    /// Why it was cancelled.
    pub(super) reason: Option<String>,
    /// The number of the shipment.
    pub(super) tracking: Option<String>,
    /// How many of its events were published: those that this service decided.
    pub(super) published: u64,
    is_reserved: bool,
    is_rejected: bool,
    is_released: bool,
    is_paid: bool,
    is_unpaid: bool,
    is_refunded: bool,
}

impl Order {
    /// Whether this was told before, by this message or another one.
    fn knows(&self, event: &OrderEvent) -> bool {
        match event {
            OrderEvent::OrderCreated(_) => self.created.is_some(),
            // It has one end.
            OrderEvent::OrderConfirmed(_) | OrderEvent::OrderCancelled(_) => {
                self.status != Status::Created
            }
            OrderEvent::InventoryReserved(_) => self.is_reserved,
            OrderEvent::InventoryRejected(_) => self.is_rejected,
            OrderEvent::InventoryReleased(_) => self.is_released,
            OrderEvent::PaymentProcessed(_) => self.is_paid,
            OrderEvent::PaymentFailed(_) => self.is_unpaid,
            OrderEvent::PaymentRefunded(_) => self.is_refunded,
            OrderEvent::ShippingScheduled(_) => self.tracking.is_some(),
        }
    }

    /// What follows from what was told, if the order is still open.
    fn consequence(&self, created: &OrderCreated, told: &OrderEvent) -> Option<OrderEvent> {
        if self.status != Status::Created {
            return None;
        }
        let (is_reserved, is_paid) = match told {
            OrderEvent::InventoryRejected(InventoryRejected { reason, .. })
            | OrderEvent::PaymentFailed(PaymentFailed { reason, .. }) => {
                return Some(OrderCancelled::of(created, reason).into());
            }
            OrderEvent::InventoryReserved(_) => (true, self.is_paid),
            OrderEvent::PaymentProcessed(_) => (self.is_reserved, true),
            _ => return None,
        };
        (is_reserved && is_paid).then(|| OrderConfirmed::of(created).into())
    }
}

impl Aggregate for Order {
    const NAME: &'static str = "Order";
    type Command = Action;
    type Event = OrderEvent;
    type Error = Refusal;

    fn decide(&self, action: &Action, _now: Timestamp) -> Result<Vec<OrderEvent>, Refusal> {
        let Some(created) = &self.created else {
            return match action {
                Action::Create(order) => Ok(vec![order.clone().into()]),
                _ => Err(Refusal::Unknown),
            };
        };
        Ok(match action {
            Action::Create(_) => return Err(Refusal::Exists),
            // It has one end, and has told it.
            Action::Confirm | Action::Cancel(_) if self.status != Status::Created => Vec::new(),
            Action::Confirm => vec![OrderConfirmed::of(created).into()],
            Action::Cancel(reason) => vec![OrderCancelled::of(created, reason).into()],
            Action::Note(told) | Action::React(told) if self.knows(told) => Vec::new(),
            Action::Note(told) => vec![told.clone()],
            Action::React(told) => {
                let consequence = self.consequence(created, told);
                [told.clone()].into_iter().chain(consequence).collect()
            }
        })
    }

    fn evolve(&mut self, event: &OrderEvent) {
        match event {
            OrderEvent::OrderCreated(created) => {
                self.created = Some(created.clone());
                self.published += 1;
            }
            OrderEvent::OrderConfirmed(_) => {
                self.status = Status::Confirmed;
                self.published += 1;
            }
            OrderEvent::OrderCancelled(cancelled) => {
                self.status = Status::Cancelled;
                self.reason = Some(cancelled.reason.clone());
                self.published += 1;
            }
            OrderEvent::InventoryReserved(_) => self.is_reserved = true,
            OrderEvent::InventoryRejected(_) => self.is_rejected = true,
            OrderEvent::InventoryReleased(_) => self.is_released = true,
            OrderEvent::PaymentProcessed(_) => self.is_paid = true,
            OrderEvent::PaymentFailed(_) => self.is_unpaid = true,
            OrderEvent::PaymentRefunded(_) => self.is_refunded = true,
            OrderEvent::ShippingScheduled(shipment) => {
                self.tracking = Some(shipment.tracking.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests;
