//! GetQueueUrl: returns the URL of a queue.
//!
//! - Fields: `QueueName`, `QueueOwnerAWSAccountId`; returns `QueueUrl`.
//! - Deviations: there is only one account, so the owner is ignored.
//! - Spec: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_GetQueueUrl.html>

use stele_core_broker::Action;
use stele_wire_sqs::{Error, QueueName, Response, get_queue_url};

use crate::front::{Context, Front};

pub(super) async fn run(
    front: &Front,
    context: &Context,
    request: get_queue_url::Request,
) -> Result<Response, Error> {
    let name = QueueName::of_existing(&request.queue_name)?;
    drop(front.definition(context, &name, Action::Describe)?);
    let queue_url = front.queue_url(context, name.as_str());
    Ok(Response::GetQueueUrl(get_queue_url::Response { queue_url }))
}
