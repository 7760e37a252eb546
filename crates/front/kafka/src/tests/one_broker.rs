//! Requests of administrators and tools about a cluster, answered by one broker: locations of
//! partitions, voters, producers and transactions.

use stele_test_testkit::TestBroker;
use stele_wire_kafka::{
    ParseResponseErrorCode as _, ResponseError, StrBytes,
    messages::{
        AlterClientQuotasRequest, AlterPartitionReassignmentsRequest, CreatePartitionsRequest,
        CreateTopicsRequest, DescribeLogDirsRequest, DescribeProducersRequest,
        DescribeQuorumRequest, DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse,
        DescribeTransactionsRequest, DescribeUserScramCredentialsRequest, FindCoordinatorRequest,
        ListConfigResourcesRequest, ListTransactionsRequest, TransactionalId,
        alter_client_quotas_request::{EntityData, EntryData, OpData},
        alter_partition_reassignments_request::{ReassignablePartition, ReassignableTopic},
        create_partitions_request::{CreatePartitionsAssignment, CreatePartitionsTopic},
        create_topics_request::{CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig},
        create_topics_response::CreatableTopicResult,
        describe_log_dirs_request::DescribableLogDirTopic,
        describe_producers_request::TopicRequest as ProducersOf,
        describe_quorum_request::{PartitionData, TopicData},
        describe_topic_partitions_request::{Cursor, TopicRequest},
        describe_user_scram_credentials_request::UserName,
    },
};

use super::{
    kit::{Client, broker_id, settings, topic_name},
    produce_fetch::{idempotent_batch, produce, produced},
};

use crate::Settings;

fn text(value: &'static str) -> StrBytes {
    StrBytes::from_static_str(value)
}

#[tokio::test]
async fn the_sizes_of_partitions_are_those_of_their_batches() {
    let broker = TestBroker::start();
    let mut client = Client::of(&broker);
    client.create_topic("orders", 2).await;
    client.create_topic("other", 1).await;
    let batch = idempotent_batch(7, 0, 0, 3);
    let size_bytes = batch.len() as i64;
    produced(&mut client, produce(1, batch)).await;
    let named = |topic, partitions: &[i32]| {
        DescribableLogDirTopic::default()
            .with_topic(topic_name(topic))
            .with_partitions(partitions.to_vec())
    };
    let orders = ("orders".to_owned(), vec![(0, 0), (1, size_bytes)]);
    let cases = [
        (None, vec![orders, ("other".to_owned(), vec![(0, 0)])]),
        (
            Some(vec![named("orders", &[1, 9]), named("absent", &[0])]),
            vec![("orders".to_owned(), vec![(1, size_bytes)])],
        ),
        (Some(vec![]), vec![]),
    ];
    for (topics, expected) in cases {
        for version in 1..=4 {
            let request = DescribeLogDirsRequest::default().with_topics(topics.clone());
            let response = client.call(version, request).await;
            let [directory] = &response.results[..] else {
                panic!("{response:?}");
            };
            assert_eq!((directory.error_code, &*directory.log_dir), (0, "/data"));
            let found = directory.topics.iter().map(|topic| {
                let partitions = topic.partitions.iter();
                let sizes = partitions.map(|it| (it.partition_index, it.partition_size));
                (topic.name.to_string(), sizes.collect::<Vec<_>>())
            });
            assert_eq!(found.collect::<Vec<_>>(), expected);
        }
    }
    broker.stop().await;
}

#[tokio::test]
async fn the_size_of_the_disk_is_told() {
    let broker = TestBroker::start();
    let on_disk = Settings {
        log_dir: "/".to_owned(),
        ..settings()
    };
    let nowhere = Settings {
        log_dir: "/no/such/directory".to_owned(),
        ..settings()
    };
    for (settings, is_known) in [(on_disk, true), (nowhere, false)] {
        let mut client = Client::with(&broker.broker, settings);
        let response = client.call(4, DescribeLogDirsRequest::default()).await;
        let (total, usable) = (
            response.results[0].total_bytes,
            response.results[0].usable_bytes,
        );
        match is_known {
            true => assert!(0 < usable && usable <= total, "{usable} of {total}"),
            false => assert_eq!((total, usable), (-1, -1)),
        }
    }
    broker.stop().await;
}

