//! What the services tell each other.
//!
//! | events | topic | from | read by |
//! |---|---|---|---|
//! | [`OrderCreated`] | `order.created` | order | notification; choreographed inventory, payment |
//! | [`OrderConfirmed`] | `order.updated` | order | inventory, mails; choreographed shipping |
//! | [`OrderCancelled`] | `order.updated` | order | notification |
//! | [`InventoryReserved`] | `inventory.reserved` | inventory | order |
//! | [`InventoryRejected`] | `inventory.rejected` | inventory | order, payment (choreographed) |
//! | [`InventoryReleased`] | `inventory.released` | inventory | order |
//! | [`PaymentProcessed`] | `payment.processed` | payment | order |
//! | [`PaymentFailed`] | `payment.failed` | payment | order, inventory (choreographed) |
//! | [`PaymentRefunded`] | `payment.refunded` | payment | order |
//! | [`ShippingScheduled`] | `shipping.scheduled` | shipping | order, notification |
//! | [`EmailSent`] | `notification.sent` | notification | the timeline |
//! | [`ConfirmationSent`] | `notification.confirmed` | notification | the saga (orchestrated) |
//!
//! All events go to the timeline, too. When the order service orchestrates, its saga sends commands
//! to the queues `inventory.commands`,
//! `payment.commands`, `shipping.commands` and `notification.commands`. The events are
//! the replies.
//!
//! The key of all of them is the order's id. Amounts are in cents.

mod commands;
mod inventory;
mod mail;
mod orders;
mod payment;
mod shipping;

pub use commands::{
    CancelOrder, ChargePayment, ConfirmOrder, RefundPayment, ReleaseInventory, ReserveInventory,
    ScheduleShipping, SendEmail,
};
pub use inventory::{InventoryRejected, InventoryReleased, InventoryReserved, Reserved};
pub use mail::{ConfirmationSent, EmailSent, MailKind};
pub use orders::{Item, OrderCancelled, OrderConfirmed, OrderCreated};
pub use payment::{PaymentFailed, PaymentProcessed, PaymentRefunded};
pub use shipping::ShippingScheduled;
