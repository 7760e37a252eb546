//! Produce (key 0), versions 3 to 13.
//!
//! Appends one batch to each given partition. The batch is checked (length, checksum, counts and
//! every record, decompressed piece by piece) and stored unchanged, except for the latest timestamp
//! in its header, which is computed from the records. The engine checks an idempotent producer's
//! sequence numbers.
//!
//! `acks` 1 and -1 are the same: the response is sent when the topic's durability is reached. With
//! 0 there is no response; a failure closes the connection.
//!
//! Deviations: `LogAppendTime` isn't supported. A batch whose records exceed 128 MiB when
//! decompressed is refused. A transactional batch is refused, and so is its transactional id.
//! Versions below 3, which have the message formats 0 and 1, aren't supported; nor are they in
//! Kafka 4.
//!
//! Spec: `ProduceRequest.json`; KIP-98 (idempotence), KIP-467 (record errors), KIP-516 (topic ids).

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use stele_base_types::{Offset, Timestamp};
use stele_core_broker::{Action, Appending, Failure, FrontMeter, Publish};
use stele_core_engine::{AppendTarget, Columns};
use stele_wire_batch::{Batch, Compression, Times};
use stele_wire_kafka::{
    RequestHeader, Response, ResponseError, decode, encode,
    messages::{
        ApiKey, ProduceRequest, ProduceResponse, TopicName,
        produce_request::{PartitionProduceData, TopicProduceData},
        produce_response::{PartitionProduceResponse, TopicProduceResponse},
    },
};
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

use super::{Running, position};
use crate::{
    errors::Fault,
    session::{Answer, Session, SessionError},
    topics::Topic,
};

pub(crate) const KEY: i16 = ApiKey::Produce as i16;
pub(crate) const VERSIONS: (i16, i16) = (3, 13);

/// The first version with topic ids.
const TOPIC_IDS_SINCE: i16 = 13;

/// The first version whose clients can read zstd (KIP-110).
const ZSTD_SINCE: i16 = 7;

/// A produce request that has been sent to its shards.
#[derive(Debug)]
pub struct Pending {
    header: RequestHeader,
    is_acknowledged: bool,
    deadline: Instant,
    topics: Vec<PendingTopic>,
    meter: Arc<FrontMeter>,
}

#[derive(Debug)]
struct PendingTopic {
    name: TopicName,
    id: Uuid,
    partitions: Vec<PendingPartition>,
}

#[derive(Debug)]
struct PendingPartition {
    index: i32,
    state: State,
}

#[derive(Debug)]
enum State {
    Sent(Appending),
    Answered(Result<Placed, Fault>),
}

/// The state of a batch.
#[derive(Clone, Copy, Debug)]
struct Placed {
    base: Offset,
    start: Offset,
}

pub(crate) fn run(session: &mut Session, header: RequestHeader, body: Bytes) -> Running<'_> {
    Box::pin(async move {
        let request: ProduceRequest = decode(header.api_version, body)?;
        let timeout_ms = u64::try_from(request.timeout_ms).unwrap_or(0);
        let whole = check_request(&request);
        let mut topics = Vec::with_capacity(request.topic_data.len());
        for topic in request.topic_data {
            topics.push(begin_topic(session, &header, &whole, topic).await);
        }
        Ok(Answer::Produce(Pending {
            header,
            is_acknowledged: request.acks != 0,
            deadline: Instant::now() + Duration::from_millis(timeout_ms),
            topics,
            meter: Arc::clone(&session.meter),
        }))
    })
}

/// Checks the request as a whole.
fn check_request(request: &ProduceRequest) -> Result<(), Fault> {
    if !(-1..=1).contains(&request.acks) {
        return Err(ResponseError::InvalidRequiredAcks.into());
    }
    if request.transactional_id.is_some() {
        return Err(Fault::new(
            ResponseError::TransactionalIdAuthorizationFailed,
            "transactions aren't supported",
        ));
    }
    Ok(())
}