#[tokio::test]
async fn partitions_can_be_moved_to_where_they_are_alone() {
    let broker = TestBroker::start();
    let mut client = Client::of(&broker);
    client.create_topic("orders", 1).await;
    let invalid = ResponseError::InvalidReplicaAssignment.code();
    let unknown = ResponseError::UnknownTopicOrPartition.code();
    let idle = ResponseError::NoReassignmentInProgress.code();
    let cases: [(&'static str, i32, Option<&[i32]>, i16); 9] = [
        ("orders", 0, Some(&[1]), 0),
        ("orders", 0, Some(&[2]), invalid),
        ("orders", 0, Some(&[1, 2]), invalid),
        ("orders", 0, Some(&[1, 1]), invalid),
        ("orders", 0, Some(&[]), invalid),
        ("orders", 0, None, idle),
        ("orders", 1, Some(&[1]), unknown),
        ("orders", 1, None, unknown),
        ("absent", 0, Some(&[1]), unknown),
    ];
    for (topic, index, replicas, code) in cases {
        let replicas = replicas.map(|it| it.iter().copied().map(broker_id).collect());
        let partition = ReassignablePartition::default()
            .with_partition_index(index)
            .with_replicas(replicas);
        let topic = ReassignableTopic::default()
            .with_name(topic_name(topic))
            .with_partitions(vec![partition]);
        let request = AlterPartitionReassignmentsRequest::default().with_topics(vec![topic]);
        for version in 0..=1 {
            let response = client.call(version, request.clone()).await;
            assert_eq!(response.error_code, 0);
            let partition = &response.responses[0].partitions[0];
            assert_eq!(partition.error_code, code, "{request:?}");
            assert_eq!(partition.error_message.is_some(), code != 0);
        }
    }
    broker.stop().await;
}

#[tokio::test]
async fn quotas_can_be_removed_and_none_can_be_set() {
    let broker = TestBroker::start();
    let mut client = Client::of(&broker);
    let part = |kind, name: Option<&'static str>| {
        EntityData::default()
            .with_entity_type(text(kind))
            .with_entity_name(name.map(text))
    };
    let quota = |remove| {
        OpData::default()
            .with_key(text("producer_byte_rate"))
            .with_value(1e6)
            .with_remove(remove)
    };
    let anna = part("user", Some("anna"));
    let invalid = ResponseError::InvalidRequest.code();
    let cases = [
        (vec![anna.clone()], true, 0),
        (vec![part("user", None), part("client-id", None)], true, 0),
        (vec![anna.clone()], false, invalid),
        (vec![], true, invalid),
        (vec![part("group", Some("g"))], true, invalid),
        (vec![part("user", Some(""))], true, invalid),
        (vec![anna, part("ip", Some("127.0.0.1"))], true, invalid),
    ];
    for (entity, remove, code) in cases {
        let entry = EntryData::default()
            .with_entity(entity.clone())
            .with_ops(vec![quota(remove)]);
        for version in 0..=1 {
            let request = AlterClientQuotasRequest::default().with_entries(vec![entry.clone()]);
            let response = client.call(version, request).await;
            assert_eq!(response.entries[0].error_code, code, "{entity:?}");
            assert_eq!(response.entries[0].entity.len(), entity.len());
        }
    }
    broker.stop().await;
}

#[tokio::test]
async fn no_user_has_credentials_for_scram() {
    let broker = TestBroker::start();
    let mut client = Client::of(&broker);
    let request = DescribeUserScramCredentialsRequest::default();
    let response = client.call(0, request.clone().with_users(None)).await;
    assert_eq!((response.error_code, response.results.len()), (0, 0));
    let users = ["anna", "bob", "anna"].map(|name| UserName::default().with_name(text(name)));
    let response = client
        .call(0, request.with_users(Some(users.to_vec())))
        .await;
    let found = response.results.iter();
    let found: Vec<_> = found.map(|it| (&*it.user, it.error_code.err())).collect();
    assert_eq!(
        found,
        [
            ("anna", Some(ResponseError::DuplicateResource)),
            ("bob", Some(ResponseError::ResourceNotFound)),
        ]
    );
    broker.stop().await;
}

