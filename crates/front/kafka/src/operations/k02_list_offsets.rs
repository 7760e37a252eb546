//! ListOffsets (key 2), versions 1 to 10.
//!
//! Returns, for each partition, the offset for a timestamp or for one of the special timestamps
//! below.
//!
//! | timestamp | from version | answer |
//! |---|---|---|
//! | -1 latest | 1 | the high watermark |
//! | -2 earliest | 1 | the first retained offset |
//! | -3 max timestamp | 7 | the record with the latest timestamp |
//! | -4 earliest local | 8 | as -2: there is no tiered storage |
//! | -5 latest tiered | 9 | none: there is no tiered storage |
//! | 0 and above | 1 | the first record of that time or later |
//!
//! Deviations: none known. Without transactions both isolation levels see the same end.
//!
//! Spec: `ListOffsetsRequest.json`; KIP-79, KIP-734 (-3), KIP-405 (-4), KIP-1005 (-5).

use std::time::Duration;

use stele_base_types::{Offset, PartitionId, Timestamp};
use stele_core_broker::Action;
use stele_wire_kafka::{
    RequestHeader, ResponseError,
    messages::{
        ListOffsetsRequest, ListOffsetsResponse,
        list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic},
        list_offsets_response::{ListOffsetsPartitionResponse, ListOffsetsTopicResponse},
    },
};
use tokio::time::{Instant, timeout_at};

use super::Operation;
use crate::{
    errors::Fault,
    session::Session,
    topics::{LEADER_EPOCH, Topic, check_leader_epoch, partition_of},
};

const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const MAX_TIMESTAMP: i64 = -3;
const EARLIEST_LOCAL: i64 = -4;
const LATEST_TIERED: i64 = -5;

/// The first version whose responses have the leader's epoch. Older ones can't be encoded with it.
const LEADER_EPOCHS_SINCE: i16 = 4;

/// The timeout of versions below 10, whose requests have none.
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(30);

/// The operation.
pub(crate) struct ListOffsets;

impl Operation for ListOffsets {
    type Request = ListOffsetsRequest;

    const VERSIONS: (i16, i16) = (1, 10);

    async fn handle(
        session: &mut Session,
        header: &RequestHeader,
        request: ListOffsetsRequest,
    ) -> ListOffsetsResponse {
        let timeout = match u64::try_from(request.timeout_ms) {
            Ok(timeout_ms) if header.api_version >= 10 => Duration::from_millis(timeout_ms),
            _ => TIMEOUT_DEFAULT,
        };
        let deadline = Instant::now() + timeout;
        let mut topics = Vec::with_capacity(request.topics.len());
        for topic in request.topics {
            topics.push(list_topic(session, header, topic, deadline).await);
        }
        ListOffsetsResponse::default().with_topics(topics)
    }
}

async fn list_topic(
    session: &Session,
    header: &RequestHeader,
    asked: ListOffsetsTopic,
    deadline: Instant,
) -> ListOffsetsTopicResponse {
    let topic = session.topics().by_name(&asked.name, Action::Describe);
    let mut partitions = Vec::with_capacity(asked.partitions.len());
    for partition in &asked.partitions {
        let listing = list_partition(session, header, &topic, partition);
        let listed = match timeout_at(deadline, listing).await {
            Ok(listed) => listed,
            Err(_) => Err(ResponseError::RequestTimedOut.into()),
        };
        partitions.push(partition_response(header.api_version, partition, listed));
    }
    ListOffsetsTopicResponse::default()
        .with_name(asked.name)
        .with_partitions(partitions)
}

/// An offset with the timestamp of its record, if known.
struct Listed {
    offset: Option<Offset>,
    timestamp: Option<Timestamp>,
}

impl Listed {
    fn offset(offset: Offset) -> Self {
        Self {
            offset: Some(offset),
            timestamp: None,
        }
    }

    const NOTHING: Self = Self {
        offset: None,
        timestamp: None,
    };
}

async fn list_partition(
    session: &Session,
    header: &RequestHeader,
    topic: &Result<Topic, Fault>,
    asked: &ListOffsetsPartition,
) -> Result<Listed, Fault> {
    let partition = partition_of(topic, asked.partition_index)?;
    check_leader_epoch(asked.current_leader_epoch)?;
    check_special(header.api_version, asked.timestamp)?;
    let topics = session.topics();
    Ok(match asked.timestamp {
        LATEST => Listed::offset(topics.bounds(partition).await?.committed),
        EARLIEST | EARLIEST_LOCAL => Listed::offset(topics.bounds(partition).await?.start),
        LATEST_TIERED => Listed::NOTHING,
        MAX_TIMESTAMP => find(session, partition, None).await?,
        at => find(session, partition, Some(Timestamp(at))).await?,
    })
}

/// Checks that the version has this special timestamp.
fn check_special(version: i16, timestamp: i64) -> Result<(), Fault> {
    let since = match timestamp {
        0.. | LATEST | EARLIEST => 1,
        MAX_TIMESTAMP => 7,
        EARLIEST_LOCAL => 8,
        LATEST_TIERED => 9,
        _ => i16::MAX,
    };
    if version < since {
        return Err(ResponseError::UnsupportedVersion.into());
    }
    Ok(())
}

async fn find(
    session: &Session,
    partition: PartitionId,
    at: Option<Timestamp>,
) -> Result<Listed, Fault> {
    let found = session.broker.find_by_time(partition, at).await?;
    Ok(found.map_or(Listed::NOTHING, |found| Listed {
        offset: Some(found.offset),
        timestamp: Some(found.timestamp),
    }))
}

fn partition_response(
    version: i16,
    asked: &ListOffsetsPartition,
    listed: Result<Listed, Fault>,
) -> ListOffsetsPartitionResponse {
    let response =
        ListOffsetsPartitionResponse::default().with_partition_index(asked.partition_index);
    match listed {
        Ok(listed) => response
            .with_offset(listed.offset.map_or(-1, |it| it.0 as i64))
            .with_timestamp(listed.timestamp.map_or(-1, |it| it.0))
            .with_leader_epoch(match listed.offset {
                Some(_) if version >= LEADER_EPOCHS_SINCE => LEADER_EPOCH,
                _ => -1,
            }),
        Err(fault) => response.with_error_code(fault.code()),
    }
}
