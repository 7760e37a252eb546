//! SendMessageBatch: sends up to ten messages to a queue, each with its own outcome.
//!
//! - Fields: `QueueUrl`, `Entries` of `Id` and SendMessage's fields; returns `Successful`,
//!   `Failed`.
//! - The messages of a partition are one append. For a FIFO queue, all messages are one append, or
//!   several in sequence if they belong to several partitions or some are duplicates. All are on
//!   disk when the response is sent. The order within a partition is kept.
//! - As in AWS, a FIFO entry without a group or deduplication id fails the whole batch.
//! - Deviations: none.
//! - Spec:
//!   <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html>

use stele_base_types::PartitionIndex;
use stele_core_broker::{self as broker, Action, Appending};
use stele_core_engine::{AppendError, Appended};
use stele_wire_sqs::{
    Error, ErrorKind, Response,
    batch::{Failure, check_ids},
    limits::MESSAGE_SIZE_MAX_BYTES,
    send_message_batch::{self, Entry},
};

use crate::{
    errors,
    front::{Context, Front},
    outgoing::{self, Outgoing},
    queue::Queue,
};

/// Messages with the ids of their entries.
type Messages = Vec<(String, Outgoing)>;

pub(super) async fn run(
    front: &Front,
    context: &Context,
    request: send_message_batch::Request,
) -> Result<Response, Error> {
    let queue = front
        .queue(context, &request.queue_url, Action::Write)
        .await?;
    let ids = request.entries.iter().map(|entry| entry.id.as_str());
    check_ids(ids, "SendMessageBatchRequestEntry")?;
    check_fifo(&queue, &request.entries)?;
    check_total_size(&request.entries)?;

    let order: Vec<_> = request
        .entries
        .iter()
        .map(|entry| entry.id.clone())
        .collect();
    let mut response = send_message_batch::Response::default();
    let mut checked = Vec::with_capacity(request.entries.len());
    for Entry { id, message } in request.entries {
        match Outgoing::new(&queue, message, context) {
            Ok(message) => checked.push((id, message)),
            Err(error) => response.failed.push(Failure { id, error }),
        }
    }
    let mut begun = Vec::new();
    for messages in by_partition(&queue, checked) {
        let appending = begin(front, &queue, &messages).await;
        begun.push((messages, appending));
    }
    for (messages, appending) in begun {
        finish(front, &queue, messages, appending, &mut response).await;
    }
    // In the order of the entries, whichever append they were in.
    response
        .successful
        .sort_by_key(|(id, _)| order.iter().position(|known| known == id));
    Ok(Response::SendMessageBatch(response))
}

/// Groups the messages by partition, as far as it is known here; the engine decides. A FIFO queue
/// gets them in their order: of two messages with the same deduplication id, the first is accepted,
/// whatever their partitions.
fn by_partition(queue: &Queue, messages: Messages) -> Vec<Messages> {
    if queue.attributes.fifo {
        return vec![messages];
    }
    let mut groups: Vec<(Option<PartitionIndex>, Messages)> = Vec::new();
    for (id, message) in messages {
        let partition = message.partition(queue);
        match groups.iter_mut().find(|(known, _)| *known == partition) {
            Some((_, group)) => group.push((id, message)),
            None => groups.push((partition, vec![(id, message)])),
        }
    }
    groups.into_iter().map(|(_, group)| group).collect()
}

async fn begin(front: &Front, queue: &Queue, messages: &Messages) -> Result<Appending, Error> {
    let messages = messages.iter().map(|(_, message)| message);
    let publish = outgoing::publish(queue, messages, front.now())?;
    Ok(front.broker.begin_append(publish).await)
}

/// Waits until the messages are appended. Messages that don't fit into one batch are appended in
/// several, in order.
async fn finish(
    front: &Front,
    queue: &Queue,
    messages: Messages,
    begun: Result<Appending, Error>,
    response: &mut send_message_batch::Response,
) {
    let mut parts = vec![(messages, Some(begun))];
    while let Some((mut messages, begun)) = parts.pop() {
        let begun = match begun {
            Some(begun) => begun,
            None => begin(front, queue, &messages).await,
        };
        let outcome = match begun {
            Ok(mut appending) => appending.finish().await,
            Err(error) => {
                fail(messages, &error, response);
                continue;
            }
        };
        match outcome {
            Ok(appended) => succeed(queue, messages, &appended, response),
            Err(broker::Error::Refused(AppendError::Divided(place))) => {
                let rest = messages.split_off(place as usize);
                parts.push((rest, None));
                parts.push((messages, None));
            }
            Err(error) => fail(messages, &errors::of_broker(error), response),
        }
    }
}

fn succeed(
    queue: &Queue,
    messages: Messages,
    appended: &[Appended],
    response: &mut send_message_batch::Response,
) {
    let Some(appended) = appended.first() else {
        let error = errors::internal(&"no reply to an append");
        return fail(messages, &error, response);
    };
    for (place, (id, message)) in (0..).zip(messages) {
        let message = message.into_response(queue, appended, place);
        response.successful.push((id, message));
    }
}

fn fail(messages: Messages, error: &Error, response: &mut send_message_batch::Response) {
    response
        .failed
        .extend(messages.into_iter().map(|(id, _)| Failure {
            id,
            error: error.clone(),
        }));
}

fn check_fifo(queue: &Queue, entries: &[Entry]) -> Result<(), Error> {
    if !queue.attributes.fifo {
        return Ok(());
    }
    if entries.iter().any(|entry| entry.message.group_id.is_none()) {
        // For a single message, this is `MissingParameter`.
        return Err(Error::new(
            ErrorKind::InvalidParameterValue,
            "The request must contain the parameter MessageGroupId.",
        ));
    }
    let needs_id = !queue.attributes.content_based_deduplication;
    if needs_id
        && entries
            .iter()
            .any(|entry| entry.message.deduplication_id.is_none())
    {
        return Err(Error::new(
            ErrorKind::InvalidParameterValue,
            "The queue should either have ContentBasedDeduplication enabled or \
             MessageDeduplicationId provided explicitly",
        ));
    }
    Ok(())
}

fn check_total_size(entries: &[Entry]) -> Result<(), Error> {
    let total: usize = entries.iter().map(|entry| entry.message.size_bytes()).sum();
    if total <= MESSAGE_SIZE_MAX_BYTES {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::BatchRequestTooLong,
        format!(
            "Batch requests cannot be longer than {MESSAGE_SIZE_MAX_BYTES} bytes. \
             You have sent {total} bytes."
        ),
    ))
}