#[tokio::test]
async fn the_broker_is_the_only_voter() {
    let broker = TestBroker::start();
    let mut client = Client::of(&broker);
    let topic = |name, index| {
        let partition = PartitionData::default().with_partition_index(index);
        TopicData::default()
            .with_topic_name(topic_name(name))
            .with_partitions(vec![partition])
    };
    let asked = vec![topic("__cluster_metadata", 0), topic("orders", 0)];
    for version in 0..=2 {
        let request = DescribeQuorumRequest::default().with_topics(asked.clone());
        let response = client.call(version, request).await;
        assert_eq!(response.error_code, 0);
        let metadata = &response.topics[0].partitions[0];
        assert_eq!((metadata.error_code, *metadata.leader_id), (0, 1));
        let voters = metadata.current_voters.iter();
        assert_eq!(voters.map(|it| *it.replica_id).collect::<Vec<_>>(), [1]);
        assert!(metadata.observers.is_empty());
        let other = response.topics[1].partitions[0].error_code.err();
        assert_eq!(other, Some(ResponseError::UnknownTopicOrPartition));
        let ports = response.nodes.iter().map(|it| it.listeners[0].port);
        let expected = if version >= 2 { vec![9092] } else { vec![] };
        assert_eq!(ports.collect::<Vec<_>>(), expected);
    }
    broker.stop().await;
}

#[tokio::test]
async fn the_idempotent_producers_of_a_partition_are_told() {
    let broker = TestBroker::start();
    let mut client = Client::of(&broker);
    client.create_topic("orders", 2).await;
    for batch in [idempotent_batch(7, 2, 0, 3), idempotent_batch(7, 2, 3, 1)] {
        produced(&mut client, produce(1, batch)).await;
    }
    let of = |topic, partitions: &[i32]| {
        ProducersOf::default()
            .with_name(topic_name(topic))
            .with_partition_indexes(partitions.to_vec())
    };
    let asked = vec![of("orders", &[0, 1, 2]), of("absent", &[0])];
    let request = DescribeProducersRequest::default().with_topics(asked);
    let response = client.call(0, request).await;
    let [none, some, beyond] = &response.topics[0].partitions[..] else {
        panic!("{response:?}");
    };
    assert_eq!((none.error_code, none.active_producers.len()), (0, 0));
    let [producer] = &some.active_producers[..] else {
        panic!("{some:?}");
    };
    assert_eq!((*producer.producer_id, producer.producer_epoch), (7, 2));
    assert_eq!(
        (producer.last_sequence, producer.coordinator_epoch),
        (3, -1)
    );
    assert_eq!(producer.current_txn_start_offset, -1);
    assert!(producer.last_timestamp > 0);
    let unknown = ResponseError::UnknownTopicOrPartition.code();
    assert_eq!(beyond.error_code, unknown);
    assert_eq!(response.topics[1].partitions[0].error_code, unknown);
    broker.stop().await;
}

#[tokio::test]
async fn a_coordinator_of_transactions_is_said_not_to_be_there_yet() {
    const TRANSACTION: i8 = 1;
    let broker = TestBroker::start();
    let mut client = Client::of(&broker);
    let request = FindCoordinatorRequest::default().with_key_type(TRANSACTION);
    let refused = ResponseError::ClusterAuthorizationFailed.code();
    let why = Some("transactions aren't supported yet");
    for version in 1..=3 {
        let request = request.clone().with_key(text("payments"));
        let response = client.call(version, request).await;
        assert_eq!(response.error_code, refused);
        assert_eq!(response.error_message.as_deref(), why);
    }
    for version in 4..=6 {
        let keys = vec![text("payments"), text("refunds")];
        let request = request.clone().with_coordinator_keys(keys);
        let coordinators = client.call(version, request).await.coordinators;
        let keys: Vec<_> = coordinators.iter().map(|it| &*it.key).collect();
        assert_eq!(keys, ["payments", "refunds"]);
        for coordinator in coordinators {
            assert_eq!(coordinator.error_code, refused);
            assert_eq!(coordinator.error_message.as_deref(), why);
        }
    }
    broker.stop().await;
}

