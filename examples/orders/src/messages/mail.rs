//! What happens to mails.

use std::fmt;

use serde::{Deserialize, Serialize};
use stele_toolkit_envelope::Message;

/// The mails that a customer gets, each at most once for an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum MailKind {
    /// The order has arrived. It says nothing about stock and payment.
    Received,
    /// The order is reserved and paid.
    Confirmed,
    /// The parcel is on its way.
    Shipped,
    /// The order won't be delivered.
    Cancelled,
}

impl MailKind {
    /// Its name: `confirmed`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Confirmed => "confirmed",
            Self::Shipped => "shipped",
            Self::Cancelled => "cancelled",
        }
    }
}

impl fmt::Display for MailKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The mail that the orchestrator has asked for is sent: the reply to `SendEmail`. It has a type of
/// its own, since an order has mails that nobody has asked for by a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Message)]
#[serde(rename_all = "camelCase")]
#[message(version = "1.0", topic = "notification.confirmed", key = order_id)]
pub struct ConfirmationSent {
    /// The order.
    pub order_id: String,
}

/// A mail server has taken a mail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Message)]
#[serde(rename_all = "camelCase")]
#[message(version = "1.0", topic = "notification.sent", key = order_id)]
pub struct EmailSent {
    /// The order.
    pub order_id: String,
    /// Which mail.
    pub kind: MailKind,
    /// Its `Message-ID`: the same however often it is sent.
    pub mail_id: String,
}
