//! ChangeMessageVisibilityBatch: changes the deadlines of up to ten received messages, each with
//! its own outcome.
//!
//! - Fields: `QueueUrl`, `Entries` of `Id`, `ReceiptHandle`, `VisibilityTimeout`; returns
//!   `Successful`, `Failed`. An entry without a timeout fails.
//! - Deviations: as for ChangeMessageVisibility.
//! - Spec: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibilityBatch.html>

use smallvec::SmallVec;
use stele_core_broker::Action;
use stele_wire_sqs::{Error, Response, batch::check_ids, change_message_visibility_batch};

use super::change_message_visibility::{extend, extension, not_available};
use crate::{
    front::{Context, Front},
    handled_batch::HandledBatch,
};

pub(super) async fn run(
    front: &Front,
    context: &Context,
    request: change_message_visibility_batch::Request,
) -> Result<Response, Error> {
    let queue = front
        .queue(context, &request.queue_url, Action::Consume)
        .await?;
    let ids = request.entries.iter().map(|entry| entry.id.as_str());
    check_ids(ids, "ChangeMessageVisibilityBatchRequestEntry")?;
    let mut batch = HandledBatch::new();
    for entry in request.entries {
        let timeout_s = entry
            .visibility_timeout_s
            .ok_or_else(|| Error::missing("VisibilityTimeout"));
        let handle = &entry.receipt_handle;
        let extension = timeout_s.and_then(|timeout_s| extension(front, &queue, handle, timeout_s));
        batch.push(entry.id, entry.receipt_handle, extension);
    }
    let missing = match batch.take_items() {
        Some(items) => extend(front, &queue, items).await?,
        None => SmallVec::new(),
    };
    let (successful, failed) = batch.outcomes(&missing, not_available);
    Ok(Response::ChangeMessageVisibilityBatch(
        change_message_visibility_batch::Response { successful, failed },
    ))
}
