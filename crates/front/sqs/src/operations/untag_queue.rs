//! UntagQueue: removes tags from a queue.
//!
//! - Fields: `QueueUrl`, `TagKeys`; the response is empty. A key that the queue doesn't have is no
//!   error.
//! - Deviations: none.
//! - Spec: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_UntagQueue.html>

use stele_wire_sqs::{Error, Response, untag_queue};

use super::tag_queue::{alter, key_length, setting};
use crate::front::{Context, Front};

pub(super) async fn run(
    front: &Front,
    context: &Context,
    request: untag_queue::Request,
) -> Result<Response, Error> {
    if request.tag_keys.is_empty() {
        return Err(key_length());
    }
    let change = request.tag_keys.iter().map(|key| (setting(key), None));
    alter(front, context, &request.queue_url, change.collect()).await?;
    Ok(Response::UntagQueue)
}
