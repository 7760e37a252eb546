//! ChangeMessageVisibilityBatch: moves the deadlines of up to ten received messages, each with its
//! own outcome.
//!
//! - Fields: `QueueUrl`, `Entries` of `Id`, `ReceiptHandle`, `VisibilityTimeout`; answers
//!   `Successful`, `Failed`. An entry without timeout fails.
//! - Deviations: as for ChangeMessageVisibility.
//! - Spec: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibilityBatch.html>

use smallvec::SmallVec;
use stele_wire_sqs::{
    Error, Response,
    batch::{Failure, check_ids},
    change_message_visibility_batch,
};

use super::change_message_visibility::{extend, item, not_in_flight};
use crate::front::Front;

pub(super) async fn run(
    front: &Front,
    request: change_message_visibility_batch::Request,
) -> Result<Response, Error> {
    let queue = front.queue(&request.queue_url).await?;
    let ids = request.entries.iter().map(|entry| entry.id.as_str());
    check_ids(ids, "ChangeMessageVisibilityBatchRequestEntry")?;
    let mut response = change_message_visibility_batch::Response::default();
    let (mut items, mut entries) = (SmallVec::new(), Vec::new());
    for entry in request.entries {
        let timeout_s = entry
            .visibility_timeout_s
            .ok_or_else(|| Error::missing("VisibilityTimeout"));
        match timeout_s.and_then(|timeout_s| item(&queue, &entry.receipt_handle, timeout_s)) {
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
        return Ok(Response::ChangeMessageVisibilityBatch(response));
    }
    let missing = extend(front, &queue, items).await?;
    for (place, entry) in entries.into_iter().enumerate() {
        if missing.contains(&place) {
            let error = not_in_flight(&entry.receipt_handle);
            response.failed.push(Failure {
                id: entry.id,
                error,
            });
        } else {
            response.successful.push(entry.id);
        }
    }
    Ok(Response::ChangeMessageVisibilityBatch(response))
}
