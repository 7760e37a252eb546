//! OffsetDelete (key 47), version 0.
//!
//! Deletes a group's committed offsets of partitions that none of its members subscribes to.
//!
//! Deviations: none known.
//!
//! Spec: `OffsetDeleteRequest.json`; KIP-496.

use hashbrown::HashMap;
use stele_base_types::PartitionId;
use stele_core_broker::Action;
use stele_core_engine::DeleteOffsets;
use stele_wire_kafka::{
    RequestHeader, ResponseError,
    messages::{
        OffsetDeleteRequest, OffsetDeleteResponse,
        offset_delete_request::OffsetDeleteRequestTopic,
        offset_delete_response::{OffsetDeleteResponsePartition, OffsetDeleteResponseTopic},
    },
};

use super::Operation;
use crate::{groups, session::Session};

/// The operation.
pub(crate) struct OffsetDelete;

impl Operation for OffsetDelete {
    type Request = OffsetDeleteRequest;

    const VERSIONS: (i16, i16) = (0, 0);

    async fn handle(
        session: &mut Session,
        _header: &RequestHeader,
        request: OffsetDeleteRequest,
    ) -> OffsetDeleteResponse {
        let named = request.topics.iter().flat_map(|topic| {
            let indexes = topic.partitions.iter().map(|it| it.partition_index);
            indexes.filter_map(|index| partition(session, topic, index))
        });
        let named: Vec<PartitionId> = named.collect();
        let results = match delete(session, &request.group_id, named.clone()).await {
            Ok(results) => named.into_iter().zip(results).collect(),
            Err(error) => return OffsetDeleteResponse::default().with_error_code(error.code()),
        };
        let topics = request.topics.iter();
        let topics = topics.map(|topic| topic_response(session, topic, &results));
        OffsetDeleteResponse::default().with_topics(topics.collect())
    }
}

fn partition(
    session: &Session,
    topic: &OffsetDeleteRequestTopic,
    index: i32,
) -> Option<PartitionId> {
    let topic = session.topics().by_name(&topic.name, Action::Read);
    topic.ok()?.partition(index)
}

async fn delete(
    session: &Session,
    group: &str,
    partitions: Vec<PartitionId>,
) -> Result<Vec<i16>, ResponseError> {
    let group = groups::group_name(group)?;
    let delete = DeleteOffsets { group, partitions };
    groups::command(session, delete).await.map(groups::codes)
}

fn topic_response(
    session: &Session,
    topic: &OffsetDeleteRequestTopic,
    results: &HashMap<PartitionId, i16>,
) -> OffsetDeleteResponseTopic {
    let partitions = topic.partitions.iter().map(|asked| {
        let index = asked.partition_index;
        let code = partition(session, topic, index).and_then(|it| results.get(&it).copied());
        OffsetDeleteResponsePartition::default()
            .with_partition_index(index)
            .with_error_code(code.unwrap_or(ResponseError::UnknownTopicOrPartition.code()))
    });
    OffsetDeleteResponseTopic::default()
        .with_name(topic.name.clone())
        .with_partitions(partitions.collect())
}
