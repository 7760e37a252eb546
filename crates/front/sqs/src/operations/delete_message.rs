//! DeleteMessage: settles a received message.
//!
//! - Fields: `QueueUrl`, `ReceiptHandle`; answers nothing, when the deletion is on disk.
//! - Any handle under which a standard queue's message was received deletes it. A FIFO queue's
//!   message is deleted only by the handle in force. One that is deleted already is no error.
//! - Deviations: none.
//! - Spec:
//!   <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_DeleteMessage.html>

use smallvec::SmallVec;
use stele_core_broker::Action;
use stele_core_engine::{LedgerId, Outcome, Settle, SettleItem};
use stele_wire_sqs::{Error, Response, delete_message};

use crate::{
    errors,
    front::{Context, Front},
    queue::Queue,
    receipt::Receipt,
};

pub(super) async fn run(
    front: &Front,
    context: &Context,
    request: delete_message::Request,
) -> Result<Response, Error> {
    let queue = front
        .queue(context, &request.queue_url, Action::Consume)
        .await?;
    let item = item(&queue, &request.receipt_handle)?;
    let missing = settle(front, &queue, SmallVec::from_iter([item])).await?;
    if !missing.is_empty() {
        return Err(expired(&request.receipt_handle));
    }
    Ok(Response::DeleteMessage)
}

/// What a handle settles.
pub(super) fn item(queue: &Queue, handle: &str) -> Result<SettleItem, Error> {
    let receipt = Receipt::open(handle, &queue.secret, queue.log)?;
    Ok(SettleItem {
        partition: receipt.partition,
        offset: receipt.offset,
        lease: queue.attributes.fifo.then_some(receipt.lease),
    })
}

/// Settles items; the answer holds the positions of those whose handles are no longer in force.
pub(super) async fn settle(
    front: &Front,
    queue: &Queue,
    items: SmallVec<[SettleItem; 2]>,
) -> Result<SmallVec<[usize; 2]>, Error> {
    let settle = Settle {
        log: queue.log,
        ledger: LedgerId::DEFAULT,
        items,
        outcome: Outcome::Done,
        durable: true,
    };
    let missing = front
        .broker
        .settle(settle)
        .await
        .map_err(errors::of_broker)?;
    // A standard queue's message that isn't there is deleted already.
    Ok(if queue.attributes.fifo {
        missing
    } else {
        SmallVec::new()
    })
}

/// The refusal of a handle that is no longer in force.
pub(super) fn expired(handle: &str) -> Error {
    Error::invalid_value(handle, "ReceiptHandle", "The receipt handle has expired.")
}
