//! Administrative requests that have simple answers on one broker without an authorizer and without
//! quotas.

use stele_test_testkit::TestBroker;
use stele_wire_kafka::{
    ResponseError, StrBytes,
    messages::{
        CreateAclsRequest, DeleteAclsRequest, DescribeAclsRequest, DescribeClientQuotasRequest,
        DescribeClusterRequest, DescribeGroupsRequest, ElectLeadersRequest, GroupId,
        ListPartitionReassignmentsRequest, MetadataRequest, OffsetCommitRequest,
        describe_client_quotas_request::ComponentData, elect_leaders_request::TopicPartitions,
        elect_leaders_response::ReplicaElectionResult, metadata_request::MetadataRequestTopic,
        offset_commit_request::OffsetCommitRequestTopic,
    },
};

use super::kit::{Client, topic_name};

#[tokio::test]
async fn access_control_is_refused_as_without_an_authorizer() {
    let broker = TestBroker::start();
    let mut client = Client::of(&broker);
    let disabled = ResponseError::SecurityDisabled.code();
    for version in 1..=3 {
        let response = client.call(version, DescribeAclsRequest::default()).await;
        assert_eq!(response.error_code, disabled);
        let request = CreateAclsRequest::default().with_creations(vec![Default::default(); 2]);
        let response = client.call(version, request).await;
        let codes: Vec<i16> = response.results.iter().map(|it| it.error_code).collect();
        assert_eq!(codes, [disabled; 2]);
        let request = DeleteAclsRequest::default().with_filters(vec![Default::default(); 2]);
        let results = client.call(version, request).await.filter_results;
        let codes: Vec<i16> = results.iter().map(|it| it.error_code).collect();
        assert_eq!(codes, [disabled; 2]);
    }
    broker.stop().await;
}

#[tokio::test]
async fn no_leader_needs_to_be_elected() {
    let broker = TestBroker::start();
    let mut client = Client::of(&broker);
    client.create_topic("orders", 1).await;
    let named = |topic| {
        TopicPartitions::default()
            .with_topic(topic_name(topic))
            .with_partitions(vec![0, 1])
    };
    let codes = |result: &ReplicaElectionResult| -> Vec<i16> {
        let partitions = result.partition_result.iter();
        partitions.map(|it| it.error_code).collect()
    };
    let request = ElectLeadersRequest::default()
        .with_topic_partitions(Some(vec![named("orders"), named("absent")]));
    let needless = ResponseError::ElectionNotNeeded.code();
    let unknown = ResponseError::UnknownTopicOrPartition.code();
    for version in 0..=2 {
        let response = client.call(version, request.clone()).await;
        assert_eq!(response.error_code, 0);
        let results: Vec<_> = response
            .replica_election_results
            .iter()
            .map(codes)
            .collect();
        assert_eq!(results, [[needless, unknown], [unknown, unknown]]);
        let all = ElectLeadersRequest::default().with_topic_partitions(None);
        let results = client.call(version, all).await.replica_election_results;
        assert_eq!(results.len(), 1);
        assert!(results[0].partition_result.is_empty());
    }
    let response = client.call(2, request.with_election_type(7)).await;
    let error = ResponseError::InvalidRequest.code();
    assert_eq!(response.error_code, error);
    assert_eq!(codes(&response.replica_election_results[0]), [error; 2]);
    broker.stop().await;
}

#[tokio::test]
async fn no_partition_is_being_moved() {
    let broker = TestBroker::start();
    let request = ListPartitionReassignmentsRequest::default().with_topics(None);
    let response = Client::of(&broker).call(0, request).await;
    assert_eq!((response.error_code, response.error_message), (0, None));
    assert!(response.topics.is_empty());
    broker.stop().await;
}

fn component(entity: &'static str, match_type: i8, name: Option<&'static str>) -> ComponentData {
    ComponentData::default()
        .with_entity_type(StrBytes::from_static_str(entity))
        .with_match_type(match_type)
        .with_match(name.map(StrBytes::from_static_str))
}

