//! ListDeadLetterSourceQueues: returns the URLs of the queues whose RedrivePolicy names a queue,
//! paged.
//!
//! - Fields: `QueueUrl`, `MaxResults` (1–1000), `NextToken`; returns `queueUrls`, `NextToken`,
//!   paged and sorted as for ListQueues.
//! - Deviations: queues whose messages come here by AMQP's dead-letter exchanges aren't listed.
//! - Spec: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ListDeadLetterSourceQueues.html>

use stele_core_broker::Action;
use stele_core_engine::LogDefinition;
use stele_wire_sqs::{Error, Response, list_dead_letter_source_queues};

use super::list_queues::page;
use crate::{
    front::{Context, Front},
    redrive::sends_dead_letters_to,
};

pub(super) async fn run(
    front: &Front,
    context: &Context,
    request: list_dead_letter_source_queues::Request,
) -> Result<Response, Error> {
    let target = front.definition_at(context, &request.queue_url, Action::Describe)?;
    let is_wanted = |source: &LogDefinition| sends_dead_letters_to(source, &target.name);
    let (max, after) = (request.max_results, request.next_token.as_deref());
    let (queue_urls, next_token) = page(front, context, max, after, is_wanted)?;
    Ok(Response::ListDeadLetterSourceQueues(
        list_dead_letter_source_queues::Response {
            queue_urls,
            next_token,
        },
    ))
}
