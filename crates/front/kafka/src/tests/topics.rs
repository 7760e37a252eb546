use stele_base_types::VHOST_DEFAULT;
use stele_core_engine::{Durability, Retention, Window};
use stele_test_testkit::{TestBroker, queue};
use stele_wire_kafka::{
    ParseResponseErrorCode, ResponseError, StrBytes,
    messages::{
        BrokerId, CreateTopicsRequest, DeleteTopicsRequest, DescribeClusterRequest,
        DescribeConfigsRequest, IncrementalAlterConfigsRequest, MetadataRequest, MetadataResponse,
        create_topics_request::{CreatableReplicaAssignment, CreatableTopic},
        delete_topics_request::DeleteTopicState,
        describe_configs_request::DescribeConfigsResource,
        incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig},
        metadata_request::MetadataRequestTopic,
    },
};
use uuid::Uuid;

use super::kit::{Client, settings, topic_name};
use crate::topics::NODE_ID;

async fn metadata(client: &mut Client, name: &'static str, may_create: bool) -> MetadataResponse {
    let topic = MetadataRequestTopic::default().with_name(Some(topic_name(name)));
    let request = MetadataRequest::default()
        .with_topics(Some(vec![topic]))
        .with_allow_auto_topic_creation(may_create);
    client.call(12, request).await
}

#[tokio::test]
async fn asking_for_a_topic_creates_it_only_with_leave() {
    let broker = TestBroker::start();
    let mut client = Client::of(&broker);
    let response = metadata(&mut client, "orders", false).await;
    let error = response.topics[0].error_code.err();
    assert_eq!(error, Some(ResponseError::UnknownTopicOrPartition));
    // As in Kafka, the next request finds it.
    let response = metadata(&mut client, "orders", true).await;
    let error = response.topics[0].error_code.err();
    assert_eq!(error, Some(ResponseError::UnknownTopicOrPartition));
    for may_create in [false, true] {
        let response = metadata(&mut client, "orders", may_create).await;
        assert_eq!(response.topics[0].error_code, 0);
        assert_eq!(response.topics[0].partitions.len(), 1);
    }
    broker.stop().await;
}

#[tokio::test]
async fn a_broker_set_not_to_create_topics_does_not() {
    let broker = TestBroker::start();
    let mut settings = settings();
    settings.auto_create_topics = false;
    let mut client = Client::with(&broker.broker, settings);
    let response = metadata(&mut client, "orders", true).await;
    let error = response.topics[0].error_code.err();
    assert_eq!(error, Some(ResponseError::UnknownTopicOrPartition));
    broker.stop().await;
}

#[tokio::test]
async fn a_name_that_kafka_does_not_allow_is_refused() {
    let broker = TestBroker::start();
    let response = metadata(&mut Client::of(&broker), "a/b", true).await;
    let error = response.topics[0].error_code.err();
    assert_eq!(error, Some(ResponseError::InvalidTopicException));
    broker.stop().await;
}

#[tokio::test]
async fn a_queue_that_is_asked_for_is_there_and_keeps_what_it_keeps() {
    let broker = TestBroker::start();
    let declared = queue("orders", Durability::Synced);
    broker.broker.declare_log(declared).await.unwrap();
    let response = metadata(&mut Client::of(&broker), "orders", true).await;
    assert_eq!(response.topics[0].error_code, 0);
    let retention = {
        let catalogue = broker.broker.catalogue();
        catalogue
            .log(VHOST_DEFAULT, "orders")
            .unwrap()
            .config
            .retention
    };
    assert!(retention.is_queue() && !retention.is_topic());
    broker.stop().await;
}

/// Sets one configuration of `orders`.
async fn configure(client: &mut Client, name: &'static str, value: &'static str) -> i16 {
    let config = AlterableConfig::default()
        .with_name(StrBytes::from_static_str(name))
        .with_value(Some(StrBytes::from_static_str(value)));
    let resource = AlterConfigsResource::default()
        .with_resource_type(2)
        .with_resource_name(StrBytes::from_static_str("orders"))
        .with_configs(vec![config]);
    let request = IncrementalAlterConfigsRequest::default().with_resources(vec![resource]);
    client.call(1, request).await.responses[0].error_code
}

