//! Who gets which messages.
//!
//! Every process declares all of it before it sends anything, so that no message is lost for want
//! of a queue, in whatever order the processes start. On SQS, which has no topics, the sender makes
//! the copies by this table.

use stele_toolkit_bus::{Subscription, Topology};
use stele_toolkit_envelope::Message;

use crate::{
    messages::{
        CancelOrder, ConfirmationSent, EmailSent, InventoryRejected, InventoryReleased,
        InventoryReserved, OrderConfirmed, OrderCreated, PaymentFailed, PaymentProcessed,
        PaymentRefunded, RefundPayment, ReleaseInventory, ShippingScheduled,
    },
    settings::Style,
};

/// Names of the services, which are those of their subscriptions too.
pub const ORDER: &str = "shop.order";
/// Leads orders through their steps, in the order service's process, when orders are orchestrated.
pub const SAGA: &str = "shop.saga";
/// Counts what is sold.
pub const ANALYTICS: &str = "shop.analytics";
/// Collects what all services tell, for the timeline of an order.
pub const TIMELINE: &str = "shop.timeline";
/// The stock.
pub const INVENTORY: &str = "shop.inventory";
/// Payments.
pub const PAYMENT: &str = "shop.payment";
/// Shipments.
pub const SHIPPING: &str = "shop.shipping";
/// Mails.
pub const NOTIFICATION: &str = "shop.notification";

/// Commands for orders.
pub const ORDER_COMMANDS: &str = "order.commands";
/// Commands for the stock.
pub const INVENTORY_COMMANDS: &str = "inventory.commands";
/// Commands for payments.
pub const PAYMENT_COMMANDS: &str = "payment.commands";
/// Commands for shipments.
pub const SHIPPING_COMMANDS: &str = "shipping.commands";
/// Commands for mails.
pub const NOTIFICATION_COMMANDS: &str = "notification.commands";

/// The topics of all events.
pub const TOPICS: [&str; 10] = [
    OrderCreated::TOPIC,
    OrderConfirmed::TOPIC,
    InventoryReserved::TOPIC,
    InventoryRejected::TOPIC,
    InventoryReleased::TOPIC,
    PaymentProcessed::TOPIC,
    PaymentFailed::TOPIC,
    PaymentRefunded::TOPIC,
    ShippingScheduled::TOPIC,
    EmailSent::TOPIC,
];

/// Whether a service undoes what it did for an order, or refuses it from then on, because of a
/// message.
pub fn undoes(service: &str, message_type: &str) -> bool {
    match service {
        INVENTORY => [PaymentFailed::TYPE, ReleaseInventory::TYPE].contains(&message_type),
        PAYMENT => [InventoryRejected::TYPE, RefundPayment::TYPE].contains(&message_type),
        ORDER => message_type == CancelOrder::TYPE,
        _ => false,
    }
}

/// All subscriptions of the shop.
pub fn of(style: Style) -> Topology {
    let mut subscriptions = match style {
        Style::Choreographed => choreographed(),
        Style::Orchestrated => orchestrated(),
    };
    subscriptions.push(subscription(TIMELINE, &TOPICS));
    subscriptions.push(subscription(
        ANALYTICS,
        &[OrderCreated::TOPIC, OrderConfirmed::TOPIC],
    ));
    Topology {
        topics: TOPICS.map(str::to_owned).into(),
        queues: Vec::new(),
        subscriptions,
    }
}

fn choreographed() -> Vec<Subscription> {
    vec![
        subscription(ORDER, FACTS),
        subscription(
            INVENTORY,
            &[
                OrderCreated::TOPIC,
                OrderConfirmed::TOPIC,
                PaymentFailed::TOPIC,
            ],
        ),
        subscription(PAYMENT, &[OrderCreated::TOPIC, InventoryRejected::TOPIC]),
        subscription(SHIPPING, &[OrderConfirmed::TOPIC]),
        subscription(NOTIFICATION, MAILED),
    ]
}

fn orchestrated() -> Vec<Subscription> {
    let own = [OrderConfirmed::TOPIC];
    let steps = [
        OrderCreated::TOPIC,
        OrderConfirmed::TOPIC,
        ConfirmationSent::TOPIC,
    ];
    vec![
        subscription(ORDER, FACTS).queue(ORDER_COMMANDS),
        subscription(SAGA, &[FACTS, &steps].concat()),
        subscription(INVENTORY, &own).queue(INVENTORY_COMMANDS),
        subscription(PAYMENT, &[]).queue(PAYMENT_COMMANDS),
        subscription(SHIPPING, &[]).queue(SHIPPING_COMMANDS),
        subscription(NOTIFICATION, MAILED).queue(NOTIFICATION_COMMANDS),
    ]
}

/// Everything that the other services tell about an order.
const FACTS: &[&str] = &[
    InventoryReserved::TOPIC,
    InventoryRejected::TOPIC,
    InventoryReleased::TOPIC,
    PaymentProcessed::TOPIC,
    PaymentFailed::TOPIC,
    PaymentRefunded::TOPIC,
    ShippingScheduled::TOPIC,
];

/// What mails follow from.
const MAILED: &[&str] = &[
    OrderCreated::TOPIC,
    OrderConfirmed::TOPIC,
    ShippingScheduled::TOPIC,
];

fn subscription(service: &str, topics: &[&str]) -> Subscription {
    let subscription = Subscription::new(service);
    topics.iter().fold(subscription, |subscription, topic| {
        subscription.topic(*topic)
    })
}
