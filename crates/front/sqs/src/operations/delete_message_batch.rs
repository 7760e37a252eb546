//! DeleteMessageBatch: settles up to ten received messages, each with its own outcome.
//!
//! - Fields: `QueueUrl`, `Entries` of `Id`, `ReceiptHandle`; answers `Successful`, `Failed`.
//! - One change of the log for all entries.
//! - Deviations: none.
//! - Spec: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_DeleteMessageBatch.html>

use smallvec::SmallVec;
use stele_wire_sqs::{
    Error, Response,
    batch::{Failure, check_ids},
    delete_message_batch,
};

use super::delete_message::{expired, item, settle};
use crate::front::Front;

pub(super) async fn run(
    front: &Front,
    request: delete_message_batch::Request,
) -> Result<Response, Error> {
    let queue = front.queue(&request.queue_url).await?;
    let ids = request.entries.iter().map(|entry| entry.id.as_str());
    check_ids(ids, "DeleteMessageBatchRequestEntry")?;
    let mut response = delete_message_batch::Response::default();
    let (mut items, mut entries) = (SmallVec::new(), Vec::new());
    for entry in request.entries {
        match item(&queue, &entry.receipt_handle) {
            Ok(item) => {
                items.push(item);
                entries.push(entry);
            }
            Err(error) => response.failed.push(Failure {
                id: entry.id,
                error,
            }),
        }
    }
    if items.is_empty() {
        return Ok(Response::DeleteMessageBatch(response));
    }
    let missing = settle(front, &queue, items).await?;
    for (place, entry) in entries.into_iter().enumerate() {
        if missing.contains(&place) {
            let error = expired(&entry.receipt_handle);
            response.failed.push(Failure {
                id: entry.id,
                error,
            });
        } else {
            response.successful.push(entry.id);
        }
    }
    Ok(Response::DeleteMessageBatch(response))
}