#[tokio::test]
async fn changes_of_a_topic_at_the_same_time_all_hold() {
    let broker = TestBroker::start();
    let mut clients: Vec<_> = (0..4).map(|_| Client::of(&broker)).collect();
    let [first, second, third, fourth] = &mut clients[..] else {
        panic!("four clients");
    };
    assert_eq!(first.try_create_topic("orders", 1, &[]).await, 0);
    let adopting = broker
        .broker
        .declare_log(queue("orders", Durability::Synced));
    let (by_time, by_size, largest, grace, adopted) = tokio::join!(
        configure(first, "retention.ms", "86400000"),
        configure(second, "retention.bytes", "4096"),
        configure(third, "max.message.bytes", "2000"),
        configure(fourth, "segment.ms", "1000"),
        adopting,
    );
    assert_eq!([by_time, by_size, largest, grace], [0; 4]);
    adopted.unwrap();
    let (retention, settings) = {
        let catalogue = broker.broker.catalogue();
        let definition = catalogue.log(VHOST_DEFAULT, "orders").unwrap();
        let settings = definition.facets.get("kafka").unwrap().len();
        (definition.config.retention, settings)
    };
    let expected = Retention {
        until_acknowledged: true,
        window: Some(Window {
            time_ms: Some(86_400_000),
            size_bytes: Some(4_096),
        }),
    };
    assert_eq!((retention, settings), (expected, 4));
    broker.stop().await;
}

#[tokio::test]
async fn a_transient_queue_becomes_a_topic_in_its_own_durability() {
    let broker = TestBroker::start();
    let declared = queue("orders", Durability::Volatile);
    broker.broker.declare_log(declared).await.unwrap();
    let response = metadata(&mut Client::of(&broker), "orders", true).await;
    assert_eq!(response.topics[0].error_code, 0);
    broker.stop().await;
}

#[tokio::test]
async fn queues_that_go_by_themselves_or_have_other_names_are_not_listed() {
    let broker = TestBroker::start();
    let mut passing = queue("passing", Durability::Synced);
    passing.config.lifetime.auto_delete = true;
    let mut unused = queue("unused", Durability::Synced);
    unused.config.lifetime.unused_ms_max = Some(3_600_000);
    for declared in [
        passing,
        unused,
        queue("no topic/at all", Durability::Synced),
        queue("listed", Durability::Synced),
    ] {
        broker.broker.declare_log(declared).await.unwrap();
    }
    let request = MetadataRequest::default().with_topics(None);
    let response = Client::of(&broker).call(12, request).await;
    let names: Vec<_> = response
        .topics
        .iter()
        .map(|it| it.name.clone().unwrap())
        .collect();
    assert_eq!(names, [topic_name("listed")]);
    broker.stop().await;
}

#[tokio::test]
async fn topics_are_found_by_their_id() {
    let broker = TestBroker::start();
    let mut client = Client::of(&broker);
    client.create_topic("orders", 1).await;
    let by_name = metadata(&mut client, "orders", false).await;
    let id = by_name.topics[0].topic_id;
    assert!(!id.is_nil());
    let by_id = |id| {
        let topic = MetadataRequestTopic::default()
            .with_topic_id(id)
            .with_name(None);
        MetadataRequest::default().with_topics(Some(vec![topic]))
    };
    let found = client.call(12, by_id(id)).await;
    assert_eq!(found.topics[0].name, Some(topic_name("orders")));
    let missing = client.call(12, by_id(Uuid::from_u128(1))).await;
    let error = missing.topics[0].error_code.err();
    assert_eq!(error, Some(ResponseError::UnknownTopicId));
    broker.stop().await;
}

