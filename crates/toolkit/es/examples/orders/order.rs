//! An order, by its events.

use serde::{Deserialize, Serialize};
use stele_toolkit_envelope::{Message, Timestamp};
use stele_toolkit_es::{Aggregate, events};

/// An order was placed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Message)]
#[serde(rename_all = "camelCase")]
#[message(version = "1.0", topic = "order.created", key = order_id)]
pub(crate) struct OrderCreated {
    pub(crate) order_id: String,
    pub(crate) customer_name: String,
    pub(crate) total_cents: i64,
}

/// Its total changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Message)]
#[serde(rename_all = "camelCase")]
#[message(version = "1.0", topic = "order.updated", key = order_id)]
pub(crate) struct OrderUpdated {
    pub(crate) order_id: String,
    pub(crate) total_cents: i64,
}

/// It was cancelled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Message)]
#[serde(rename_all = "camelCase")]
#[message(version = "1.0", topic = "order.updated", key = order_id)]
pub(crate) struct OrderCancelled {
    pub(crate) order_id: String,
    pub(crate) reason: String,
}

events! {
    /// What happens to an order.
    #[derive(Clone, Debug, PartialEq)]
    pub(crate) enum OrderEvent { OrderCreated, OrderUpdated, OrderCancelled }
}

/// What an order is asked to do.
#[derive(Clone, Debug)]
pub(crate) enum OrderAction {
    Create {
        order_id: String,
        customer_name: String,
        total_cents: i64,
    },
    Update {
        total_cents: i64,
    },
    Cancel {
        reason: String,
    },
}

/// Why an order refuses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum OrderRefusal {
    #[error("the order exists already")]
    Exists,
    #[error("there is no such order")]
    Unknown,
    #[error("the order is cancelled")]
    Cancelled,
    #[error("{0} isn't a total")]
    Total(i64),
}

/// An order.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Order {
    #[default]
    None,
    Open {
        order_id: String,
    },
    Cancelled,
}

impl Aggregate for Order {
    const NAME: &'static str = "Order";
    type Command = OrderAction;
    type Event = OrderEvent;
    type Error = OrderRefusal;

    fn decide(
        &self,
        action: &OrderAction,
        _now: Timestamp,
    ) -> Result<Vec<OrderEvent>, OrderRefusal> {
        let event = match (self, action.clone()) {
            (_, OrderAction::Create { total_cents, .. } | OrderAction::Update { total_cents })
                if total_cents <= 0 =>
            {
                return Err(OrderRefusal::Total(total_cents));
            }
            (
                Self::None,
                OrderAction::Create {
                    order_id,
                    customer_name,
                    total_cents,
                },
            ) => OrderCreated {
                order_id,
                customer_name,
                total_cents,
            }
            .into(),
            (_, OrderAction::Create { .. }) => return Err(OrderRefusal::Exists),
            (Self::None, _) => return Err(OrderRefusal::Unknown),
            (Self::Open { order_id }, OrderAction::Update { total_cents }) => {
                let order_id = order_id.clone();
                OrderUpdated {
                    order_id,
                    total_cents,
                }
                .into()
            }
            (Self::Open { order_id }, OrderAction::Cancel { reason }) => {
                let order_id = order_id.clone();
                OrderCancelled { order_id, reason }.into()
            }
            // Cancelling it again changes nothing.
            (Self::Cancelled, OrderAction::Cancel { .. }) => return Ok(Vec::new()),
            (Self::Cancelled, OrderAction::Update { .. }) => return Err(OrderRefusal::Cancelled),
        };
        Ok(vec![event])
    }

    fn evolve(&mut self, event: &OrderEvent) {
        match event {
            OrderEvent::OrderCreated(created) => {
                *self = Self::Open {
                    order_id: created.order_id.clone(),
                };
            }
            OrderEvent::OrderUpdated(_) => {}
            OrderEvent::OrderCancelled(_) => *self = Self::Cancelled,
        }
    }
}
