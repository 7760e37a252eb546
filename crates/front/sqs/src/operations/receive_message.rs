//! ReceiveMessage: leases up to ten messages of a queue, and waits for the first if requested.
//!
//! - Fields: all of the API. `WaitTimeSeconds` and `VisibilityTimeout` default to the queue's
//!   values; `ReceiveRequestAttemptId` applies to FIFO queues.
//! - `MessageAttributeNames`: names, prefixes (`a.*`), `All`, `*` or `.*`. System attributes: all.
//!   `SenderId` is the access key, or the account if requests aren't signed.
//! - A client that disconnects while it waits receives nothing.
//! - At the limit of in-flight messages, a short poll fails, a long poll waits for room, and a FIFO
//!   queue returns nothing.
//! - Deviations: a request has at most 16 KiB; a receive that already waits still gets its messages
//!   if the limit is reached meanwhile; messages are added until they total 16 MiB, which ten
//!   messages of SQS don't reach; a record from another protocol is shown as described in
//!   `docs/protocols/mapping.md`, whatever its size.
//! - Spec: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html>

use std::{ops::RangeInclusive, pin::pin, time::Duration};

use smallvec::SmallVec;
use stele_base_types::PartitionId;
use stele_core_broker::{
    self as broker, Action, Deaths, LeasedBatch, LeasedMessage, LeasedMessages, Memory, origin_of,
};
use stele_core_engine::{
    LeaseRequest, LeasedRecord, LedgerId, LogError, Outcome, Settle, SettleItem,
};
use stele_wire_sqs::{
    Error, MessageAttribute, Response, md5_of_attributes, md5_of_body, receive_message,
};
use tokio::time::{Instant, sleep};

use crate::{
    attributes, errors,
    front::{Context, Front},
    limits::{
        IN_FLIGHT_LOOK, RECEIVE_MESSAGES, RECEIVE_WAIT_S, RECEIVED_BYTES_MAX, VISIBILITY_TIMEOUT_S,
    },
    message_id::{message_id, sequence_number},
    outgoing::{check_fifo_id, hash_of_id},
    queue::Queue,
    receipt::Receipt,
    stored::StoredMessage,
};

/// The system attributes, in the order of responses.
const SYSTEM_ATTRIBUTES: [&str; 9] = [
    "SenderId",
    "SentTimestamp",
    "ApproximateReceiveCount",
    "ApproximateFirstReceiveTimestamp",
    "SequenceNumber",
    "MessageDeduplicationId",
    "MessageGroupId",
    "AWSTraceHeader",
    "DeadLetterQueueSourceArn",
];

pub(super) async fn run(
    front: &Front,
    context: &Context,
    request: receive_message::Request,
) -> Result<Response, Error> {
    // What comes before a wait, and after it, is in a place of its own: the wait, of which there
    // may be thousands, has no room for it.
    let queue = Box::pin(front.queue(context, &request.queue_url, Action::Consume)).await?;
    check_system_names(&request.system_attribute_names)?;
    let mut lease = lease_request(front, &queue, &request)?;
    let mut messages = Vec::new();
    // After records that aren't messages or can't be read, there may be others.
    while messages.is_empty() {
        let batches = lease_within_limit(front, &queue, lease).await?;
        if batches.is_empty() {
            break;
        }
        for leased in Box::pin(read(front, &queue, batches)).await? {
            messages.push(message(front, &queue, &request, leased));
        }
        lease.wait_ms = None;
    }
    Ok(Response::ReceiveMessage(receive_message::Response {
        messages,
    }))
}

/// Reads the messages of leased records. If they exceed the size of a response, the rest returns to
/// its place in the queue.
async fn read(
    front: &Front,
    queue: &Queue,
    batches: Vec<LeasedBatch>,
) -> Result<Vec<LeasedMessage>, Error> {
    let broker = &front.broker.for_client();
    let batches = batches.into_iter().map(|batch| batch.messages(queue.log));
    let mut batches: Vec<LeasedMessages> = batches.collect();
    let size_bytes = batches.iter().map(LeasedMessages::size_bytes_max).sum();
    let kind = Memory::kind_of_response(size_bytes);
    let mut room = broker.memory().take(kind, size_bytes).await;
    let mut messages = Vec::new();
    let mut received_bytes = 0;
    for batch in &mut batches {
        let part = room.split(batch.size_bytes_max());
        let read = broker.read_leased(batch, part).await;
        read.map_err(errors::of_broker)?;
        while received_bytes <= RECEIVED_BYTES_MAX {
            let message = broker.next_message(batch).await;
            let Some(message) = message.map_err(errors::of_broker)? else {
                break;
            };
            received_bytes += message.record.size_bytes();
            messages.push(message);
        }
        give_back(front, queue, batch).await;
    }
    Ok(messages)
}

