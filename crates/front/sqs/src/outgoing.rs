//! A message to be sent: checks it as SendMessage requires and converts it to a record.

use sha2::{Digest as _, Sha256};
use smallvec::SmallVec;
use stele_base_types::{PartitionIndex, Timestamp, murmur2};
use stele_core_broker::Publish;
use stele_core_engine::{AppendTarget, Appended, Columns, Schedule, partition_of_key};
use stele_wire_batch::{Batch, BatchBuilder, Body, NewRecord, RecordHeader};
use stele_wire_sqs::{
    AttributeInput, AttributeValue, Error, ErrorKind, MessageAttribute,
    content_based_deduplication_id, is_message_text, limits::MESSAGE_ATTRIBUTES_MAX,
    md5_of_attributes, md5_of_body, send_message,
};

use crate::{
    errors,
    front::Context,
    limits::{DELAY_S, FIFO_ID_LENGTH_MAX},
    message_id::{message_id, sequence_number},
    queue::Queue,
    stored::{self, NewHeaders, SystemFields},
};

/// The only system attribute that a sender can set.
const TRACE_HEADER: &str = "AWSTraceHeader";

/// A checked message.
#[derive(Debug)]
pub(crate) struct Outgoing {
    body: String,
    key: Option<String>,
    headers: NewHeaders,
    schedule: Schedule,
    /// Size of body and attributes, as the limits count it.
    size_bytes: usize,
    response: send_message::Response,
}

impl Outgoing {
    /// Checks a message that a request sends to `queue`.
    pub(crate) fn new(
        queue: &Queue,
        message: send_message::Message,
        context: &Context,
    ) -> Result<Self, Error> {
        if message.body.is_empty() {
            return Err(Error::missing("MessageBody"));
        }
        let size_bytes = message.size_bytes();
        check_size(size_bytes, queue)?;
        let attributes = checked_attributes(message.attributes)?;
        check_contents(&message.body)?;
        let trace = checked_trace(message.system_attributes)?;
        let deduplication_id = check_fifo(
            queue,
            &message.body,
            message.group_id.as_deref(),
            message.deduplication_id,
        )?;
        let delay_ms = checked_delay_ms(queue, message.delay_s)?;
        let group_id = message.group_id;
        let system = SystemFields {
            deduplication_id: deduplication_id.as_deref(),
            // The digest of system attributes covers only those that the sender gave.
            trace: trace
                .as_ref()
                .map_or(context.trace.as_deref(), |(_, attribute)| {
                    text_of(attribute)
                }),
            sender: context.principal.user(),
        };
        Ok(Self {
            headers: NewHeaders::new(&attributes, &system),
            schedule: schedule(
                queue,
                delay_ms,
                group_id.as_deref(),
                deduplication_id.as_deref(),
            ),
            size_bytes,
            response: send_message::Response {
                md5_of_body: md5_of_body(message.body.as_bytes()),
                md5_of_attributes: digest(&attributes),
                md5_of_system_attributes: digest(trace.as_slice()),
                ..send_message::Response::default()
            },
            key: group_id,
            body: message.body,
        })
    }

    /// The partition that the engine will choose, as far as it is known here; `None` means any.
    pub(crate) fn partition(&self, queue: &Queue) -> Option<PartitionIndex> {
        Some(partition_of_key(self.schedule.key?, queue.partitions))
    }

    /// The response for the message at `position` of an appended batch.
    pub(crate) fn into_response(
        self,
        queue: &Queue,
        appended: &Appended,
        position: u64,
    ) -> send_message::Response {
        let offset = appended.base.plus(position);
        send_message::Response {
            message_id: message_id(appended.partition, offset),
            sequence_number: queue.attributes.fifo.then(|| sequence_number(offset)),
            ..self.response
        }
    }
}

/// One append of messages.
pub(crate) fn publish<'a>(
    queue: &Queue,
    messages: impl Iterator<Item = &'a Outgoing> + Clone,
    now: Timestamp,
) -> Result<Publish, Error> {
    let target = AppendTarget {
        log: queue.log,
        partition: None,
    };
    Ok(Publish {
        targets: SmallVec::from_iter([target]),
        batch: batch(messages.clone(), now)?,
        columns: Columns::of(messages.map(|message| message.schedule)),
    })
}