#[tokio::test]
async fn creating_a_topic_twice_is_refused_and_a_queue_is_adopted() {
    let broker = TestBroker::start();
    let mut client = Client::of(&broker);
    client.create_topic("orders", 3).await;
    let again = client.try_create_topic("orders", 3, &[]).await.err();
    assert_eq!(again, Some(ResponseError::TopicAlreadyExists));
    let declared = queue("work", Durability::Synced);
    broker.broker.declare_log(declared).await.unwrap();
    assert_eq!(client.try_create_topic("work", 1, &[]).await, 0);
    let response = metadata(&mut client, "work", false).await;
    assert_eq!(response.topics[0].partitions.len(), 1);
    broker.stop().await;
}

#[tokio::test]
async fn a_queue_is_adopted_with_its_own_number_of_partitions_only() {
    let broker = TestBroker::start();
    let mut settings = settings();
    settings.partitions_default = 3;
    let mut client = Client::with(&broker.broker, settings);
    let declared = queue("work", Durability::Synced);
    broker.broker.declare_log(declared).await.unwrap();
    let topic = CreatableTopic::default()
        .with_name(topic_name("work"))
        .with_num_partitions(-1)
        .with_replication_factor(-1);
    let assigned = |count: i32| {
        let each = (0..count).map(|index| {
            CreatableReplicaAssignment::default()
                .with_partition_index(index)
                .with_broker_ids(vec![BrokerId(NODE_ID)])
        });
        topic.clone().with_assignments(each.collect())
    };
    let create = |topic, is_check| {
        CreateTopicsRequest::default()
            .with_topics(vec![topic])
            .with_validate_only(is_check)
    };
    for other in [topic.clone().with_num_partitions(2), assigned(2)] {
        for is_check in [true, false] {
            let response = client.call(7, create(other.clone(), is_check)).await;
            let refused = &response.topics[0];
            let error = refused.error_code.err();
            assert_eq!(error, Some(ResponseError::InvalidPartitions));
            let told = refused.error_message.as_ref().unwrap();
            assert!(told.contains("a queue with 1 partition"), "{told}");
        }
    }
    for (same, is_check) in [(assigned(1), true), (topic.clone(), true), (topic, false)] {
        let response = client.call(7, create(same, is_check)).await;
        let created = &response.topics[0];
        assert_eq!((created.error_code, created.num_partitions), (0, 1));
    }
    broker.stop().await;
}

#[tokio::test]
async fn what_a_topic_cannot_be_is_refused_by_name() {
    let broker = TestBroker::start();
    let mut client = Client::of(&broker);
    let refusals = [
        (0, &[][..], ResponseError::InvalidPartitions),
        (100_000, &[], ResponseError::InvalidPartitions),
        (1, &[("retention.msec", "1")], ResponseError::InvalidConfig),
        (
            1,
            &[("cleanup.policy", "compact")],
            ResponseError::InvalidConfig,
        ),
    ];
    for (partitions, configs, error) in refusals {
        let code = client
            .try_create_topic("refused", partitions, configs)
            .await;
        assert_eq!(code.err(), Some(error));
    }
    let response = metadata(&mut client, "refused", false).await;
    assert_ne!(response.topics[0].error_code, 0);
    broker.stop().await;
}

#[tokio::test]
async fn create_topics_checks_without_creating_when_asked() {
    let broker = TestBroker::start();
    let mut client = Client::of(&broker);
    let topic = CreatableTopic::default()
        .with_name(topic_name("orders"))
        .with_num_partitions(4)
        .with_replication_factor(-1);
    for version in 2..=7 {
        let request = CreateTopicsRequest::default()
            .with_topics(vec![topic.clone()])
            .with_validate_only(true);
        let response = client.call(version, request).await;
        assert_eq!(response.topics[0].error_code, 0);
        assert_eq!(response.topics[0].error_message, None);
        if version >= 5 {
            assert_eq!(response.topics[0].num_partitions, 4);
        }
    }
    let response = metadata(&mut client, "orders", false).await;
    assert_ne!(response.topics[0].error_code, 0);
    let twice = CreateTopicsRequest::default().with_topics(vec![topic.clone(), topic]);
    let response = client.call(7, twice).await;
    let error = response.topics[0].error_code.err();
    assert_eq!(error, Some(ResponseError::InvalidRequest));
    broker.stop().await;
}

