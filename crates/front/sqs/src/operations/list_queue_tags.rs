//! ListQueueTags: returns the tags of a queue.
//!
//! - Fields: `QueueUrl`; returns `Tags`.
//! - Deviations: none.
//! - Spec: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ListQueueTags.html>

use stele_core_broker::Action;
use stele_wire_sqs::{Error, Response, list_queue_tags};

use super::tag_queue::tags_of;
use crate::{
    attributes::FACET,
    front::{Context, Front},
};

pub(super) async fn run(
    front: &Front,
    context: &Context,
    request: list_queue_tags::Request,
) -> Result<Response, Error> {
    let definition = front.definition_at(context, &request.queue_url, Action::Describe)?;
    let tags = definition.facets.get(FACET).into_iter().flat_map(tags_of);
    let tags = tags
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect();
    Ok(Response::ListQueueTags(list_queue_tags::Response { tags }))
}
