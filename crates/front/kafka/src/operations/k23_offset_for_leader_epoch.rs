//! OffsetForLeaderEpoch (key 23), versions 2 to 4.
//!
//! Returns where a leader epoch of a partition ended, so that a consumer notices records that were
//! lost with a former leader. Every record here has epoch 0, which ends where the partition does.
//!
//! Deviations: none.
//!
//! Spec: `OffsetForLeaderEpochRequest.json`; KIP-101, KIP-320.

use stele_core_broker::Action;
use stele_wire_kafka::{
    RequestHeader,
    messages::{
        OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse,
        offset_for_leader_epoch_request::OffsetForLeaderPartition,
        offset_for_leader_epoch_response::{EpochEndOffset, OffsetForLeaderTopicResult},
    },
};

use super::Operation;
use crate::{
    errors::Fault,
    session::Session,
    topics::{LEADER_EPOCH, Topic, check_leader_epoch, partition_of},
};

/// An unknown value.
const UNKNOWN: i32 = -1;

/// The operation.
pub(crate) struct OffsetForLeaderEpoch;

impl Operation for OffsetForLeaderEpoch {
    type Request = OffsetForLeaderEpochRequest;

    const VERSIONS: (i16, i16) = (2, 4);

    async fn handle(
        session: &mut Session,
        _header: &RequestHeader,
        request: OffsetForLeaderEpochRequest,
    ) -> OffsetForLeaderEpochResponse {
        let mut topics = Vec::with_capacity(request.topics.len());
        for asked in request.topics {
            let topic = session.topics().by_name(&asked.topic, Action::Describe);
            let mut ends = Vec::with_capacity(asked.partitions.len());
            for partition in asked.partitions {
                let end = end(session, &topic, &partition).await;
                ends.push(answer(partition.partition, end));
            }
            topics.push(
                OffsetForLeaderTopicResult::default()
                    .with_topic(asked.topic)
                    .with_partitions(ends),
            );
        }
        OffsetForLeaderEpochResponse::default().with_topics(topics)
    }
}

/// The largest epoch up to the requested one, and where it ended.
async fn end(
    session: &Session,
    topic: &Result<Topic, Fault>,
    asked: &OffsetForLeaderPartition,
) -> Result<(i32, i64), Fault> {
    let partition = partition_of(topic, asked.partition)?;
    check_leader_epoch(asked.current_leader_epoch)?;
    if asked.leader_epoch != LEADER_EPOCH {
        return Ok((UNKNOWN, i64::from(UNKNOWN)));
    }
    let bounds = session.topics().bounds(partition).await?;
    Ok((LEADER_EPOCH, bounds.committed.0 as i64))
}

fn answer(partition: i32, end: Result<(i32, i64), Fault>) -> EpochEndOffset {
    let answer = EpochEndOffset::default().with_partition(partition);
    match end {
        Ok((epoch, offset)) => answer.with_leader_epoch(epoch).with_end_offset(offset),
        Err(fault) => answer.with_error_code(fault.code()),
    }
}
