//! ElectLeaders (key 43), versions 0 to 2.
//!
//! Elects nothing: the only broker is the preferred leader of every partition and leads it. A given
//! partition returns `ELECTION_NOT_NEEDED`; without given partitions, each topic is listed without
//! partitions, because those that need no election are left out.
//!
//! Deviations: the timeout isn't needed.
//!
//! Spec: `ElectLeadersRequest.json`; KIP-183, KIP-460 (unclean elections).

use stele_core_broker::Action;
use stele_wire_kafka::{
    RequestHeader, ResponseError,
    messages::{
        ElectLeadersRequest, ElectLeadersResponse,
        elect_leaders_request::TopicPartitions,
        elect_leaders_response::{PartitionResult, ReplicaElectionResult},
    },
};

use super::{Operation, topic_name};
use crate::{errors::Fault, session::Session, topics::Topic};

/// The types of election: preferred and unclean.
const TYPES: std::ops::RangeInclusive<i8> = 0..=1;

/// The operation.
pub(crate) struct ElectLeaders;

impl Operation for ElectLeaders {
    type Request = ElectLeadersRequest;

    const VERSIONS: (i16, i16) = (0, 2);

    async fn handle(
        session: &mut Session,
        _header: &RequestHeader,
        request: ElectLeadersRequest,
    ) -> ElectLeadersResponse {
        if !TYPES.contains(&request.election_type) {
            return refused(&request);
        }
        let results = match &request.topic_partitions {
            None => {
                let all = session.topics().all().into_iter();
                all.map(|topic| {
                    ReplicaElectionResult::default().with_topic(topic_name(&topic.name))
                })
                .collect()
            }
            Some(named) => named.iter().map(|it| elect(session, it)).collect(),
        };
        ElectLeadersResponse::default().with_replica_election_results(results)
    }
}

fn elect(session: &Session, named: &TopicPartitions) -> ReplicaElectionResult {
    let topic = session.topics().by_name(&named.topic, Action::Configure);
    result_of(named, |partition| {
        let unknown = |what| Fault::new(ResponseError::UnknownTopicOrPartition, what);
        match &topic {
            Err(_) => unknown(format!("No such topic as {}", *named.topic)),
            Ok(topic) if !has(topic, partition) => {
                unknown(format!("No such partition as {}-{partition}", *named.topic))
            }
            Ok(_) => Fault::new(
                ResponseError::ElectionNotNeeded,
                "Leader election not needed for topic partition.",
            ),
        }
    })
}

fn has(topic: &Topic, partition: i32) -> bool {
    topic.partition(partition).is_some()
}

fn refused(request: &ElectLeadersRequest) -> ElectLeadersResponse {
    let message = format!("Unknown election type {}", request.election_type);
    let fault = Fault::new(ResponseError::InvalidRequest, message);
    let named = request.topic_partitions.iter().flatten();
    let results = named.map(|it| result_of(it, |_| fault.clone()));
    ElectLeadersResponse::default()
        .with_error_code(fault.code())
        .with_replica_election_results(results.collect())
}

fn result_of(named: &TopicPartitions, outcome: impl Fn(i32) -> Fault) -> ReplicaElectionResult {
    let partitions = named.partitions.iter().map(|partition| {
        let fault = outcome(*partition);
        PartitionResult::default()
            .with_partition_id(*partition)
            .with_error_code(fault.code())
            .with_error_message(fault.text())
    });
    ReplicaElectionResult::default()
        .with_topic(named.topic.clone())
        .with_partition_result(partitions.collect())
}
