//! PurgeQueue: deletes all messages of a queue, including those in flight.
//!
//! - Fields: `QueueUrl`; the response is empty. A second purge within a minute, or within the
//!   configured time, is refused.
//! - The purge is complete when the response is sent; in AWS it takes up to a minute.
//! - Deviations: none.
//! - Spec: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_PurgeQueue.html>

use stele_core_broker::Action;
use stele_wire_sqs::{Error, ErrorKind, Response, purge_queue, queue_name_in_url};

use crate::{
    errors,
    front::{Context, Front},
};

pub(super) async fn run(
    front: &Front,
    context: &Context,
    request: purge_queue::Request,
) -> Result<Response, Error> {
    let queue = front
        .queue(context, &request.queue_url, Action::Consume)
        .await?;
    let interval = front.settings.purge_interval;
    let purges = &front.settings.purges;
    if !purges.begin(queue.log, front.now(), interval) {
        let name = queue_name_in_url(&request.queue_url).ok_or_else(errors::no_such_queue)?;
        return Err(Error::new(
            ErrorKind::PurgeQueueInProgress,
            format!(
                "Only one PurgeQueue operation on {name} is allowed every {} seconds.",
                interval.as_secs()
            ),
        ));
    }
    front
        .broker
        .purge(queue.log, true)
        .await
        .map_err(errors::of_broker)?;
    Ok(Response::PurgeQueue)
}
