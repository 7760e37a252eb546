//! UntagQueue: takes tags from a queue.
//!
//! - Fields: `QueueUrl`, `TagKeys`; answers nothing. A key that the queue hasn't is no error.
//! - Deviations: none.
//! - Spec: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_UntagQueue.html>

use stele_wire_sqs::{Error, Response, untag_queue};

use super::tag_queue::{alter, remove};
use crate::front::Front;

pub(super) async fn run(front: &Front, request: untag_queue::Request) -> Result<Response, Error> {
    let untag = alter(front, &request.queue_url, |settings| {
        request
            .tag_keys
            .iter()
            .for_each(|key| remove(settings, key));
        Ok(())
    });
    untag.await?;
    Ok(Response::UntagQueue)
}
