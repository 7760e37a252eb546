//! DescribeQuorum (key 55), versions 0 to 2.
//!
//! Returns the voters for the cluster's metadata: only the one broker, as leader without lag.
//!
//! Deviations: the metadata isn't a readable log, so its offsets are always 0. The broker's only
//! listener is returned as the controller's.
//!
//! Spec: `DescribeQuorumRequest.json`; KIP-595, KIP-836 (times), KIP-853 (nodes).

use stele_wire_kafka::{
    RequestHeader, ResponseError,
    messages::{
        BrokerId, DescribeQuorumRequest, DescribeQuorumResponse,
        describe_quorum_request::TopicData as AskedTopic,
        describe_quorum_response::{Listener, Node, PartitionData, ReplicaState, TopicData},
    },
};

use super::{Operation, text};
use crate::{
    session::Session,
    topics::{LEADER_EPOCH, NODE_ID},
};

/// The only log of the quorum; it has one partition.
const METADATA: &str = "__cluster_metadata";
const METADATA_PARTITION: i32 = 0;

/// The operation.
pub(crate) struct DescribeQuorum;

impl Operation for DescribeQuorum {
    type Request = DescribeQuorumRequest;

    const VERSIONS: (i16, i16) = (0, 2);

    async fn handle(
        session: &mut Session,
        header: &RequestHeader,
        request: DescribeQuorumRequest,
    ) -> DescribeQuorumResponse {
        let now_ms = session.settings.clock.now().0;
        let topics = request.topics.iter().map(|topic| describe(topic, now_ms));
        let response = DescribeQuorumResponse::default()
            .with_error_message(None)
            .with_topics(topics.collect());
        // Versions before 2 don't return the voters' addresses.
        match header.api_version {
            2.. => response.with_nodes(vec![node(session)]),
            _ => response,
        }
    }
}

fn node(session: &Session) -> Node {
    let listener = Listener::default()
        .with_name(text("PLAINTEXT"))
        .with_host(text(&session.endpoint.host))
        .with_port(session.endpoint.port);
    Node::default()
        .with_node_id(BrokerId(NODE_ID))
        .with_listeners(vec![listener])
}

fn describe(asked: &AskedTopic, now_ms: i64) -> TopicData {
    let partitions = asked.partitions.iter().map(|partition| {
        let index = partition.partition_index;
        let response = PartitionData::default()
            .with_partition_index(index)
            .with_error_message(None);
        if &**asked.topic_name == METADATA && index == METADATA_PARTITION {
            return response
                .with_leader_id(BrokerId(NODE_ID))
                .with_leader_epoch(LEADER_EPOCH)
                .with_current_voters(vec![voter(now_ms)]);
        }
        response.with_error_code(ResponseError::UnknownTopicOrPartition.code())
    });
    TopicData::default()
        .with_topic_name(asked.topic_name.clone())
        .with_partitions(partitions.collect())
}

fn voter(now_ms: i64) -> ReplicaState {
    ReplicaState::default()
        .with_replica_id(BrokerId(NODE_ID))
        .with_last_fetch_timestamp(now_ms)
        .with_last_caught_up_timestamp(now_ms)
}
