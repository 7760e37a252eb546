//! CreateQueue: creates a queue, or returns the URL of an existing one with the same attributes.
//!
//! - Fields: `QueueName`, `Attributes`, `tags`; returns `QueueUrl`.
//! - An existing log of that name, created by another protocol, becomes a queue if nothing
//!   conflicts.
//! - As in AWS, only the given attributes are compared with those of an existing queue.
//! - Deviations: a name can be reused immediately after DeleteQueue. `Policy`, which isn't
//!   supported, is refused; encryption attributes are stored and returned, but nothing is
//!   encrypted.
//! - Spec: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html>

use stele_base_types::Name;
use stele_core_broker::Action;
use stele_core_engine::{
    Adopt, DeclareLog, Declared, Durability, Lifetime, LogConfig, LogDefinition, Retention,
    Settings,
};
use stele_wire_sqs::{Error, ErrorKind, QueueName, Response, create_queue};

use super::tag_queue;
use crate::{
    attributes::{
        self, DELAY, FACET, FIFO_QUEUE, QueueAttributes, RETENTION, first_difference, given_ms,
        is_true, merge_queue, merge_settings, queue_default,
    },
    errors,
    front::{Context, Front},
    queue::{is_shown, kept_settings, new_settings},
    redrive::{self, RedrivePolicy},
};

pub(super) async fn run(
    front: &Front,
    context: &Context,
    request: create_queue::Request,
) -> Result<Response, Error> {
    let name = QueueName::new(&request.queue_name)?;
    let given = &request.attributes;
    check(&name, given)?;
    check_redrive(front, &name, given)?;
    let mut settings = settings(front, context, &name, given);
    tag_queue::merge(&mut settings, &request.tags, &request.queue_name)?;
    let queue = merge_queue(queue_default(name.is_fifo()), given);
    QueueAttributes::of_parts(&settings, queue).check_together()?;

    let declare = DeclareLog {
        vhost: Name::vhost_default(),
        name: Name::new(name.as_str()).map_err(|error| errors::internal(&error))?,
        config: LogConfig {
            partitions: 1,
            durability: front.settings.durability,
            retention: Retention::QUEUE,
            lifetime: Lifetime::default(),
            queue: Some(queue),
        },
        adopt: adopt(given),
        facet: FACET.into(),
        settings,
    };
    match front
        .broker
        .declare_log(declare)
        .await
        .map_err(errors::of_broker)?
    {
        Declared::Created(_) | Declared::Adopted(_) => {}
        Declared::Exists(definition) => compare(&definition, given)?,
    }
    let queue_url = front.queue_url(context, name.as_str());
    Ok(Response::CreateQueue(create_queue::Response { queue_url }))
}

/// The settings of a new queue, or of an existing log that becomes one.
fn settings(
    front: &Front,
    context: &Context,
    name: &QueueName,
    given: &[(String, String)],
) -> Settings {
    let existing = front.definition(context, name, Action::Describe).ok();
    let kept = kept_settings(existing.as_deref());
    let mut settings = kept.unwrap_or_else(|| new_settings(front));
    if let Some(existing) = existing
        && RedrivePolicy::of(&settings).is_none()
    {
        redrive::keep_former(&mut settings, &existing.config.queue.unwrap_or_default());
    }
    merge_settings(&mut settings, given);
    settings
}

fn check_redrive(front: &Front, name: &QueueName, given: &[(String, String)]) -> Result<(), Error> {
    let Some(Some(policy)) = redrive::given(given)? else {
        return Ok(());
    };
    let own = front.queue_arn(name.as_str());
    policy.check(&front.broker.catalogue(), &own, name.is_fifo())
}

/// Checks that the name ends in `.fifo` exactly if the queue is FIFO.
fn check(name: &QueueName, given: &[(String, String)]) -> Result<(), Error> {
    let asks_fifo = given
        .iter()
        .any(|(key, value)| key == FIFO_QUEUE && is_true(value));
    if asks_fifo && !name.is_fifo() {
        let reason = "The name of a FIFO queue must end with the .fifo suffix.";
        return Err(Error::invalid_value(name, "QueueName", reason));
    }
    if name.is_fifo() && !asks_fifo {
        return Err(Error::new(
            ErrorKind::InvalidParameterValue,
            "Can only include alphanumeric characters, hyphens, or underscores. \
             1 to 80 in length",
        ));
    }
    attributes::check(given, name.is_fifo())
}

/// The requirements for an existing log. A log that is at least flushed to the operating system
/// keeps its durability; a log only in memory doesn't give the guarantees of SQS. The given
/// schedule is applied to its queue.
fn adopt(given: &[(String, String)]) -> Adopt {
    Adopt {
        durability: Some(Durability::Flushed),
        lifetime: Some(Lifetime::default()),
        delay_ms: given_ms(given, DELAY),
        expiry_ms: given_ms(given, RETENTION),
        ..Adopt::default()
    }
}

fn compare(definition: &LogDefinition, given: &[(String, String)]) -> Result<(), Error> {
    if !is_shown(definition) {
        return Err(errors::queue_name_exists("QueueName"));
    }
    match first_difference(given, &QueueAttributes::of(definition)) {
        None => Ok(()),
        Some(attribute) => Err(errors::queue_name_exists(attribute)),
    }
}