fn batch<'a>(
    messages: impl Iterator<Item = &'a Outgoing> + Clone,
    now: Timestamp,
) -> Result<Batch, Error> {
    const RECORD_OVERHEAD_BYTES: usize = 128;
    let size = messages
        .clone()
        .map(|message| message.size_bytes + RECORD_OVERHEAD_BYTES)
        .sum();
    let mut builder = BatchBuilder::with_capacity(size);
    for message in messages {
        let headers: SmallVec<[RecordHeader<'_>; 4]> = message
            .headers
            .iter()
            .map(|(name, value)| RecordHeader::new(name, value))
            .collect();
        let record = NewRecord {
            timestamp: now,
            key: message.key.as_deref().map(str::as_bytes),
            value: Body::Whole(message.body.as_bytes()),
            headers: &headers,
        };
        builder
            .push(&record)
            .map_err(|error| errors::internal(&error))?;
    }
    Ok(builder.finish())
}

/// Whether `text` is a valid group id, deduplication id or attempt id: 1 to 128 ASCII letters,
/// digits and punctuation characters.
pub(crate) fn is_fifo_id(text: &str) -> bool {
    let fits = !text.is_empty() && text.len() <= FIFO_ID_LENGTH_MAX;
    fits && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Checks such an id.
pub(crate) fn check_fifo_id(text: &str, parameter: &str) -> Result<(), Error> {
    if is_fifo_id(text) {
        return Ok(());
    }
    let reason = format!(
        "{parameter} can only include alphanumeric and punctuation characters. \
         1 to {FIFO_ID_LENGTH_MAX} in length."
    );
    Err(Error::invalid_value(text, parameter, &reason))
}

/// A stable hash of an id, wide enough to exclude collisions.
pub(crate) fn hash_of_id(parts: &[&str]) -> u128 {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        digest.update(part);
    }
    let bytes: [u8; 16] = digest.finalize()[..16]
        .try_into()
        .expect("SHA-256 has 32 bytes");
    u128::from_be_bytes(bytes)
}

fn checked_attributes(
    given: Vec<(String, AttributeInput)>,
) -> Result<Vec<(String, MessageAttribute)>, Error> {
    if given.len() > MESSAGE_ATTRIBUTES_MAX {
        return Err(invalid(format!(
            "Number of message attributes [{}] exceeds the allowed maximum \
             [{MESSAGE_ATTRIBUTES_MAX}].",
            given.len()
        )));
    }
    let mut checked: Vec<(String, MessageAttribute)> = Vec::with_capacity(given.len());
    for (name, input) in given {
        stored::check_name(&name)?;
        if checked.iter().any(|(known, _)| *known == name) {
            return Err(invalid(format!(
                "Message (user) attribute '{name}' is given twice."
            )));
        }
        let attribute = MessageAttribute::from_input(&name, input)?;
        checked.push((name, attribute));
    }
    Ok(checked)
}

fn checked_trace(
    given: Vec<(String, AttributeInput)>,
) -> Result<Option<(String, MessageAttribute)>, Error> {
    let mut trace = None;
    for (name, input) in given {
        if name != TRACE_HEADER {
            return Err(invalid(format!(
                "Message system attribute name '{name}' is invalid."
            )));
        }
        // The value follows the rules of any attribute. The name is a placeholder, because the
        // prefix of the real name is reserved.
        let attribute = MessageAttribute::from_input("TraceHeader", input)?;
        if attribute.data_type != "String" {
            return Err(invalid(format!(
                "The type of message system attribute '{name}' must be String."
            )));
        }
        trace = Some((name, attribute));
    }
    Ok(trace)
}

fn check_size(size_bytes: usize, queue: &Queue) -> Result<(), Error> {
    let max = queue.attributes.message_size_bytes_max;
    if u64::try_from(size_bytes).is_ok_and(|size| size <= max) {
        return Ok(());
    }
    Err(invalid(format!(
        "One or more parameters are invalid. Reason: Message must be shorter than {max} bytes."
    )))
}

fn check_contents(body: &str) -> Result<(), Error> {
    if is_message_text(body) {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::InvalidMessageContents,
        "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 to #xD7FF \
         | #xE000 to #xFFFD | #x10000 to #x10FFFF",
    ))
}

