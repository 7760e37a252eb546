//! DeleteMessage: settles a received message.
//!
//! - Fields: `QueueUrl`, `ReceiptHandle`; the response is empty and is sent when the deletion is on
//!   disk.
//! - A message of a standard queue can be deleted with any handle under which it was received, a
//!   FIFO queue's message only with the current handle. Deleting a deleted message is no error.
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

/// The record that a handle settles.
pub(super) fn item(queue: &Queue, handle: &str) -> Result<SettleItem, Error> {
    let receipt = Receipt::open(handle, &queue.secret, queue.log)?;
    Ok(SettleItem {
        partition: receipt.partition,
        offset: receipt.offset,
        lease: queue.attributes.fifo.then_some(receipt.lease),
    })
}

/// Settles items. Returns the positions of those whose handles have expired.
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
    // In a standard queue, a missing message has already been deleted.
    Ok(if queue.attributes.fifo {
        missing
    } else {
        SmallVec::new()
    })
}

/// The error for an expired handle.
pub(super) fn expired(handle: &str) -> Error {
    Error::invalid_value(handle, "ReceiptHandle", "The receipt handle has expired.")
}
