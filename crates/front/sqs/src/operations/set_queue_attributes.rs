//! SetQueueAttributes: changes attributes of a queue.
//!
//! - Fields: `QueueUrl`, `Attributes`; the response is empty.
//! - The change is effective when the response is sent; in AWS it takes up to a minute.
//! - Deviations: as for CreateQueue's attributes. `DelaySeconds` isn't retroactive for FIFO queues
//!   either.
//! - Spec: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html>

use stele_core_engine::{AlterLog, LogDefinition, Settings};
use stele_wire_sqs::{Error, Response, set_queue_attributes};

use crate::{
    attributes::{
        self, DELAY, FACET, QueueAttributes, RETENTION, given_ms, merge_queue, merge_settings,
    },
    front::{Context, Front},
};

pub(super) async fn run(
    front: &Front,
    context: &Context,
    request: set_queue_attributes::Request,
) -> Result<Response, Error> {
    let given = &request.attributes;
    let judge = |definition: &LogDefinition| alteration(definition, given);
    front.alter(context, &request.queue_url, judge).await?;
    Ok(Response::SetQueueAttributes)
}

/// The changes that the attributes make to a queue.
fn alteration(definition: &LogDefinition, given: &[(String, String)]) -> Result<AlterLog, Error> {
    let current = definition.config.queue.unwrap_or_default();
    attributes::check(given, current.fifo)?;
    let mut settings = definition.facets.get(FACET).cloned().unwrap_or_default();
    merge_settings(&mut settings, given);
    QueueAttributes::of_parts(&settings, merge_queue(current, given)).check_together()?;
    let mut new = Settings::new();
    merge_settings(&mut new, given);
    let change = new.into_iter().map(|(name, value)| (name, Some(value)));
    Ok(AlterLog {
        delay_ms: given_ms(given, DELAY),
        expiry_ms: given_ms(given, RETENTION),
        settings: Some((FACET.into(), change.collect())),
        ..AlterLog::nothing(definition.id)
    })
}
