//! DeleteMessageBatch: settles up to ten received messages, each with its own outcome.
//!
//! - Fields: `QueueUrl`, `Entries` of `Id`, `ReceiptHandle`; returns `Successful`, `Failed`.
//! - All entries are settled with one command to the log.
//! - Deviations: none.
//! - Spec: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_DeleteMessageBatch.html>

use smallvec::SmallVec;
use stele_core_broker::Action;
use stele_wire_sqs::{Error, Response, batch::check_ids, delete_message_batch};

use super::delete_message::{expired, item, settle};
use crate::{
    front::{Context, Front},
    handled_batch::HandledBatch,
};

pub(super) async fn run(
    front: &Front,
    context: &Context,
    request: delete_message_batch::Request,
) -> Result<Response, Error> {
    let queue = front
        .queue(context, &request.queue_url, Action::Consume)
        .await?;
    let ids = request.entries.iter().map(|entry| entry.id.as_str());
    check_ids(ids, "DeleteMessageBatchRequestEntry")?;
    let mut batch = HandledBatch::new();
    for entry in request.entries {
        let item = item(&queue, &entry.receipt_handle);
        batch.push(entry.id, entry.receipt_handle, item);
    }
    let missing = match batch.take_items() {
        Some(items) => settle(front, &queue, items).await?,
        None => SmallVec::new(),
    };
    let (successful, failed) = batch.outcomes(&missing, expired);
    Ok(Response::DeleteMessageBatch(
        delete_message_batch::Response { successful, failed },
    ))
}
