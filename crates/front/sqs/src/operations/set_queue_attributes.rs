//! SetQueueAttributes: changes attributes of a queue.
//!
//! - Fields: `QueueUrl`, `Attributes`; the response is empty.
//! - The change is effective when the response is sent; in AWS it takes up to a minute.
//! - Deviations: as for CreateQueue's attributes. `DelaySeconds` isn't retroactive for FIFO queues
//!   either.
//! - Spec: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html>

use stele_core_engine::{AlterLog, DeathReason, LogDefinition, Settings};
use stele_wire_sqs::{Error, Response, set_queue_attributes};

use crate::{
    attributes::{
        self, DELAY, FACET, QueueAttributes, RETENTION, given_ms, merge_queue, merge_settings,
    },
    front::{Context, Front},
    redrive::{self, RedrivePolicy},
};

pub(super) async fn run(
    front: &Front,
    context: &Context,
    request: set_queue_attributes::Request,
) -> Result<Response, Error> {
    let given = &request.attributes;
    let judge = |definition: &LogDefinition| alteration(front, definition, given);
    front.alter(context, &request.queue_url, judge).await?;
    Ok(Response::SetQueueAttributes)
}

/// The changes that the attributes make to a queue.
fn alteration(
    front: &Front,
    definition: &LogDefinition,
    given: &[(String, String)],
) -> Result<AlterLog, Error> {
    let current = definition.config.queue.unwrap_or_default();
    attributes::check(given, current.fifo)?;
    let mut settings = definition.facets.get(FACET).cloned().unwrap_or_default();
    merge_settings(&mut settings, given);
    QueueAttributes::of_parts(&settings, merge_queue(current, given)).check_together()?;
    let mut new = Settings::new();
    merge_settings(&mut new, given);
    let redrive = redrive::given(given)?;
    let had = RedrivePolicy::of(definition.facets.get(FACET).unwrap_or(&Settings::new()));
    let limit = match (&redrive, had) {
        (Some(Some(policy)), had) => {
            let own = front.queue_arn(&definition.name);
            policy.check(&front.broker.catalogue(), &own, current.fifo)?;
            if had.is_none() {
                redrive::keep_former(&mut new, &current);
            }
            Some((Some(policy.receives_max), true))
        }
        (Some(None), Some(_)) => Some(redrive::former(&settings)),
        _ => None,
    };
    let change = new.into_iter().map(|(name, value)| (name, Some(value)));
    Ok(AlterLog {
        delay_ms: given_ms(given, DELAY),
        expiry_ms: given_ms(given, RETENTION),
        deliveries_max: limit.map(|(max, _)| max),
        dead_letters: limit.map(|(_, dies)| (DeathReason::Deliveries, dies)),
        settings: Some((FACET.into(), change.collect())),
        ..AlterLog::nothing(definition.id)
    })
}
