//! SendMessageBatch: puts up to ten messages into a queue, each with its own outcome.
//!
//! - Fields: `QueueUrl`, `Entries` of `Id` and SendMessage's; answers `Successful`, `Failed`.
//! - Messages in a row that need no schedule of their own are one append; all are on disk when
//!   this is answered. Order within the batch is kept.
//! - As in AWS, a FIFO entry without group or deduplication id fails the batch as a whole.
//! - Deviations: none.
//! - Spec:
//!   <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html>

use stele_core_broker::{Action, Appending};
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

/// Messages that are on their way in one append, with the ids of their entries.
struct Group {
    messages: Vec<(String, Outgoing)>,
    appending: Appending,
}

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

    let mut response = send_message_batch::Response::default();
    let mut checked = Vec::with_capacity(request.entries.len());
    for Entry { id, message } in request.entries {
        match Outgoing::new(&queue, message, context.principal.user()) {
            Ok(message) => checked.push((id, message)),
            Err(error) => response.failed.push(Failure { id, error }),
        }
    }
    for group in begin(front, &queue, checked, &mut response.failed).await {
        finish(&queue, group, &mut response).await;
    }
    Ok(Response::SendMessageBatch(response))
}

/// Begins the appends in the order of the entries.
async fn begin(
    front: &Front,
    queue: &Queue,
    checked: Vec<(String, Outgoing)>,
    failed: &mut Vec<Failure>,
) -> Vec<Group> {
    let now = front.now();
    let mut groups = Vec::new();
    for run in runs(checked) {
        let (ids, messages): (Vec<_>, Vec<_>) = run.into_iter().unzip();
        match outgoing::publish(queue, &messages, now) {
            Ok(publish) => groups.push(Group {
                messages: ids.into_iter().zip(messages).collect(),
                appending: front.broker.begin_append(publish).await,
            }),
            Err(error) => {
                failed.extend(ids.into_iter().map(|id| Failure {
                    id,
                    error: error.clone(),
                }));
            }
        }
    }
    groups
}

/// Splits messages into runs that can be appended as one batch.
fn runs(messages: Vec<(String, Outgoing)>) -> Vec<Vec<(String, Outgoing)>> {
    let mut runs: Vec<Vec<(String, Outgoing)>> = Vec::new();
    for (id, message) in messages {
        match runs.last_mut() {
            Some(run) if run[0].1.can_share_with(&message) => run.push((id, message)),
            _ => runs.push(vec![(id, message)]),
        }
    }
    runs
}

async fn finish(queue: &Queue, mut group: Group, response: &mut send_message_batch::Response) {
    let appended = group.appending.finish().await.map_err(errors::of_broker);
    let appended = appended.and_then(|appended| {
        appended
            .first()
            .copied()
            .ok_or_else(|| errors::internal(&"an append without answer"))
    });
    for (position, (id, message)) in (0..).zip(group.messages) {
        match &appended {
            Ok(appended) => {
                response
                    .successful
                    .push((id, message.into_response(queue, appended, position)));
            }
            Err(error) => response.failed.push(Failure {
                id,
                error: error.clone(),
            }),
        }
    }
}

fn check_fifo(queue: &Queue, entries: &[Entry]) -> Result<(), Error> {
    if !queue.attributes.fifo {
        return Ok(());
    }
    if entries.iter().any(|entry| entry.message.group_id.is_none()) {
        return Err(Error::missing("MessageGroupId"));
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
