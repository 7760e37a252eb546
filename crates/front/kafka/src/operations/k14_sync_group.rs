//! SyncGroup (key 14), versions 0 to 5.
//!
//! The leader sends the assignment of a generation; every member receives its part.
//!
//! Deviations: none known.
//!
//! Spec: `SyncGroupRequest.json`; KIP-345 (static members), KIP-559 (protocol in the request).

use bytes::Bytes;
use stele_base_types::{PartitionId, PartitionIndex};
use stele_core_broker::Action;
use stele_core_engine as engine;
use stele_wire_kafka::{
    RequestHeader, ResponseError, assigned_partitions,
    messages::{SyncGroupRequest, SyncGroupResponse},
};

use super::{Operation, text};
use crate::{
    errors::of_group,
    groups::{self, boxed, boxed_option},
    session::Session,
};

/// The protocol type of consumers, whose assignments have a common format.
const CONSUMER: &str = "consumer";

/// The operation.
pub(crate) struct SyncGroup;

impl Operation for SyncGroup {
    type Request = SyncGroupRequest;

    const VERSIONS: (i16, i16) = (0, 5);

    async fn handle(
        session: &mut Session,
        _header: &RequestHeader,
        request: SyncGroupRequest,
    ) -> SyncGroupResponse {
        match sync(session, request).await {
            Ok(synced) => SyncGroupResponse::default()
                .with_protocol_type(Some(text(&synced.protocol_type)))
                .with_protocol_name(Some(text(&synced.protocol)))
                .with_assignment(Bytes::from(synced.assignment)),
            Err(error) => SyncGroupResponse::default().with_error_code(error.code()),
        }
    }
}

/// The partitions that consumers are assigned. Where the log is a queue, or becomes one, the group
/// holds what it hasn't read of them from now on.
fn reads(session: &Session, request: &SyncGroupRequest) -> Vec<PartitionId> {
    let protocol_type = request.protocol_type.as_deref();
    if protocol_type.is_some_and(|it| it != CONSUMER) {
        return Vec::new();
    }
    let topics = session.topics();
    let mut reads = Vec::new();
    for member in &request.assignments {
        for (name, partitions) in assigned_partitions(&member.assignment).unwrap_or_default() {
            let Ok(topic) = topics.definition(name, Action::Read) else {
                continue;
            };
            let indexes = partitions.into_iter().map(u32::try_from);
            let known = indexes
                .flatten()
                .filter(|index| *index < topic.config.partitions);
            reads.extend(known.map(|index| PartitionId::new(topic.id, PartitionIndex(index))));
        }
    }
    reads
}

async fn sync(
    session: &Session,
    request: SyncGroupRequest,
) -> Result<engine::SyncedGroup, ResponseError> {
    let group = groups::group_name(&request.group_id)?;
    let reads = reads(session, &request);
    let assignments = request.assignments.iter();
    let sync = engine::SyncGroup {
        group,
        member: boxed(&request.member_id),
        instance: boxed_option(request.group_instance_id.as_deref()),
        generation: request.generation_id,
        protocol_type: boxed_option(request.protocol_type.as_deref()),
        protocol: boxed_option(request.protocol_name.as_deref()),
        assignments: assignments
            .map(|it| (boxed(&it.member_id), it.assignment.as_ref().into()))
            .collect(),
        reads,
    };
    let synced = session.broker.sync_group(sync).await;
    synced.map_err(|error| of_group(&error))
}
