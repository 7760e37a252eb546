//! A disk below its reserve: producing fails so that clients retry, everything else continues.

use bytes::Bytes;
use stele_test_testkit::{TestBroker, message};
use stele_wire_kafka::{
    ParseResponseErrorCode, ResponseError, StrBytes,
    messages::{
        FetchRequest, GroupId, OffsetCommitRequest, ProduceRequest,
        fetch_request::{FetchPartition, FetchTopic},
        offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic},
        produce_request::{PartitionProduceData, TopicProduceData},
    },
};

use super::kit::{Client, topic_name};

/// Produces one record. Returns the offset or the error.
async fn produce(client: &mut Client) -> Result<i64, ResponseError> {
    let records = message("x").into_bytes();
    let data = PartitionProduceData::default().with_records(Some(records));
    let topic = TopicProduceData::default()
        .with_name(topic_name("orders"))
        .with_partition_data(vec![data]);
    let request = ProduceRequest::default()
        .with_acks(-1)
        .with_timeout_ms(120_000)
        .with_topic_data(vec![topic]);
    let response = client.call(9, request).await;
    let partition = &response.responses[0].partition_responses[0];
    match partition.error_code.err() {
        Some(error) => Err(error),
        None => Ok(partition.base_offset),
    }
}

/// The records' bytes from the start.
async fn fetch(client: &mut Client) -> Bytes {
    let partition = FetchPartition::default().with_partition_max_bytes(1 << 20);
    let topic = FetchTopic::default()
        .with_topic(topic_name("orders"))
        .with_partitions(vec![partition]);
    let request = FetchRequest::default()
        .with_max_bytes(1 << 20)
        .with_topics(vec![topic]);
    let response = client.call(4, request).await;
    let partition = &response.responses[0].partitions[0];
    assert_eq!(partition.error_code, 0);
    partition.records.clone().unwrap()
}

async fn commit(client: &mut Client, offset: i64) -> i16 {
    let partition = OffsetCommitRequestPartition::default().with_committed_offset(offset);
    let topic = OffsetCommitRequestTopic::default()
        .with_name(topic_name("orders"))
        .with_partitions(vec![partition]);
    let request = OffsetCommitRequest::default()
        .with_group_id(GroupId(StrBytes::from_static_str("readers")))
        .with_topics(vec![topic]);
    let response = client.call(2, request).await;
    response.topics[0].partitions[0].error_code
}

#[tokio::test]
async fn without_space_producing_is_retriable_and_fetching_and_committing_go_on() {
    let broker = TestBroker::start();
    let mut client = Client::of(&broker);
    client.create_topic("orders", 1).await;
    assert_eq!(produce(&mut client).await, Ok(0));
    broker.fill_disk().await;

    let refused = produce(&mut client).await.unwrap_err();
    assert_eq!(refused, ResponseError::KafkaStorageError);
    assert!(refused.is_retriable());
    // A consumer that starts now may need its own topic.
    assert_eq!(client.try_create_topic("another", 1, &[]).await, 0);
    assert!(!fetch(&mut client).await.is_empty());
    assert_eq!(commit(&mut client, 1).await, 0);

    broker.empty_disk().await;
    assert_eq!(produce(&mut client).await, Ok(1));
    broker.stop().await;
}

#[tokio::test]
async fn what_topics_may_take_below_the_reserve_has_an_end() {
    let broker = TestBroker::start();
    let mut client = Client::of(&broker);
    client.create_topic("orders", 1).await;
    broker.fill_disk_for_definitions().await;
    assert_ne!(client.try_create_topic("another", 1, &[]).await, 0);
    assert_eq!(commit(&mut client, 1).await, 0);
    broker.empty_disk().await;
    assert_eq!(client.try_create_topic("another", 1, &[]).await, 0);
    broker.stop().await;
}