async fn give_back(front: &Front, queue: &Queue, left: &LeasedMessages) {
    let partition = left.partition();
    let item = |lease: &LeasedRecord| SettleItem {
        partition,
        offset: lease.offset,
        lease: Some(lease.lease),
    };
    let items: SmallVec<_> = left.leases().iter().map(item).collect();
    if items.is_empty() {
        return;
    }
    let settle = Settle {
        log: queue.log,
        ledger: LedgerId::DEFAULT,
        items,
        outcome: Outcome::Return(0),
        durable: false,
    };
    // If this fails, they return at their deadlines.
    drop(front.broker.settle(settle).await);
}

/// Leases messages. At the limit of in-flight messages, a long poll also waits for room below the
/// limit, and returns nothing if none appears. A short poll fails, except for FIFO queues, as in
/// AWS.
async fn lease_within_limit(
    front: &Front,
    queue: &Queue,
    mut lease: LeaseRequest,
) -> Result<Vec<LeasedBatch>, Error> {
    let wait = Duration::from_millis(lease.wait_ms.unwrap_or_default());
    let until = Instant::now() + wait;
    loop {
        match lease_or_stop(front, queue, lease).await {
            Err(broker::Error::Refused(LogError::TooManyLeased)) if !wait.is_zero() => {}
            Err(broker::Error::Refused(LogError::TooManyLeased)) if queue.attributes.fifo => {
                return Ok(Vec::new());
            }
            leased => return leased.map_err(errors::of_broker),
        }
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(Vec::new());
        }
        tokio::select! {
            () = sleep(left.min(IN_FLIGHT_LOOK)) => {}
            () = front.stopped() => return Ok(Vec::new()),
        }
        let left = until.saturating_duration_since(Instant::now());
        lease.wait_ms = u64::try_from(left.as_millis())
            .ok()
            .filter(|left| *left > 0);
    }
}

/// Leases messages. A wait returns nothing when the front stops.
async fn lease_or_stop(
    front: &Front,
    queue: &Queue,
    lease: LeaseRequest,
) -> Result<Vec<LeasedBatch>, broker::Error<LogError>> {
    let mut leasing = pin!(front.broker.lease(queue.log, lease));
    if lease.wait_ms.is_none() {
        return leasing.await;
    }
    tokio::select! {
        biased;
        leased = leasing.as_mut() => leased,
        () = front.stopped() => Ok(Vec::new()),
    }
}

fn lease_request(
    front: &Front,
    queue: &Queue,
    request: &receive_message::Request,
) -> Result<LeaseRequest, Error> {
    let records_max = in_range(
        request.messages_max.unwrap_or(1),
        RECEIVE_MESSAGES,
        "MaxNumberOfMessages",
        "Must be between 1 and 10, if provided.",
    )?;
    let wait_s = request.wait_time_s.map(|wait_s| {
        let reason = "Must be >= 0 and <= 20, if provided.";
        in_range(wait_s, RECEIVE_WAIT_S, "WaitTimeSeconds", reason)
    });
    let wait_s = wait_s
        .transpose()?
        .map_or(queue.attributes.receive_wait_s, u64::from);
    let lease_s = request.visibility_timeout_s.map(|lease_s| {
        let reason = "Must be >= 0 and <= 43200, if provided.";
        in_range(lease_s, VISIBILITY_TIMEOUT_S, "VisibilityTimeout", reason)
    });
    let lease_s = lease_s
        .transpose()?
        .map_or(queue.attributes.visibility_timeout_s, u64::from);
    Ok(LeaseRequest {
        ledger: LedgerId::DEFAULT,
        holder: front.holder,
        records_max,
        lease_ms: Some(lease_s * 1000),
        settle: false,
        wait_ms: (wait_s > 0).then_some(wait_s * 1000),
        attempt: attempt(queue, request.attempt_id.as_deref())?,
        leased_max: Some(front.settings.in_flight_max),
    })
}

fn attempt(queue: &Queue, id: Option<&str>) -> Result<Option<u128>, Error> {
    let Some(id) = id else { return Ok(None) };
    check_fifo_id(id, "ReceiveRequestAttemptId")?;
    if !queue.attributes.fifo {
        let reason = "The request include parameter that is not valid for this queue type.";
        return Err(Error::invalid_value(id, "ReceiveRequestAttemptId", reason));
    }
    Ok(Some(hash_of_id(&[id])))
}

fn in_range(
    value: i32,
    range: RangeInclusive<i32>,
    parameter: &str,
    reason: &str,
) -> Result<u32, Error> {
    if range.contains(&value) {
        Ok(value.unsigned_abs())
    } else {
        Err(Error::invalid_value(value, parameter, reason))
    }
}

fn check_system_names(names: &[String]) -> Result<(), Error> {
    let is_known = |name: &String| {
        let name = name.as_str();
        // The deprecated list has the type of queue attribute names, which match nothing here.
        name == "All" || SYSTEM_ATTRIBUTES.contains(&name) || attributes::is_known(name)
    };
    match names.iter().find(|name| !is_known(name)) {
        None => Ok(()),
        Some(unknown) => Err(attributes::unknown(unknown)),
    }
}

