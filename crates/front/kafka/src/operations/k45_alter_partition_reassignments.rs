//! AlterPartitionReassignments (key 45), versions 0 to 1.
//!
//! Moves nothing: every partition is on the only broker. A reassignment to it is already done, any
//! other is impossible, and there is nothing to cancel.
//!
//! Deviations: none known.
//!
//! Spec: `AlterPartitionReassignmentsRequest.json`; KIP-455.

use stele_core_broker::Action;
use stele_wire_kafka::{
    RequestHeader, ResponseError,
    messages::{
        AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse,
        alter_partition_reassignments_request::{ReassignablePartition, ReassignableTopic},
        alter_partition_reassignments_response::{
            ReassignablePartitionResponse, ReassignableTopicResponse,
        },
    },
};

use super::Operation;
use crate::{assignment, errors::Fault, session::Session, topics::Topic};

/// The operation.
pub(crate) struct AlterPartitionReassignments;

impl Operation for AlterPartitionReassignments {
    type Request = AlterPartitionReassignmentsRequest;

    const VERSIONS: (i16, i16) = (0, 1);

    async fn handle(
        session: &mut Session,
        _header: &RequestHeader,
        request: AlterPartitionReassignmentsRequest,
    ) -> AlterPartitionReassignmentsResponse {
        let topics = request.topics.into_iter();
        let responses = topics.map(|topic| reassign_topic(session, topic));
        AlterPartitionReassignmentsResponse::default()
            .with_allow_replication_factor_change(request.allow_replication_factor_change)
            .with_error_message(None)
            .with_responses(responses.collect())
    }
}

fn reassign_topic(session: &Session, named: ReassignableTopic) -> ReassignableTopicResponse {
    let topic = session.topics().by_name(&named.name, Action::Configure);
    let partitions = named.partitions.iter().map(|asked| {
        let response =
            ReassignablePartitionResponse::default().with_partition_index(asked.partition_index);
        match reassign(&topic, &named.name, asked) {
            Ok(()) => response.with_error_message(None),
            Err(fault) => response
                .with_error_code(fault.code())
                .with_error_message(fault.text()),
        }
    });
    let partitions = partitions.collect();
    ReassignableTopicResponse::default()
        .with_name(named.name)
        .with_partitions(partitions)
}

fn reassign(
    topic: &Result<Topic, Fault>,
    name: &str,
    asked: &ReassignablePartition,
) -> Result<(), Fault> {
    let unknown = |message| Fault::new(ResponseError::UnknownTopicOrPartition, message);
    let index = asked.partition_index;
    let topic = topic
        .as_ref()
        .map_err(|_| unknown(format!("Unable to find a topic named {name}.")))?;
    if topic.partition(index).is_none() {
        return Err(unknown(format!("Unable to find partition {name}:{index}.")));
    }
    match &asked.replicas {
        Some(replicas) => assignment::check(replicas),
        None => Err(Fault::new(
            ResponseError::NoReassignmentInProgress,
            "No partition reassignment is in progress.",
        )),
    }
}
