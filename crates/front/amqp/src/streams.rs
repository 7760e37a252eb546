//! Reading without taking: what a consumer of a stream asks for, with RabbitMQ's texts.
//!
//! ```text
//!  x-stream-offset             first │ last │ next (the default) │ offset │ time │ age, as "1h"
//!  x-stream-filter             a text or several: only messages whose header
//!                              x-stream-filter-value is one of them
//!  x-stream-match-unfiltered   true: and those without this header
//!  x-stele-partition           which partition of a log that has several
//! ```
//!
//! A stream is read so. Another log is if the consumer asks for it by `x-stream-offset` and the log
//! keeps its records for a time or up to a size.

use bytes::Bytes;
use stele_base_types::{Name, Offset, PartitionId, PartitionIndex, Timestamp};
use stele_core_broker::{self as broker, Broker, Read, ReadError};
use stele_core_engine::LogDefinition;
use stele_wire_amqp::{EncodedTable, Properties, RawProperties, ShortOctets, Table, Value};

use crate::{
    arguments::binary,
    connection::Connection,
    errors::{Fault, Subject},
    periods,
    queue_arguments::{is_stream, not_of_type, type_name},
};

const OFFSET: &str = "x-stream-offset";
const FILTER: &str = "x-stream-filter";
const MATCH_UNFILTERED: &str = "x-stream-match-unfiltered";
const FILTER_VALUE: &str = "x-stream-filter-value";
const PRIORITY: &str = "x-priority";
const PARTITION: &str = "x-stele-partition";

/// What a consumer wants to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) partition: PartitionId,
    pub(crate) start: Start,
    pub(crate) filter: Filter,
}

/// Where reading begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    /// With the first message that is kept.
    First,
    /// With the last one.
    Last,
    /// With the next one that is published.
    Next,
    /// With this one.
    Offset(Offset),
    /// With the first one that arrived then or later.
    Time(Timestamp),
    /// With the first one that arrived so many milliseconds ago or later.
    Age(u64),
}

/// Which messages are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    /// Empty: all.
    values: Vec<Bytes>,
    unfiltered: bool,
}

impl Wanted {
    /// Reads the arguments of a consumer. `None` if it takes messages as from any queue.
    pub(crate) fn read(
        queue: &LogDefinition,
        subject: &Subject<'_>,
        arguments: &Table,
    ) -> Result<Option<Self>, Fault> {
        let offset = arguments.find(OFFSET);
        if !is_stream(queue) {
            if offset.is_none() {
                return Ok(None);
            }
            if queue.config.retention.window.is_none() {
                let mut fault = not_of_type(subject, OFFSET, type_name(queue));
                fault.detail += " without x-stele-keep";
                return Err(fault);
            }
        }
        if is_stream(queue) && arguments.find(PRIORITY).is_some() {
            return Err(not_of_type(subject, PRIORITY, type_name(queue)));
        }
        let start = match offset {
            None => Start::Next,
            Some(offset) => Start::read(offset).ok_or_else(|| invalid_offset(subject, offset))?,
        };
        Ok(Some(Self {
            partition: partition(queue, subject, arguments)?,
            start,
            filter: Filter::read(arguments),
        }))
    }
}

impl Start {
    fn read(value: &Value) -> Option<Self> {
        match value {
            Value::Timestamp(seconds) => {
                let ms = i64::try_from(seconds.saturating_mul(1000)).unwrap_or(i64::MAX);
                Some(Self::Time(Timestamp(ms)))
            }
            Value::LongString(text) | Value::ByteArray(text) => match &text[..] {
                b"first" => Some(Self::First),
                b"last" => Some(Self::Last),
                b"next" => Some(Self::Next),
                other => {
                    let age = std::str::from_utf8(other).ok()?;
                    periods::age_ms(age).map(Self::Age)
                }
            },
            // As in RabbitMQ, a negative number is before the first message.
            number => {
                let offset = u64::try_from(number.as_integer()?).unwrap_or(0);
                Some(Self::Offset(Offset(offset)))
            }
        }
    }