fn message(
    front: &Front,
    queue: &Queue,
    request: &receive_message::Request,
    leased: LeasedMessage,
) -> receive_message::Message {
    let stored = StoredMessage::of(&leased.record);
    let receipt = Receipt {
        log: queue.log,
        partition: leased.partition,
        offset: leased.lease.offset,
        lease: leased.lease.lease,
        deliveries: Some(leased.lease.deliveries),
    };
    let system_attributes = SYSTEM_ATTRIBUTES
        .into_iter()
        .filter(|name| is_wanted(&request.system_attribute_names, name))
        .filter_map(|name| {
            Some((
                name.to_owned(),
                system_attribute(front, queue, &leased, &stored, name)?,
            ))
        })
        .collect();
    let attributes = wanted_attributes(&request.message_attribute_names, stored.attributes);
    let named = attributes
        .iter()
        .map(|(name, attribute)| (name.as_str(), attribute));
    receive_message::Message {
        message_id: id_of(queue, &leased),
        receipt_handle: receipt.seal(&queue.secret),
        md5_of_body: md5_of_body(stored.body.as_bytes()),
        body: stored.body,
        system_attributes,
        md5_of_attributes: md5_of_attributes(named),
        attributes,
    }
}

/// The id of a message, which it keeps when it is moved to another queue.
fn id_of(queue: &Queue, leased: &LeasedMessage) -> String {
    let place = || {
        let partition = PartitionId::new(queue.log, leased.partition);
        (partition, leased.lease.offset)
    };
    let (partition, offset) = origin_of(&leased.record).unwrap_or_else(place);
    message_id(partition, offset)
}

/// The queue from which a message came to this one as a dead letter.
fn source_of(front: &Front, queue: &Queue, leased: &LeasedMessage) -> Option<String> {
    let source = Deaths::of(&leased.record)?.last?.queue;
    (source != *queue.name).then(|| front.queue_arn(&source))
}

fn is_wanted(names: &[String], name: &str) -> bool {
    names.iter().any(|wanted| wanted == "All" || wanted == name)
}

fn system_attribute(
    front: &Front,
    queue: &Queue,
    leased: &LeasedMessage,
    stored: &StoredMessage,
    name: &str,
) -> Option<String> {
    match name {
        "SenderId" => Some(
            stored
                .sender
                .as_ref()
                .unwrap_or(&front.settings.account_id)
                .clone(),
        ),
        "SentTimestamp" => Some(leased.record.timestamp.0.to_string()),
        "ApproximateReceiveCount" => Some(leased.lease.deliveries.to_string()),
        "ApproximateFirstReceiveTimestamp" => Some(leased.lease.delivered_first.0.to_string()),
        "SequenceNumber" => queue
            .attributes
            .fifo
            .then(|| sequence_number(leased.lease.offset)),
        "MessageDeduplicationId" => stored.deduplication_id.clone(),
        "MessageGroupId" => stored.group_id.clone(),
        "AWSTraceHeader" => stored.trace.clone(),
        "DeadLetterQueueSourceArn" => source_of(front, queue, leased),
        _ => None,
    }
}

/// The attributes requested by name, by prefix (`a.*`) or all (`All`, `*`, `.*`).
fn wanted_attributes(
    names: &[String],
    mut attributes: Vec<(String, MessageAttribute)>,
) -> Vec<(String, MessageAttribute)> {
    attributes.retain(|(name, _)| {
        names.iter().any(|wanted| match wanted.strip_suffix(".*") {
            Some(prefix) => name.starts_with(prefix),
            None => wanted == "All" || wanted == "*" || wanted == name,
        })
    });
    attributes
}

#[cfg(test)]
mod tests {
    use stele_wire_sqs::AttributeValue;

    use super::*;

    #[test]
    fn attributes_are_wanted_by_name_prefix_or_all() {
        let attribute = MessageAttribute {
            data_type: "String".to_owned(),
            value: AttributeValue::Text("x".to_owned()),
        };
        let wanted = |names: &[&str]| {
            let all =
                ["General", "Hello", "Help.Me"].map(|name| (name.to_owned(), attribute.clone()));
            let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
            let kept = wanted_attributes(&names, all.into());
            kept.into_iter().map(|(name, _)| name).collect::<Vec<_>>()
        };
        assert_eq!(wanted(&[]), [""; 0]);
        assert_eq!(wanted(&["All"]), ["General", "Hello", "Help.Me"]);
        assert_eq!(wanted(&["*"]), ["General", "Hello", "Help.Me"]);
        assert_eq!(wanted(&[".*"]), ["General", "Hello", "Help.Me"]);
        assert_eq!(wanted(&["Hello", "Foo"]), ["Hello"]);
        assert_eq!(wanted(&["Hel.*"]), ["Hello", "Help.Me"]);
        assert_eq!(wanted(&["hello", "Hel*"]), [""; 0]);
    }
}