async fn begin_topic(
    session: &Session,
    header: &RequestHeader,
    whole: &Result<(), Fault>,
    topic: TopicProduceData,
) -> PendingTopic {
    let target = match whole {
        Ok(()) => find_topic(session, header, &topic),
        Err(fault) => Err(fault.clone()),
    };
    let mut partitions = Vec::with_capacity(topic.partition_data.len());
    for partition in topic.partition_data {
        let index = partition.index;
        let checked = match &target {
            Ok(target) => check_partition(session, header, target, partition).await,
            Err(fault) => Err(fault.clone()),
        };
        let state = match checked {
            Ok(publish) => State::Sent(session.broker.begin_append(publish).await),
            Err(fault) => State::Answered(Err(fault)),
        };
        partitions.push(PendingPartition { index, state });
    }
    PendingTopic {
        name: topic.name,
        id: topic.topic_id,
        partitions,
    }
}

fn find_topic(
    session: &Session,
    header: &RequestHeader,
    topic: &TopicProduceData,
) -> Result<Topic, Fault> {
    let topics = session.topics();
    if header.api_version >= TOPIC_IDS_SINCE {
        return topics.by_id(topic.topic_id, Action::Write);
    }
    topics.by_name(&topic.name, Action::Write)
}

async fn check_partition(
    session: &Session,
    header: &RequestHeader,
    topic: &Topic,
    data: PartitionProduceData,
) -> Result<Publish, Fault> {
    let partition = topic
        .partition(data.index)
        .ok_or(ResponseError::UnknownTopicOrPartition)?;
    let records = data.records.filter(|records| !records.is_empty());
    let records = records.ok_or_else(|| {
        Fault::new(
            ResponseError::InvalidRecord,
            "a produce request must hold exactly one record batch for each partition",
        )
    })?;
    let batch = Batch::new(records)?;
    if batch.bytes().len() > topic.batch_size_bytes_max as usize {
        let message = format!(
            "the batch of {} bytes exceeds the topic's max.message.bytes of {}",
            batch.bytes().len(),
            topic.batch_size_bytes_max
        );
        return Err(Fault::new(ResponseError::MessageTooLarge, message));
    }
    let times = session.broker.validate(&batch).await??;
    check_header(header, &batch)?;
    if let Some(times) = times {
        check_times(times, topic, session.settings.clock.now())?;
    }
    let columns = if topic.is_sized {
        session.broker.sizes_of(&batch).await??
    } else if topic.is_fifo {
        session.broker.keys_of(&batch).await??
    } else {
        Columns::default()
    };
    let target = AppendTarget {
        log: partition.log,
        partition: Some(partition.index),
    };
    let batch = batch.with_max_timestamp(Times::max_timestamp(times));
    Ok(Publish {
        columns,
        ..Publish::to(target, batch)
    })
}

/// Checks that the records' timestamps are acceptable for the topic.
fn check_times(times: Times, topic: &Topic, now: Timestamp) -> Result<(), Fault> {
    let bounds = &topic.time_bounds;
    let is_early = now.since_ms(times.earliest) > bounds.before_ms_max;
    let is_late = times.latest.since_ms(now) > bounds.after_ms_max;
    if is_early || is_late {
        let wrong = if is_early {
            times.earliest
        } else {
            times.latest
        };
        let message = format!(
            "timestamp {} is out of range: it may be {} ms before the broker's time {} or {} ms \
             after it",
            wrong.0, bounds.before_ms_max, now.0, bounds.after_ms_max
        );
        return Err(Fault::new(ResponseError::InvalidTimestamp, message));
    }
    Ok(())
}

