//! What administrators ask that one broker without an authorizer and without quotas has little to
//! say to.

use stele_test_testkit::TestBroker;
use stele_wire_kafka::{
    ResponseError, StrBytes,
    messages::{
        CreateAclsRequest, DeleteAclsRequest, DescribeAclsRequest, DescribeClientQuotasRequest,
        ElectLeadersRequest, ListPartitionReassignmentsRequest,
        describe_client_quotas_request::ComponentData, elect_leaders_request::TopicPartitions,
        elect_leaders_response::ReplicaElectionResult,
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
