//! ChangeMessageVisibility: moves the deadline of a received message, or gives it back at once.
//!
//! - Fields: `QueueUrl`, `ReceiptHandle`, `VisibilityTimeout` (0–43200); answers nothing.
//! - Deviations: a handle that is no longer in force, because its time has passed or the message is
//!   deleted, is refused with `MessageNotInflight`. AWS sometimes answers success, which tells a
//!   worker that it still holds what another may have received.
//! - Spec:
//!   <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibility.html>

use smallvec::SmallVec;
use stele_core_broker::Action;
use stele_core_engine::{Extend, LedgerId, SettleItem};
use stele_wire_sqs::{Error, ErrorKind, Response, change_message_visibility};

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
    let item = item(
        &queue,
        &request.receipt_handle,
        request.visibility_timeout_s,
    )?;
    let missing = extend(front, &queue, SmallVec::from_iter([item])).await?;
    if !missing.is_empty() {
        return Err(not_in_flight(&request.receipt_handle));
    }
    Ok(Response::ChangeMessageVisibility)
}

/// What a handle extends, and for how long from now, in milliseconds.
pub(super) fn item(
    queue: &Queue,
    handle: &str,
    timeout_s: i32,
) -> Result<(SettleItem, u64), Error> {
    if !VISIBILITY_TIMEOUT_S.contains(&timeout_s) {
        let reason = "VisibilityTimeout must be an integer between 0 and 43200.";
        return Err(Error::invalid_value(timeout_s, "VisibilityTimeout", reason));
    }
    let receipt = Receipt::open(handle, &queue.secret, queue.log)?;
    let item = SettleItem {
        partition: receipt.partition,
        offset: receipt.offset,
        lease: Some(receipt.lease),
    };
    Ok((item, u64::from(timeout_s.unsigned_abs()) * 1000))
}

/// Extends; the answer holds the positions of items whose handles are no longer in force.
pub(super) async fn extend(
    front: &Front,
    queue: &Queue,
    items: SmallVec<[(SettleItem, u64); 2]>,
) -> Result<SmallVec<[usize; 2]>, Error> {
    let extend = Extend {
        log: queue.log,
        ledger: LedgerId::DEFAULT,
        items,
    };
    front.broker.extend(extend).await.map_err(errors::of_broker)
}

/// The refusal of a handle that is no longer in force.
pub(super) fn not_in_flight(handle: &str) -> Error {
    Error::new(
        ErrorKind::MessageNotInflight,
        format!(
            "Value {handle} for parameter ReceiptHandle is invalid. Reason: Message does not exist \
             or is not available for visibility timeout change."
        ),
    )
}