fn check_header(request: &RequestHeader, batch: &Batch) -> Result<(), Fault> {
    let header = batch.header();
    let refuse = |error, message: &str| Err(Fault::new(error, message));
    if header.is_control() {
        let message = "clients can't write control records";
        return refuse(ResponseError::InvalidRecord, message);
    }
    if header.is_transactional() {
        return refuse(
            ResponseError::InvalidTxnState,
            "transactions aren't supported",
        );
    }
    if header.is_log_append_time() {
        let message = "only the broker may set the append time";
        return refuse(ResponseError::InvalidTimestamp, message);
    }
    if header
        .producer()
        .is_some_and(|producer| producer.epoch.0 < 0 || producer.base_sequence.0 < 0)
    {
        let message = "a producer id needs an epoch and a sequence number";
        return refuse(ResponseError::InvalidRecord, message);
    }
    if header.compression() == Compression::Zstd && request.api_version < ZSTD_SINCE {
        let message = "zstd needs version 7 of the produce request";
        return refuse(ResponseError::UnsupportedCompressionType, message);
    }
    Ok(())
}

impl Pending {
    /// Waits for every partition. Returns `None` if the client wants no response. Cancel-safe: may
    /// be called again until it has returned.
    pub async fn finish(&mut self) -> Result<Option<Response>, SessionError> {
        let deadline = self.deadline;
        for partition in self.partitions_mut() {
            partition.finish(deadline).await;
        }
        let fault = self.first_fault();
        if fault.is_some() {
            self.meter.error(position(KEY), 1);
        }
        match fault {
            _ if self.is_acknowledged => Ok(Some(self.response()?)),
            Some(fault) => Err(SessionError::Unacknowledged(fault.to_string())),
            None => Ok(None),
        }
    }

    fn partitions_mut(&mut self) -> impl Iterator<Item = &mut PendingPartition> {
        self.topics.iter_mut().flat_map(|it| &mut it.partitions)
    }

    fn first_fault(&self) -> Option<&Fault> {
        let mut partitions = self.topics.iter().flat_map(|it| &it.partitions);
        partitions.find_map(|partition| match &partition.state {
            State::Answered(Err(fault)) => Some(fault),
            State::Answered(Ok(_)) | State::Sent(_) => None,
        })
    }

    fn response(&self) -> Result<Response, SessionError> {
        let topics = self.topics.iter().map(|topic| {
            let partitions = topic.partitions.iter().map(PendingPartition::response);
            TopicProduceResponse::default()
                .with_name(topic.name.clone())
                .with_topic_id(topic.id)
                .with_partition_responses(partitions.collect())
        });
        let response = ProduceResponse::default().with_responses(topics.collect());
        Ok(encode::<ProduceRequest>(&self.header, &response)?)
    }
}

impl PendingPartition {
    async fn finish(&mut self, deadline: Instant) {
        if let State::Sent(appending) = &mut self.state {
            let answer = match timeout_at(deadline, appending.finish()).await {
                Ok(Ok(appended)) => placed(&appended),
                Ok(Err(error)) => Err(error.into()),
                Err(_) => Err(ResponseError::RequestTimedOut.into()),
            };
            self.state = State::Answered(answer);
        }
    }

    fn response(&self) -> PartitionProduceResponse {
        let response = PartitionProduceResponse::default()
            .with_index(self.index)
            .with_log_append_time_ms(-1);
        match &self.state {
            State::Answered(Ok(placed)) => response
                .with_base_offset(placed.base.0 as i64)
                .with_log_start_offset(placed.start.0 as i64),
            State::Answered(Err(fault)) => response
                .with_error_code(fault.code())
                .with_error_message(fault.text())
                .with_base_offset(-1)
                .with_log_start_offset(-1),
            // Not reached: `finish` waits for all partitions.
            State::Sent(_) => response.with_error_code(ResponseError::RequestTimedOut.code()),
        }
    }
}

fn placed(appended: &[stele_core_engine::Appended]) -> Result<Placed, Fault> {
    let appended = appended.first().ok_or(Failure::Stopping)?;
    Ok(Placed {
        base: appended.base,
        start: appended.start,
    })
}