/// Checks the ids of a message against the kind of its queue. Returns the effective deduplication
/// id.
fn check_fifo(
    queue: &Queue,
    body: &str,
    group_id: Option<&str>,
    deduplication_id: Option<String>,
) -> Result<Option<String>, Error> {
    if let Some(group_id) = group_id {
        check_fifo_id(group_id, "MessageGroupId")?;
    }
    if let Some(id) = &deduplication_id {
        check_fifo_id(id, "MessageDeduplicationId")?;
    }
    if !queue.attributes.fifo {
        return match deduplication_id {
            None => Ok(None),
            Some(id) => Err(Error::invalid_value(
                id,
                "MessageDeduplicationId",
                "The request includes a parameter that is not valid for this queue type.",
            )),
        };
    }
    if group_id.is_none() {
        return Err(Error::missing("MessageGroupId"));
    }
    match deduplication_id {
        Some(id) => Ok(Some(id)),
        None if queue.attributes.content_based_deduplication => {
            Ok(Some(content_based_deduplication_id(body.as_bytes())))
        }
        None => Err(invalid(
            "The queue should either have ContentBasedDeduplication enabled or \
             MessageDeduplicationId provided explicitly"
                .to_owned(),
        )),
    }
}

fn checked_delay_ms(queue: &Queue, delay_s: Option<i32>) -> Result<Option<u64>, Error> {
    let Some(delay_s) = delay_s else {
        return Ok(None);
    };
    if !DELAY_S.contains(&delay_s) {
        let reason = "DelaySeconds must be >= 0 and <= 900.";
        return Err(Error::invalid_value(delay_s, "DelaySeconds", reason));
    }
    if queue.attributes.fifo {
        // Messages of a FIFO queue have the queue's delay; SDKs send 0 if none is requested.
        if delay_s != 0 {
            let reason = "The request include parameter that is not valid for this queue type.";
            return Err(Error::invalid_value(delay_s, "DelaySeconds", reason));
        }
        return Ok(None);
    }
    Ok(Some(u64::from(delay_s.unsigned_abs()) * 1000))
}

fn schedule(
    queue: &Queue,
    delay_ms: Option<u64>,
    group_id: Option<&str>,
    deduplication_id: Option<&str>,
) -> Schedule {
    let key = group_id.map(|group| murmur2(group.as_bytes()));
    if !queue.attributes.fifo {
        // The queue's own delay needn't be stored.
        let own_ms = queue.attributes.delay_s * 1000;
        return Schedule {
            key,
            delay_ms: delay_ms.filter(|delay_ms| *delay_ms != own_ms),
            ..Schedule::default()
        };
    }
    let group = group_id.unwrap_or_default();
    let deduplication = deduplication_id.map(|id| {
        if queue.attributes.deduplication_by_group {
            hash_of_id(&[group, id])
        } else {
            hash_of_id(&[id])
        }
    });
    Schedule {
        key,
        delay_ms,
        deduplication,
        ..Schedule::default()
    }
}

fn digest(attributes: &[(String, MessageAttribute)]) -> Option<String> {
    md5_of_attributes(
        attributes
            .iter()
            .map(|(name, attribute)| (name.as_str(), attribute)),
    )
}

fn text_of(attribute: &MessageAttribute) -> Option<&str> {
    match &attribute.value {
        AttributeValue::Text(text) => Some(text),
        AttributeValue::Binary(_) => None,
    }
}

fn invalid(message: String) -> Error {
    Error::new(ErrorKind::InvalidParameterValue, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_fifo_queues_are_printable_ascii() {
        for good in [
            "a",
            "A!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~9",
            &"x".repeat(128),
        ] {
            assert!(is_fifo_id(good), "{good}");
        }
        for bad in ["", " ", "a b", "ä", "a\n", &"x".repeat(129)] {
            assert!(!is_fifo_id(bad), "{bad:?}");
        }
    }

    #[test]
    fn hashes_of_ids_tell_their_parts_apart() {
        assert_ne!(hash_of_id(&["ab", "c"]), hash_of_id(&["a", "bc"]));
        assert_ne!(hash_of_id(&["abc"]), hash_of_id(&["abc", ""]));
        assert_eq!(hash_of_id(&["abc"]), hash_of_id(&["abc"]));
    }
}
