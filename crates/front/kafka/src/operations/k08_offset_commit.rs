//! OffsetCommit (key 8), versions 2 to 9.
//!
//! Commits a group's offsets: by a member of its current generation, or by anyone while it has no
//! members (generation -1). The response is sent when the offsets are on disk.
//!
//! A negative offset is stored and returned, as in Kafka: kafkajs commits -1 and -2 to start a
//! group at its topic's end or beginning. The engine only stores committed offsets, so it can hold
//! a negative one as its two's complement.
//!
//! Deviations: `retention_time_ms` of versions up to 4 is ignored, as in newer Kafka releases,
//! which keep offsets by the group's lifetime; here they are kept until the group or the topic is
//! deleted. Version 10, which has topic ids, isn't supported.
//!
//! Spec: `OffsetCommitRequest.json`; KIP-345 (static members).

use hashbrown::HashMap;
use stele_base_types::{Offset, PartitionId};
use stele_core_broker::Action;
use stele_core_engine::{CommitOffset, CommitOffsets, limits::OFFSET_METADATA_BYTES_MAX};
use stele_wire_kafka::{
    RequestHeader, ResponseError,
    messages::{
        OffsetCommitRequest, OffsetCommitResponse,
        offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic},
        offset_commit_response::{OffsetCommitResponsePartition, OffsetCommitResponseTopic},
    },
};

use super::Operation;
use crate::{
    errors::{Coded as _, Fault},
    groups::{self, boxed, boxed_option},
    session::Session,
    topics::{Topic, partition_of},
};

/// The operation.
pub(crate) struct OffsetCommit;

impl Operation for OffsetCommit {
    type Request = OffsetCommitRequest;

    const VERSIONS: (i16, i16) = (2, 9);

    async fn handle(
        session: &mut Session,
        _header: &RequestHeader,
        request: OffsetCommitRequest,
    ) -> OffsetCommitResponse {
        let mut refused = HashMap::new();
        let mut offsets = Vec::new();
        for topic in &request.topics {
            let found = session.topics().by_name(&topic.name, Action::Read);
            for partition in &topic.partitions {
                match offset_of(&found, partition) {
                    Ok(offset) => offsets.push(offset),
                    Err(error) => {
                        refused.insert((topic.name.clone(), partition.partition_index), error);
                    }
                }
            }
        }
        let partitions: Vec<PartitionId> = offsets.iter().map(|it| it.partition).collect();
        let results = commit(session, &request, offsets).await;
        let results = partitions.into_iter().zip(results).collect();
        let topics = request.topics.iter().map(|topic| {
            let found = session.topics().by_name(&topic.name, Action::Read);
            topic_response(topic, &found, &refused, &results)
        });
        OffsetCommitResponse::default().with_topics(topics.collect())
    }
}

fn offset_of(
    topic: &Result<Topic, Fault>,
    asked: &OffsetCommitRequestPartition,
) -> Result<CommitOffset, ResponseError> {
    let partition = partition_of(topic, asked.partition_index).map_err(|fault| fault.error)?;
    let metadata = asked.committed_metadata.as_deref().unwrap_or_default();
    if metadata.len() > OFFSET_METADATA_BYTES_MAX {
        return Err(ResponseError::OffsetMetadataTooLarge);
    }
    Ok(CommitOffset {
        partition,
        offset: Offset(asked.committed_offset as u64),
        leader_epoch: asked.committed_leader_epoch,
        metadata: metadata.into(),
    })
}

/// Commits offsets. Returns one result for each.
async fn commit(
    session: &Session,
    request: &OffsetCommitRequest,
    offsets: Vec<CommitOffset>,
) -> Vec<Result<(), ResponseError>> {
    let count = offsets.len();
    if count == 0 {
        return Vec::new();
    }
    let committed = committed(session, request, offsets).await;
    committed.unwrap_or_else(|error| vec![Err(error); count])
}

async fn committed(
    session: &Session,
    request: &OffsetCommitRequest,
    offsets: Vec<CommitOffset>,
) -> Result<Vec<Result<(), ResponseError>>, ResponseError> {
    let commit = CommitOffsets {
        group: groups::group_name(&request.group_id)?,
        member: boxed(&request.member_id),
        instance: boxed_option(request.group_instance_id.as_deref()),
        generation: request.generation_id_or_member_epoch,
        offsets,
    };
    let results = groups::command(session, commit).await?.into_iter();
    let coded = results.map(|result| result.map_err(|error| error.coded()));
    Ok(coded.collect())
}

fn topic_response(
    asked: &OffsetCommitRequestTopic,
    topic: &Result<Topic, Fault>,
    refused: &HashMap<(stele_wire_kafka::messages::TopicName, i32), ResponseError>,
    results: &HashMap<PartitionId, Result<(), ResponseError>>,
) -> OffsetCommitResponseTopic {
    let partitions = asked.partitions.iter().map(|partition| {
        let index = partition.partition_index;
        let refused = refused.get(&(asked.name.clone(), index)).copied();
        let result = || {
            let partition = partition_of(topic, index).ok()?;
            results.get(&partition).copied()
        };
        let error = match refused {
            Some(error) => Some(error),
            None => result()
                // The topic was deleted meanwhile.
                .unwrap_or(Err(ResponseError::UnknownTopicOrPartition))
                .err(),
        };
        OffsetCommitResponsePartition::default()
            .with_partition_index(index)
            .with_error_code(error.map_or(0, |it| it.code()))
    });
    OffsetCommitResponseTopic::default()
        .with_name(asked.name.clone())
        .with_partitions(partitions.collect())
}
