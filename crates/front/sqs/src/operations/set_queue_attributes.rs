//! SetQueueAttributes: changes attributes of a queue.
//!
//! - Fields: `QueueUrl`, `Attributes`; answers nothing.
//! - The change is in force when this is answered; in AWS it takes up to a minute.
//! - Deviations: as for CreateQueue's attributes. `DelaySeconds` isn't retroactive for FIFO queues
//!   either.
//! - Spec: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html>

use stele_core_broker::Action;
use stele_core_engine::AlterLog;
use stele_wire_sqs::{Error, Response, set_queue_attributes};

use crate::{
    attributes::{self, FACET, QueueAttributes, merge_queue, merge_settings},
    errors,
    front::{Context, Front},
};

pub(super) async fn run(
    front: &Front,
    context: &Context,
    request: set_queue_attributes::Request,
) -> Result<Response, Error> {
    let _altering = front.altering.lock().await;
    front
        .queue(context, &request.queue_url, Action::Configure)
        .await?;
    let definition = front.definition_at(context, &request.queue_url, Action::Configure)?;
    let current = definition.config.queue.unwrap_or_default();
    attributes::check(&request.attributes, current.fifo)?;
    let mut settings = definition.facets.get(FACET).cloned().unwrap_or_default();
    merge_settings(&mut settings, &request.attributes);
    let queue = merge_queue(current, &request.attributes);
    QueueAttributes::of_parts(&settings, queue).check_together()?;
    let alter = AlterLog {
        queue: Some(queue),
        settings: Some((FACET.into(), settings)),
        ..AlterLog::nothing(definition.id)
    };
    let altered = front.broker.alter_log(alter).await;
    altered.map_err(errors::of_broker)?;
    Ok(Response::SetQueueAttributes)
}
