//! StartMessageMoveTask: moves the messages of a dead-letter queue back to where they came from, or
//! to another queue.
//!
//! - Fields: `SourceArn`, `DestinationArn`, `MaxNumberOfMessagesPerSecond` (1–500); returns
//!   `TaskHandle`. A queue has one active task at most.
//! - What is in the queue now is moved, except what is in flight. Each message keeps its id and the
//!   time when it was sent.
//! - The source is the target of some queue's RedrivePolicy, or of its dead-letter exchange, or a
//!   queue that other protocols use too, whose dead letters may be there.
//! - Deviations: without a rate, messages are moved as fast as possible.
//! - Spec: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_StartMessageMoveTask.html>

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use serde_json::json;
use stele_base_types::VHOST_DEFAULT;
use stele_core_broker::Action;
use stele_core_engine::LogDefinition;
use stele_wire_sqs::{Error, ErrorKind, QueueName, Response, start_message_move_task};

use crate::{
    attributes::FACET,
    errors,
    front::{Context, Front},
    limits::MOVE_RATE,
    move_tasks::{self, MoveTask, Status},
    redrive::{Arn, sends_dead_letters_to},
};

pub(super) async fn run(
    front: &Front,
    context: &Context,
    request: start_message_move_task::Request,
) -> Result<Response, Error> {
    let source_arn = &request.source_arn;
    let source = queue_at(front, context, source_arn, "SourceArn", Action::Consume)?;
    if !is_dead_letter_queue(front, &source) {
        return Err(invalid(
            "Source queue must be configured as a Dead Letter Queue.",
        ));
    }
    let per_second_max = request.per_second_max.map(checked_rate).transpose()?;
    if let Some(arn) = &request.destination_arn {
        if arn == source_arn {
            return Err(invalid(
                "Source queue arn and destination queue arn cannot be the same.",
            ));
        }
        let destination = queue_at(front, context, arn, "DestinationArn", Action::Write)?;
        if is_fifo(&destination) != is_fifo(&source) {
            return Err(invalid(
                "The source queue and destination queue must be of the same queue type.",
            ));
        }
    }

    // Opens a log that nobody has consumed from yet.
    let queue = front.queue(context, &source.name, Action::Consume).await?;
    let status = front.broker.status(queue.log).await;
    let status = status.map_err(errors::of_broker)?;
    let partitions = status.partitions.iter();
    let task = MoveTask {
        id: front.settings.random.uuid().to_string(),
        status: Status::Running,
        destination: request.destination_arn.clone(),
        per_second_max,
        started_ms: front.calendar().0,
        to_move: status.ready,
        moved: 0,
        until: partitions.map(|partition| partition.committed.0).collect(),
        failure: None,
    };
    let started = move_tasks::alter(&front.broker, queue.log, |tasks| {
        if tasks.first().is_some_and(MoveTask::is_active) {
            return Err(invalid(
                "There is already a task running. Only one active task is allowed for a source \
                 queue arn at a given time.",
            ));
        }
        tasks.insert(0, task.clone());
        Ok(())
    });
    started.await?;
    front.settings.moves.tell();
    Ok(Response::StartMessageMoveTask(
        start_message_move_task::Response {
            task_handle: handle_of(&task.id, source_arn),
        },
    ))
}

/// The handle of a task.
pub(super) fn handle_of(id: &str, source_arn: &str) -> String {
    BASE64.encode(json!({"taskId": id, "sourceArn": source_arn}).to_string())
}

/// The queue with an ARN that is given as a parameter.
pub(super) fn queue_at(
    front: &Front,
    context: &Context,
    arn: &str,
    parameter: &str,
    action: Action,
) -> Result<LogDefinition, Error> {
    let Some(parts) = Arn::read(arn) else {
        return Err(invalid(format!(
            "You must use this format to specify the {parameter}: \
             arn:<partition>:<service>:<region>:<account-id>:<resource-id>"
        )));
    };
    let settings = &front.settings;
    let is_here = parts.region == settings.region && parts.account == settings.account_id;
    let name = QueueName::of_existing(parts.name).ok().filter(|_| is_here);
    let found = name.and_then(|name| Some(front.definition(context, &name, action).ok()?.clone()));
    found.ok_or_else(|| {
        let message =
            format!("The resource that you specified for the {parameter} parameter doesn't exist.");
        Error::new(ErrorKind::ResourceNotFound, message)
    })
}

fn is_dead_letter_queue(front: &Front, queue: &LogDefinition) -> bool {
    let catalogue = front.broker.catalogue();
    let mut logs = catalogue.logs(VHOST_DEFAULT, None);
    let is_shared = queue.facets.keys().any(|facet| **facet != *FACET);
    is_shared
        || logs.any(|source| {
            sends_dead_letters_to(source, &queue.name)
                || (front.settings.dead_letters_lead_to)(&catalogue, source, queue)
        })
}

fn checked_rate(rate: i32) -> Result<u32, Error> {
    let rate = u32::try_from(rate).ok();
    rate.filter(|rate| MOVE_RATE.contains(rate)).ok_or_else(|| {
        invalid(
            "Value for parameter MaxNumberOfMessagesPerSecond is invalid. Reason: You must enter \
             a number that's between 1 and 500.",
        )
    })
}

fn is_fifo(definition: &LogDefinition) -> bool {
    definition.config.queue.is_some_and(|queue| queue.fifo)
}

/// The error for a parameter that is invalid.
pub(super) fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidParameterValue, message)
}