#[tokio::test]
async fn there_are_no_transactions() {
    let broker = TestBroker::start();
    let mut client = Client::of(&broker);
    for version in 0..=2 {
        let request = ListTransactionsRequest::default()
            .with_state_filters(vec![text("Ongoing"), text("Lost")]);
        let response = client.call(version, request).await;
        assert_eq!(
            (response.error_code, response.transaction_states.len()),
            (0, 0)
        );
        assert_eq!(response.unknown_state_filters, [text("Lost")]);
    }
    let ids = vec![TransactionalId(text("payments"))];
    let request = DescribeTransactionsRequest::default().with_transactional_ids(ids);
    let states = client.call(0, request).await.transaction_states;
    let found = states[0].error_code.err();
    assert_eq!(found, Some(ResponseError::TransactionalIdNotFound));
    broker.stop().await;
}

#[tokio::test]
async fn what_has_configurations_is_listed_by_type() {
    const TOPIC: i8 = 2;
    const BROKER: i8 = 4;
    const LOGGERS: i8 = 8;
    const GROUP: i8 = 32;
    let broker = TestBroker::start();
    let mut client = Client::of(&broker);
    client.create_topic("orders", 1).await;
    type Listed = (i8, &'static str);
    let cases: [(i16, &[i8], &[Listed]); 4] = [
        (0, &[], &[]),
        (1, &[], &[(TOPIC, "orders"), (BROKER, "1"), (LOGGERS, "1")]),
        (1, &[TOPIC, TOPIC], &[(TOPIC, "orders")]),
        (1, &[GROUP], &[]),
    ];
    for (version, types, expected) in cases {
        let request = ListConfigResourcesRequest::default().with_resource_types(types.to_vec());
        let response = client.call(version, request).await;
        assert_eq!(response.error_code, 0);
        let found = response.config_resources.iter();
        let found: Vec<_> = found
            .map(|it| (it.resource_type, &*it.resource_name))
            .collect();
        assert_eq!(found, expected);
    }
    let request = ListConfigResourcesRequest::default().with_resource_types(vec![TOPIC, 3]);
    let error = client.call(1, request).await.error_code.err();
    assert_eq!(error, Some(ResponseError::UnsupportedVersion));
    broker.stop().await;
}

/// The error and the partitions of each topic.
fn pages(response: &DescribeTopicPartitionsResponse) -> Vec<(String, i16, Vec<i32>)> {
    let topics = response.topics.iter().map(|topic| {
        let name = topic.name.as_ref().unwrap().to_string();
        let partitions = topic.partitions.iter().map(|it| it.partition_index);
        (name, topic.error_code, partitions.collect())
    });
    topics.collect()
}

fn page(name: &str, partitions: &[i32]) -> (String, i16, Vec<i32>) {
    (name.to_owned(), 0, partitions.to_vec())
}

#[tokio::test]
async fn topics_are_described_some_partitions_at_a_time() {
    let broker = TestBroker::start();
    let mut client = Client::of(&broker);
    for (name, partitions) in [("c", 1), ("a", 3), ("b", 2)] {
        client.create_topic(name, partitions).await;
    }
    let named = |name| TopicRequest::default().with_name(topic_name(name));
    let chosen = vec![named("c"), named("a"), named("b"), named("a")];
    let expected = [
        vec![page("a", &[0, 1])],
        vec![page("a", &[2]), page("b", &[0])],
        vec![page("b", &[1]), page("c", &[0])],
    ];
    for asked in [vec![], chosen] {
        let mut request = DescribeTopicPartitionsRequest::default()
            .with_topics(asked)
            .with_response_partition_limit(2);
        for expected in &expected {
            let response = client.call(0, request.clone()).await;
            assert_eq!(&pages(&response), expected);
            request.cursor = response.next_cursor.map(|next| {
                Cursor::default()
                    .with_topic_name(next.topic_name)
                    .with_partition_index(next.partition_index)
            });
        }
        assert_eq!(request.cursor, None);
    }
    broker.stop().await;
}

#[tokio::test]
async fn topics_that_cannot_be_described_are_told_with_their_error() {
    let broker = TestBroker::start();
    let mut client = Client::of(&broker);
    client.create_topic("orders", 1).await;
    let named = |name| TopicRequest::default().with_name(topic_name(name));
    let asked = ["no name", "orders", "absent"].map(named);
    let request = DescribeTopicPartitionsRequest::default().with_topics(asked.to_vec());
    let response = client.call(0, request.clone()).await;
    let unknown = ResponseError::UnknownTopicOrPartition.code();
    let invalid = ResponseError::InvalidTopicException.code();
    assert_eq!(
        pages(&response),
        [
            ("absent".to_owned(), unknown, vec![]),
            ("no name".to_owned(), invalid, vec![]),
            page("orders", &[0]),
        ]
    );
    assert!(!response.topics[2].topic_id.is_nil());
    assert_eq!(response.next_cursor, None);
    let elsewhere = Cursor::default().with_topic_name(topic_name("elsewhere"));
    let response = client.call(0, request.with_cursor(Some(elsewhere))).await;
    let refused = ResponseError::InvalidRequest.code();
    assert!(response.topics.iter().all(|it| it.error_code == refused));
    broker.stop().await;
}

async fn create(client: &mut Client, topic: CreatableTopic) -> CreatableTopicResult {
    let request = CreateTopicsRequest::default().with_topics(vec![topic]);
    client.call(7, request).await.topics.remove(0)
}

#[tokio::test]
async fn a_replication_factor_over_one_is_taken_and_told_as_one() {
    let broker = TestBroker::start();
    let strict = Settings {
        is_replication_strict: true,
        ..settings()
    };
    let mut lenient = Client::of(&broker);
    let mut strict = Client::with(&broker.broker, strict);
    let topic = |name, factor| {
        CreatableTopic::default()
            .with_name(topic_name(name))
            .with_num_partitions(1)
            .with_replication_factor(factor)
    };
    let refused = Some(ResponseError::InvalidReplicationFactor);
    let created = create(&mut lenient, topic("orders", 3)).await;
    assert_eq!((created.error_code, created.replication_factor), (0, 1));
    assert_eq!(
        create(&mut strict, topic("strict", 3))
            .await
            .error_code
            .err(),
        refused
    );
    assert_eq!(create(&mut strict, topic("strict", 1)).await.error_code, 0);
    let valueless = CreatableTopicConfig::default()
        .with_name(text("retention.ms"))
        .with_value(None);
    let valueless = topic("valueless", 1).with_configs(vec![valueless]);
    let error = create(&mut lenient, valueless).await.error_code.err();
    assert_eq!(error, Some(ResponseError::InvalidConfig));
    for factor in [0, -2] {
        let none = create(&mut lenient, topic("none", factor)).await;
        assert_eq!(none.error_code.err(), refused, "{factor}");
    }
    broker.stop().await;
}

#[tokio::test]
async fn replicas_are_assigned_to_the_broker_that_there_is() {
    let broker = TestBroker::start();
    let mut client = Client::of(&broker);
    client.create_topic("orders", 2).await;
    let brokers = |ids: &[i32]| ids.iter().copied().map(broker_id).collect::<Vec<_>>();
    let refused = Some(ResponseError::InvalidReplicaAssignment);
    let cases: [(&[&[i32]], Option<ResponseError>); 6] = [
        (&[&[1]], refused),
        (&[&[1], &[2]], refused),
        (&[&[1], &[1, 2]], refused),
        (&[&[1], &[1, 1]], refused),
        (&[&[1], &[]], refused),
        (&[&[1], &[1]], None),
    ];
    for (assigned, error) in cases {
        let each = assigned.iter().copied().map(brokers);
        let added = each
            .clone()
            .map(|ids| CreatePartitionsAssignment::default().with_broker_ids(ids));
        let topic = CreatePartitionsTopic::default()
            .with_name(topic_name("orders"))
            .with_count(4)
            .with_assignments(Some(added.collect()));
        let request = CreatePartitionsRequest::default().with_topics(vec![topic]);
        for version in 0..=3 {
            let request = request.clone().with_validate_only(version < 3);
            let result = &client.call(version, request).await.results[0];
            assert_eq!(result.error_code.err(), error, "{assigned:?}");
        }
        let numbered = (0..).zip(each).map(|(index, ids)| {
            CreatableReplicaAssignment::default()
                .with_partition_index(index)
                .with_broker_ids(ids)
        });
        let topic = CreatableTopic::default()
            .with_name(topic_name("assigned"))
            .with_num_partitions(-1)
            .with_replication_factor(-1)
            .with_assignments(numbered.collect());
        if assigned.len() == 2 {
            let created = create(&mut client, topic).await;
            assert_eq!(created.error_code.err(), error, "{assigned:?}");
        }
    }
    broker.stop().await;
}
