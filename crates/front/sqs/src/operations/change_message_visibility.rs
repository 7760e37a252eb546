//! ChangeMessageVisibility: changes the deadline of a received message, or returns the message
//! immediately.
//!
//! - Fields: `QueueUrl`, `ReceiptHandle`, `VisibilityTimeout` (0–43200); the response is empty.
//! - A handle whose timeout has expired leases the message again, unless the message has been
//!   received since by any protocol, or deleted.
//! - Deviations: AWS may also accept an older handle of a message that has been received again.
//!   Here it is refused like the handle of a deleted message, because it would change another
//!   receiver's deadline.
//! - Spec:
//!   <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibility.html>

use smallvec::SmallVec;
use stele_core_broker::Action;
use stele_core_engine::{Extend, Extension, LedgerId, Renewal, SettleItem};
use stele_wire_sqs::{Error, Response, change_message_visibility};

use crate::{
    errors,
    front::{Context, Front},
    limits::VISIBILITY_TIMEOUT_S,
    queue::Queue,
    receipt::Receipt,
};

pub(super) async fn run(
    front: &Front,
    context: &Context,
    request: change_message_visibility::Request,
) -> Result<Response, Error> {
    let queue = front
        .queue(context, &request.queue_url, Action::Consume)
        .await?;
    let timeout_s = request.visibility_timeout_s;
    let extension = extension(front, &queue, &request.receipt_handle, timeout_s)?;
    let missing = extend(front, &queue, SmallVec::from_iter([extension])).await?;
    if !missing.is_empty() {
        return Err(not_available(&request.receipt_handle));
    }
    Ok(Response::ChangeMessageVisibility)
}

/// The lease that a handle extends, and the new timeout.
pub(super) fn extension(
    front: &Front,
    queue: &Queue,
    handle: &str,
    timeout_s: i32,
) -> Result<Extension, Error> {
    if !VISIBILITY_TIMEOUT_S.contains(&timeout_s) {
        let reason = "VisibilityTimeout must be an integer between 0 and 43200.";
        return Err(Error::invalid_value(timeout_s, "VisibilityTimeout", reason));
    }
    let receipt = Receipt::open(handle, &queue.secret, queue.log)?;
    let renewal = receipt.deliveries.map(|deliveries| Renewal {
        deliveries,
        holder: front.holder,
    });
    Ok(Extension {
        item: SettleItem {
            partition: receipt.partition,
            offset: receipt.offset,
            lease: Some(receipt.lease),
        },
        term_ms: u64::from(timeout_s.unsigned_abs()) * 1000,
        renewal,
    })
}

/// Extends leases. Returns the positions of items whose handles have expired.
pub(super) async fn extend(
    front: &Front,
    queue: &Queue,
    items: SmallVec<[Extension; 2]>,
) -> Result<SmallVec<[usize; 2]>, Error> {
    let extend = Extend {
        log: queue.log,
        ledger: LedgerId::DEFAULT,
        items,
    };
    front.broker.extend(extend).await.map_err(errors::of_broker)
}

/// The error for an expired handle.
pub(super) fn not_available(handle: &str) -> Error {
    let reason = "Message does not exist or is not available for visibility timeout change.";
    Error::invalid_value(handle, "ReceiptHandle", reason)
}