#[tokio::test]
async fn there_are_no_quotas_and_filters_are_checked() {
    let broker = TestBroker::start();
    let mut client = Client::of(&broker);
    let user = component("user", 0, Some("anna"));
    let invalid = ResponseError::InvalidRequest.code();
    let cases = [
        (vec![], 0),
        (vec![user.clone(), component("client-id", 1, None)], 0),
        (vec![component("ip", 2, None)], 0),
        (vec![component("", 2, None)], invalid),
        (vec![user.clone(), user.clone()], invalid),
        (vec![user, component("ip", 2, None)], invalid),
        (vec![component("user", 0, None)], invalid),
        (vec![component("user", 1, Some("anna"))], invalid),
        (vec![component("user", 3, None)], invalid),
        (
            vec![component("group", 2, None)],
            ResponseError::UnsupportedVersion.code(),
        ),
    ];
    for (components, code) in cases {
        for version in 0..=1 {
            let request =
                DescribeClientQuotasRequest::default().with_components(components.clone());
            let response = client.call(version, request).await;
            assert_eq!(response.error_code, code, "{components:?}");
            let entries = response.entries.map(|entries| entries.len());
            assert_eq!(entries, (code == 0).then_some(0));
        }
    }
    broker.stop().await;
}

/// Bits by operation number (`AclOperation`): 3 is READ, 12 is IDEMPOTENT_WRITE.
const ON_TOPIC: i32 = 0b0_1101_1111_1000;
const ON_GROUP: i32 = 0b0_1101_0100_1000;
const ON_CLUSTER: i32 = 0b1_1111_1010_0000;

fn if_asked(is_asked: bool, operations: i32) -> i32 {
    if is_asked { operations } else { i32::MIN }
}

#[tokio::test]
async fn authorized_operations_are_all_where_they_are_asked_for() {
    let broker = TestBroker::start();
    let mut client = Client::of(&broker);
    client.create_topic("orders", 1).await;
    let topic = MetadataRequestTopic::default().with_name(Some(topic_name("orders")));
    for (version, is_asked) in (8..=13).flat_map(|it| [(it, false), (it, true)]) {
        let request = MetadataRequest::default()
            .with_topics(Some(vec![topic.clone()]))
            .with_include_cluster_authorized_operations(is_asked && version <= 10)
            .with_include_topic_authorized_operations(is_asked);
        let response = client.call(version, request).await;
        let on_topic = response.topics[0].topic_authorized_operations;
        assert_eq!(on_topic, if_asked(is_asked, ON_TOPIC));
        let on_cluster = if_asked(is_asked && version <= 10, ON_CLUSTER);
        assert_eq!(response.cluster_authorized_operations, on_cluster);
    }
    for (version, is_asked) in (0..=2).flat_map(|it| [(it, false), (it, true)]) {
        let request =
            DescribeClusterRequest::default().with_include_cluster_authorized_operations(is_asked);
        let response = client.call(version, request).await;
        let on_cluster = if_asked(is_asked, ON_CLUSTER);
        assert_eq!(response.cluster_authorized_operations, on_cluster);
    }
    broker.stop().await;
}

#[tokio::test]
async fn authorized_operations_of_a_group_are_told_where_it_exists() {
    let broker = TestBroker::start();
    let mut client = Client::of(&broker);
    let group = |name| GroupId(StrBytes::from_static_str(name));
    client.create_topic("orders", 1).await;
    let topic = OffsetCommitRequestTopic::default()
        .with_name(topic_name("orders"))
        .with_partitions(vec![Default::default()]);
    let commit = OffsetCommitRequest::default()
        .with_group_id(group("workers"))
        .with_generation_id_or_member_epoch(-1)
        .with_topics(vec![topic]);
    client.call(9, commit).await;
    for (version, is_asked) in (3..=6).flat_map(|it| [(it, false), (it, true)]) {
        let request = DescribeGroupsRequest::default()
            .with_groups(vec![group("workers"), group("nobody")])
            .with_include_authorized_operations(is_asked);
        let groups = client.call(version, request).await.groups;
        let told: Vec<i32> = groups.iter().map(|it| it.authorized_operations).collect();
        let of_nobody = if_asked(is_asked && version < 6, ON_GROUP);
        assert_eq!(told, [if_asked(is_asked, ON_GROUP), of_nobody]);
    }
    broker.stop().await;
}