    /// The offset to begin at.
    pub(crate) async fn find(
        self,
        broker: &Broker,
        partition: PartitionId,
        now: Timestamp,
    ) -> Result<Offset, broker::Error<ReadError>> {
        let bounds = broker.read(Read {
            partition,
            from: Offset::ZERO,
            bytes_max: 0,
        });
        let bounds = bounds.await?;
        let at = match self {
            Self::First => return Ok(bounds.start),
            Self::Last => {
                let last = Offset(bounds.committed.0.saturating_sub(1));
                return Ok(last.max(bounds.start));
            }
            Self::Next => return Ok(bounds.committed),
            Self::Offset(offset) => return Ok(offset),
            Self::Time(at) => at,
            Self::Age(ms) => Timestamp(now.0.saturating_sub_unsigned(ms)),
        };
        let found = broker.find_by_time(partition, Some(at)).await?;
        Ok(found.map_or(bounds.committed, |found| found.offset))
    }
}

impl Filter {
    fn read(arguments: &Table) -> Self {
        let values = match arguments.find(FILTER) {
            Some(Value::Array(values)) => values.iter().filter_map(text).collect(),
            value => value.and_then(text).into_iter().collect::<Vec<_>>(),
        };
        // Copied, because they outlive the read buffer.
        let values = values.iter().map(|it| Bytes::copy_from_slice(it)).collect();
        let unfiltered = arguments.find(MATCH_UNFILTERED).and_then(Value::as_bool);
        Self {
            values,
            unfiltered: unfiltered.unwrap_or(false),
        }
    }

    /// Whether every message is wanted.
    pub(crate) fn is_all(&self) -> bool {
        self.values.is_empty()
    }

    fn wants(&self, headers: &Table) -> bool {
        match headers.find(FILTER_VALUE).and_then(text) {
            _ if self.is_all() => true,
            Some(value) => self.values.contains(&value),
            None => self.unfiltered,
        }
    }
}

fn text(value: &Value) -> Option<Bytes> {
    match value {
        Value::LongString(text) => Some(text.clone()),
        _ => None,
    }
}

/// The properties of a message as a reader gets them, with its offset; `None` if the filter doesn't
/// want it.
pub(crate) fn read_as(
    properties: &RawProperties,
    offset: Offset,
    filter: &Filter,
) -> Option<RawProperties> {
    // Properties are checked when a message is published; others are made of its headers.
    let properties = properties.parse().unwrap_or_default();
    let headers = properties.headers.as_ref().map(EncodedTable::decode);
    let headers = headers.and_then(Result::ok).unwrap_or_default();
    if !filter.wants(&headers) {
        return None;
    }
    let mut headers = headers.without(OFFSET);
    let number = Value::Int64(offset.0.cast_signed());
    headers.push(ShortOctets::from_static(OFFSET), number);
    let headers = Some(EncodedTable::from(&headers));
    let with_offset = Properties {
        headers,
        ..properties
    };
    Some(with_offset.encode())
}

/// The fault for a method that streams don't have.
pub(crate) fn unsupported(method: &str, name: &Name, connection: &Connection) -> Fault {
    let subject = Subject::queue(name, &connection.session.opened.vhost);
    let queue = subject.describe();
    Fault::not_implemented(format!("{method} not supported by stream queues {queue}"))
}

/// The partition to read.
fn partition(
    queue: &LogDefinition,
    subject: &Subject<'_>,
    arguments: &Table,
) -> Result<PartitionId, Fault> {
    let count = queue.config.partitions;
    let invalid = |what: String| {
        let subject = subject.describe();
        let text = format!("invalid arg '{PARTITION}' for {subject}: {what}");
        Fault::precondition(text)
    };
    let index = match arguments.find(PARTITION) {
        Some(value) => {
            let number = value.as_integer().ok_or_else(|| {
                let type_name = value.type_name();
                invalid(format!("\"expected integer, got {type_name}\""))
            })?;
            let index = u32::try_from(number).ok();
            let index = index.filter(|index| *index < count);
            index.ok_or_else(|| invalid(format!("{number} of {count} partitions")))?
        }
        None if count == 1 => 0,
        None => return Err(invalid(format!("missing for {count} partitions"))),
    };
    Ok(PartitionId::new(queue.id, PartitionIndex(index)))
}

fn invalid_offset(subject: &Subject<'_>, value: &Value) -> Fault {
    let term = match value {
        Value::LongString(text) | Value::ByteArray(text) => binary(text),
        other => crate::arguments::term(other),
    };
    Fault::precondition(format!(
        "invalid arg '{OFFSET}' for {}: {{invalid_stream_offset_arg,{{{},{term}}}}}",
        subject.describe(),
        value.type_name()
    ))
}

#[cfg(test)]
mod tests;