#[tokio::test]
async fn configurations_are_described_with_their_source() {
    let broker = TestBroker::start();
    let mut client = Client::of(&broker);
    let configs = [("retention.ms", "60000")];
    assert_eq!(client.try_create_topic("orders", 1, &configs).await, 0);
    for version in 1..=4 {
        let resource = |kind, name| {
            DescribeConfigsResource::default()
                .with_resource_type(kind)
                .with_resource_name(StrBytes::from_static_str(name))
        };
        let request = DescribeConfigsRequest::default().with_resources(vec![
            resource(2, "orders"),
            resource(4, "1"),
            resource(2, "missing"),
            resource(3, "1"),
        ]);
        let response = client.call(version, request).await;
        let [topic, server, missing, other] = &response.results[..] else {
            panic!("four results");
        };
        let retention = topic.configs.iter().find(|it| &*it.name == "retention.ms");
        let retention = retention.unwrap();
        assert_eq!(retention.value.as_deref(), Some("60000"));
        assert_eq!(retention.config_source, 1);
        let partitions = server
            .configs
            .iter()
            .find(|it| &*it.name == "num.partitions");
        assert!(partitions.unwrap().read_only);
        let unknown = missing.error_code.err();
        assert_eq!(unknown, Some(ResponseError::UnknownTopicOrPartition));
        assert_eq!(other.error_code.err(), Some(ResponseError::InvalidRequest));
    }
    broker.stop().await;
}

#[tokio::test]
async fn the_cluster_is_described() {
    let broker = TestBroker::start();
    let mut client = Client::of(&broker);
    for version in 0..=2 {
        let response = client
            .call(version, DescribeClusterRequest::default())
            .await;
        assert_eq!(&*response.cluster_id, "test-cluster");
        assert_eq!(response.brokers.len(), 1);
    }
    let request = DescribeClusterRequest::default().with_endpoint_type(2);
    let error = client.call(1, request).await.error_code.err();
    assert_eq!(error, Some(ResponseError::MismatchedEndpointType));
    broker.stop().await;
}

#[tokio::test]
async fn topics_are_deleted_by_name_and_by_id() {
    let broker = TestBroker::start();
    let mut client = Client::of(&broker);
    client.create_topic("by-name", 1).await;
    let request = DeleteTopicsRequest::default().with_topic_names(vec![topic_name("by-name")]);
    let response = client.call(5, request.clone()).await;
    assert_eq!(response.responses[0].error_code, 0);
    let gone = client.call(5, request).await.responses.remove(0);
    let unknown = Some(ResponseError::UnknownTopicOrPartition);
    assert_eq!(gone.error_code.err(), unknown);
    assert_eq!(gone.error_message, None, "the client has words for it");

    client.create_topic("by-id", 1).await;
    let id = metadata(&mut client, "by-id", false).await.topics[0].topic_id;
    let by_id = DeleteTopicState::default()
        .with_topic_id(id)
        .with_name(None);
    let request = DeleteTopicsRequest::default().with_topics(vec![by_id]);
    let response = client.call(6, request.clone()).await;
    assert_eq!(response.responses[0].error_code, 0);
    assert_eq!(response.responses[0].name, Some(topic_name("by-id")));
    let error = client.call(6, request).await.responses[0].error_code.err();
    assert_eq!(error, Some(ResponseError::UnknownTopicId));

    client.create_topic("told", 1).await;
    let id = metadata(&mut client, "told", false).await.topics[0].topic_id;
    let by_name = DeleteTopicState::default().with_name(Some(topic_name("told")));
    let request = DeleteTopicsRequest::default().with_topics(vec![by_name]);
    let response = client.call(6, request).await;
    assert_eq!(response.responses[0].topic_id, id);
    broker.stop().await;
}
