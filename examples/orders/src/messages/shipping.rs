//! What happens to shipments.

use serde::{Deserialize, Serialize};
use stele_toolkit_envelope::Message;

/// An order's shipment is planned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Message)]
#[serde(rename_all = "camelCase")]
#[message(version = "1.0", topic = "shipping.scheduled", key = order_id)]
pub struct ShippingScheduled {
    /// The order.
    pub order_id: String,
    /// The customer's name.
    pub customer_name: String,
    /// Where mails go.
    pub email: String,
    /// The number by which the parcel is found.
    pub tracking: String,
}
