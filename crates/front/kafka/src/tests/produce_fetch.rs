use std::time::Duration;

use bytes::Bytes;
use stele_base_types::{ProducerEpoch, ProducerId, Sequence, Timestamp};
use stele_test_testkit::TestBroker;
use stele_wire_batch::{Batch, BatchBuilder, Batches, Body, NewRecord, Producer};
use stele_wire_kafka::{
    ParseResponseErrorCode, ResponseError,
    messages::{
        DeleteRecordsRequest, FetchRequest, FetchResponse, InitProducerIdRequest,
        ListOffsetsRequest, MetadataRequest, OffsetForLeaderEpochRequest, ProduceRequest,
        delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic},
        fetch_request::{FetchPartition, FetchTopic},
        fetch_response::PartitionData,
        list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic},
        offset_for_leader_epoch_request::{OffsetForLeaderPartition, OffsetForLeaderTopic},
        produce_request::{PartitionProduceData, TopicProduceData},
        produce_response::PartitionProduceResponse,
    },
};
use uuid::Uuid;

use super::kit::{Client, topic_name};
use crate::SessionError;

const LIMIT_BYTES: usize = 1 << 20;

fn builder(values: &[&str]) -> BatchBuilder {
    let mut builder = BatchBuilder::new();
    push_all(&mut builder, values);
    builder
}

fn push_all(builder: &mut BatchBuilder, values: &[&str]) {
    for (position, value) in values.iter().enumerate() {
        let record = NewRecord {
            timestamp: Timestamp(1_000 * (position as i64 + 1)),
            key: None,
            value: Body::Whole(value.as_bytes()),
            headers: &[],
        };
        builder.push(&record).unwrap();
    }
}

fn batch(values: &[&str]) -> Bytes {
    builder(values).finish().into_bytes()
}

/// A batch of this many records, as an idempotent producer sends it.
pub(super) fn idempotent_batch(id: i64, epoch: i16, sequence: i32, count: usize) -> Bytes {
    let producer = Producer {
        id: ProducerId(id),
        epoch: ProducerEpoch(epoch),
        base_sequence: Sequence(sequence),
    };
    let mut builder = BatchBuilder::new().producer(producer);
    push_all(&mut builder, &vec!["a"; count]);
    builder.finish().into_bytes()
}

pub(super) fn produce(partition: i32, records: Bytes) -> ProduceRequest {
    let data = PartitionProduceData::default()
        .with_index(partition)
        .with_records(Some(records));
    let topic = TopicProduceData::default()
        .with_name(topic_name("orders"))
        .with_partition_data(vec![data]);
    ProduceRequest::default()
        .with_acks(-1)
        .with_timeout_ms(120_000)
        .with_topic_data(vec![topic])
}

pub(super) async fn produced(
    client: &mut Client,
    request: ProduceRequest,
) -> PartitionProduceResponse {
    let response = client.call(9, request).await;
    response.responses[0].partition_responses[0].clone()
}

async fn produce_error(client: &mut Client, records: Vec<u8>) -> Option<ResponseError> {
    let response = produced(client, produce(0, Bytes::from(records))).await;
    response.error_code.err()
}

pub(super) fn fetch(partitions: &[(i32, i64)]) -> FetchRequest {
    let partitions = partitions.iter().map(|(index, offset)| {
        FetchPartition::default()
            .with_partition(*index)
            .with_fetch_offset(*offset)
            .with_partition_max_bytes(1 << 20)
    });
    let topic = FetchTopic::default()
        .with_topic(topic_name("orders"))
        .with_partitions(partitions.collect());
    FetchRequest::default()
        .with_min_bytes(1)
        .with_max_bytes(1 << 24)
        .with_session_epoch(-1)
        .with_topics(vec![topic])
}

/// The values of a fetched partition's records.
pub(super) fn values(partition: &PartitionData) -> Vec<String> {
    let blob = partition.records.clone().unwrap();
    let mut values = Vec::new();
    for batch in Batches::new(blob) {
        let batch: Batch = batch.unwrap();
        batch.validate(LIMIT_BYTES).unwrap();
        for record in batch.records(LIMIT_BYTES).unwrap() {
            let value = record.unwrap().value.unwrap();
            values.push(String::from_utf8(value.to_vec()).unwrap());
        }
    }
    values
}

pub(super) fn only(response: &FetchResponse) -> &PartitionData {
    let [topic] = &response.responses[..] else {
        panic!("{} topics", response.responses.len());
    };
    let [partition] = &topic.partitions[..] else {
        panic!("{} partitions", topic.partitions.len());
    };
    partition
}

async fn topic_id(client: &mut Client) -> Uuid {
    let request = MetadataRequest::default().with_topics(None);
    client.call(12, request).await.topics[0].topic_id
}

#[tokio::test]
async fn what_is_produced_is_fetched_in_every_version() {
    let broker = TestBroker::start();
    let mut client = Client::of(&broker);
    client.create_topic("orders", 1).await;
    let id = topic_id(&mut client).await;
    for (count, version) in (3..=13).enumerate() {
        let mut request = produce(0, batch(&["a"]));
        if version >= 13 {
            request.topic_data[0].name = topic_name("");
            request.topic_data[0].topic_id = id;
        }
        let response = client.call(version, request).await;
        let partition = &response.responses[0].partition_responses[0];
        assert_eq!(partition.error_code, 0, "version {version}");
        assert_eq!(partition.base_offset, count as i64);
    }
    for version in 4..=18 {
        let mut request = fetch(&[(0, 0)]);
        if version >= 13 {
            request.topics[0].topic = topic_name("");
            request.topics[0].topic_id = id;
        }
        let response = client.call(version, request).await;
        assert_eq!(values(only(&response)).len(), 11, "version {version}");
        assert_eq!(only(&response).high_watermark, 11);
        assert_eq!(only(&response).last_stable_offset, 11);
    }
    broker.stop().await;
}

#[tokio::test]
async fn batches_carry_the_epoch_of_their_leader() {
    let broker = TestBroker::start();
    let mut client = Client::of(&broker);
    client.create_topic("orders", 1).await;
    produced(&mut client, produce(0, batch(&["a"]))).await;
    let response = client.call(11, fetch(&[(0, 0)])).await;
    let mut records = only(&response).records.clone().unwrap();
    let fetched = Batch::split_from(&mut records).unwrap();
    assert_eq!(fetched.header().leader_epoch(), 0);
    fetched.verify_checksum().unwrap();
    broker.stop().await;
}

#[tokio::test]
async fn a_fetch_waits_for_records_and_answers_as_they_come() {
    let broker = TestBroker::start();
    let (mut producer, mut consumer) = (Client::of(&broker), Client::of(&broker));
    producer.create_topic("orders", 2).await;
    let request = fetch(&[(0, 0), (1, 0)]).with_max_wait_ms(60_000);
    let fetching = tokio::spawn(async move { consumer.call(11, request).await });
    produced(&mut producer, produce(1, batch(&["late"]))).await;
    let response = tokio::time::timeout(Duration::from_secs(120), fetching).await;
    let response = response.unwrap().unwrap();
    let partitions = &response.responses[0].partitions;
    assert!(values(&partitions[0]).is_empty());
    assert_eq!(values(&partitions[1]), ["late"]);
    broker.stop().await;
}

#[tokio::test]
async fn a_fetch_of_nothing_ends_when_its_time_is_over() {
    let broker = TestBroker::start();
    let mut client = Client::of(&broker);
    client.create_topic("orders", 1).await;
    let response = client.call(11, fetch(&[(0, 0)]).with_max_wait_ms(20)).await;
    assert_eq!(only(&response).error_code, 0);
    assert!(values(only(&response)).is_empty());
    broker.stop().await;
}

#[tokio::test]
async fn a_fetch_that_cannot_be_answered_says_why_at_once() {
    let broker = TestBroker::start();
    let mut client = Client::of(&broker);
    client.create_topic("orders", 1).await;
    let refused = |request: FetchRequest, version| {
        let request = request.with_max_wait_ms(600_000);
        (request, version)
    };
    let mut with_epoch = fetch(&[(0, 0)]);
    with_epoch.topics[0].partitions[0].current_leader_epoch = 5;
    let mut by_id = fetch(&[(0, 0)]);
    by_id.topics[0].topic = topic_name("");
    by_id.topics[0].topic_id = Uuid::from_u128(9);
    let mut missing = fetch(&[(0, 0)]);
    missing.topics[0].topic = topic_name("missing");
    let cases = [
        (
            refused(fetch(&[(0, 7)]), 11),
            ResponseError::OffsetOutOfRange,
        ),
        (
            refused(fetch(&[(0, -1)]), 11),
            ResponseError::OffsetOutOfRange,
        ),
        (
            refused(fetch(&[(3, 0)]), 11),
            ResponseError::UnknownTopicOrPartition,
        ),
        (refused(missing, 11), ResponseError::UnknownTopicOrPartition),
        (refused(with_epoch, 11), ResponseError::UnknownLeaderEpoch),
        (refused(by_id, 13), ResponseError::UnknownTopicId),
    ];
    for ((request, version), error) in cases {
        let response = client.call(version, request).await;
        assert_eq!(only(&response).error_code.err(), Some(error));
    }
    broker.stop().await;
}

/// How many batches of 10,000 bytes and a header are returned for each of three partitions that
/// contain three each.
async fn counts_within(
    client: &mut Client,
    bytes_max: i32,
    partition_bytes_max: i32,
) -> Vec<usize> {
    let mut request = fetch(&[(0, 0), (1, 0), (2, 0)])
        .with_max_bytes(bytes_max)
        .with_min_bytes(bytes_max)
        .with_max_wait_ms(600_000);
    for partition in &mut request.topics[0].partitions {
        partition.partition_max_bytes = partition_bytes_max;
    }
    let response = client.call(11, request).await;
    let partitions = response.responses[0].partitions.iter();
    partitions.map(|it| values(it).len()).collect()
}

#[tokio::test]
async fn limits_hold_but_for_the_first_batch() {
    let broker = TestBroker::start();
    let mut client = Client::of(&broker);
    client.create_topic("orders", 3).await;
    let large = "x".repeat(10_000);
    for partition in [0, 1, 2] {
        for _ in 0..3 {
            produced(&mut client, produce(partition, batch(&[&large]))).await;
        }
    }
    const PLENTY: i32 = 1 << 20;
    for (bytes_max, partition_bytes_max, expected) in [
        (1, PLENTY, [1, 0, 0]),
        (15_000, PLENTY, [1, 0, 0]),
        (25_000, PLENTY, [2, 0, 0]),
        (45_000, PLENTY, [3, 1, 0]),
        (PLENTY, 1_000, [1, 0, 0]),
        (PLENTY, 15_000, [1, 1, 1]),
        (PLENTY, 25_000, [2, 2, 2]),
        (25_000, 15_000, [1, 1, 0]),
        (28_000, 25_000, [2, 0, 0]),
        (90_000, PLENTY, [3, 3, 2]),
    ] {
        // Data left out doesn't cause a wait.
        let counting = counts_within(&mut client, bytes_max, partition_bytes_max);
        let counts = tokio::time::timeout(Duration::from_secs(120), counting).await;
        assert_eq!(
            counts.unwrap(),
            expected,
            "{bytes_max}, {partition_bytes_max}"
        );
    }
    broker.stop().await;
}

#[tokio::test]
async fn an_incremental_fetch_tells_only_news() {
    let broker = TestBroker::start();
    let (mut client, mut producer) = (Client::of(&broker), Client::of(&broker));
    client.create_topic("orders", 2).await;
    let opening = fetch(&[(0, 0), (1, 0)])
        .with_session_epoch(0)
        .with_max_wait_ms(5);
    let opened = client.call(11, opening).await;
    assert_ne!(opened.session_id, 0);
    assert_eq!(opened.responses[0].partitions.len(), 2);
    produced(&mut producer, produce(1, batch(&["news"]))).await;
    let next = |epoch| {
        FetchRequest::default()
            .with_min_bytes(1)
            .with_max_wait_ms(5)
            .with_session_id(opened.session_id)
            .with_session_epoch(epoch)
    };
    let news = client.call(11, next(1)).await;
    assert_eq!(only(&news).partition_index, 1);
    assert_eq!(values(only(&news)), ["news"]);
    let moved = next(2).with_topics(fetch(&[(1, 1)]).topics);
    let nothing = client.call(11, moved).await;
    assert!(nothing.responses.is_empty(), "nothing is new");
    let stale = client.call(11, next(9)).await;
    assert_eq!(
        stale.error_code.err(),
        Some(ResponseError::InvalidFetchSessionEpoch)
    );
    let gone = producer.call(11, next(3)).await;
    assert_eq!(
        gone.error_code.err(),
        Some(ResponseError::FetchSessionIdNotFound)
    );
    broker.stop().await;
}

#[tokio::test]
async fn damaged_and_forbidden_batches_are_refused_by_name() {
    let broker = TestBroker::start();
    let mut client = Client::of(&broker);
    client.create_topic("orders", 1).await;
    let good = batch(&["a"]).to_vec();
    let patched = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        bytes
    };
    let twice = [&good[..], &good[..]].concat();
    let flagged = |mut builder: BatchBuilder| {
        push_all(&mut builder, &["a"]);
        builder.finish().into_bytes().to_vec()
    };
    let control = flagged(BatchBuilder::new().control());
    let transactional = flagged(BatchBuilder::new().transactional());
    let cases = [
        (patched(68, 0xff), ResponseError::CorruptMessage),
        (
            good[..good.len() - 1].to_vec(),
            ResponseError::CorruptMessage,
        ),
        (patched(16, 1), ResponseError::InvalidRecord),
        (patched(16, 0), ResponseError::InvalidRecord),
        (Vec::new(), ResponseError::InvalidRecord),
        (twice, ResponseError::InvalidRecord),
        (control, ResponseError::InvalidRecord),
        (transactional, ResponseError::InvalidTxnState),
    ];
    for (records, error) in cases {
        assert_eq!(produce_error(&mut client, records).await, Some(error));
    }
    let bounds = client.call(5, list_offsets(-1)).await;
    assert_eq!(
        bounds.topics[0].partitions[0].offset, 0,
        "nothing was appended"
    );
    broker.stop().await;
}

#[tokio::test]
async fn a_batch_over_the_topics_limit_is_too_large() {
    let broker = TestBroker::start();
    let mut client = Client::of(&broker);
    let configs = [("max.message.bytes", "100")];
    assert_eq!(client.try_create_topic("orders", 1, &configs).await, 0);
    let large = batch(&[&"x".repeat(100)]).to_vec();
    let error = produce_error(&mut client, large).await;
    assert_eq!(error, Some(ResponseError::MessageTooLarge));
    assert_eq!(
        produce_error(&mut client, batch(&["x"]).to_vec()).await,
        None
    );
    broker.stop().await;
}

#[tokio::test]
async fn acks_are_checked_and_an_unacknowledged_failure_ends_the_session() {
    let broker = TestBroker::start();
    let mut client = Client::of(&broker);
    client.create_topic("orders", 1).await;
    let response = produced(&mut client, produce(0, batch(&["a"])).with_acks(2)).await;
    let error = response.error_code.err();
    assert_eq!(error, Some(ResponseError::InvalidRequiredAcks));
    let silent = produce(0, batch(&["a"])).with_acks(0);
    assert_eq!(client.send(9, silent).await.unwrap(), None);
    let failing = produce(8, batch(&["a"])).with_acks(0);
    let ended = client.send(9, failing).await.unwrap_err();
    assert!(matches!(ended, SessionError::Unacknowledged(_)));
    broker.stop().await;
}

fn init_producer_id() -> InitProducerIdRequest {
    InitProducerIdRequest::default().with_transactional_id(None)
}

#[tokio::test]
async fn an_idempotent_producers_retries_never_double() {
    let broker = TestBroker::start();
    let mut client = Client::of(&broker);
    client.create_topic("orders", 1).await;
    let init = client.call(4, init_producer_id()).await;
    assert_eq!(init.error_code, 0);
    let numbered = |sequence| {
        let batch = idempotent_batch(init.producer_id.0, init.producer_epoch, sequence, 2);
        produce(0, batch)
    };
    assert_eq!(produced(&mut client, numbered(0)).await.base_offset, 0);
    let retried = produced(&mut client, numbered(0)).await;
    assert_eq!((retried.error_code, retried.base_offset), (0, 0));
    assert_eq!(produced(&mut client, numbered(2)).await.base_offset, 2);
    let error = produced(&mut client, numbered(9)).await.error_code.err();
    assert_eq!(error, Some(ResponseError::OutOfOrderSequenceNumber));
    let next = init_producer_id()
        .with_producer_id(init.producer_id)
        .with_producer_epoch(init.producer_epoch);
    let next = client.call(4, next).await;
    assert_eq!(next.producer_epoch, init.producer_epoch + 1);
    broker.stop().await;
}

fn list_offsets(timestamp: i64) -> ListOffsetsRequest {
    let partition = ListOffsetsPartition::default()
        .with_partition_index(0)
        .with_timestamp(timestamp);
    let topic = ListOffsetsTopic::default()
        .with_name(topic_name("orders"))
        .with_partitions(vec![partition]);
    ListOffsetsRequest::default()
        .with_timeout_ms(120_000)
        .with_topics(vec![topic])
}

#[tokio::test]
async fn offsets_are_listed_by_time_and_by_special_times() {
    let broker = TestBroker::start();
    let mut client = Client::of(&broker);
    client.create_topic("orders", 1).await;
    produced(&mut client, produce(0, batch(&["a", "b", "c"]))).await;
    // Records have the timestamps 1000, 2000 and 3000.
    let cases = [
        (-1, (3, -1)),
        (-2, (0, -1)),
        (-3, (2, 3_000)),
        (-4, (0, -1)),
        (-5, (-1, -1)),
        (0, (0, 1_000)),
        (1_001, (1, 2_000)),
        (3_000, (2, 3_000)),
        (3_001, (-1, -1)),
    ];
    for (timestamp, expected) in cases {
        let response = client.call(10, list_offsets(timestamp)).await;
        let partition = &response.topics[0].partitions[0];
        assert_eq!(partition.error_code, 0, "{timestamp}");
        let listed = (partition.offset, partition.timestamp);
        assert_eq!(listed, expected, "{timestamp}");
    }
    let old = list_offsets(-3).with_timeout_ms(0);
    let response = client.call(5, old).await;
    let error = response.topics[0].partitions[0].error_code.err();
    assert_eq!(error, Some(ResponseError::UnsupportedVersion));
    broker.stop().await;
}

#[tokio::test]
async fn offsets_are_listed_in_every_version() {
    let broker = TestBroker::start();
    let mut client = Client::of(&broker);
    client.create_topic("orders", 1).await;
    produced(&mut client, produce(0, batch(&["a", "b", "c"]))).await;
    for version in 1..=10 {
        let timeout_ms = if version >= 10 { 120_000 } else { 0 };
        for (timestamp, offset) in [(-1, 3), (-2, 0), (2_000, 1), (9_000, -1)] {
            let request = list_offsets(timestamp).with_timeout_ms(timeout_ms);
            let response = client.call(version, request).await;
            let partition = &response.topics[0].partitions[0];
            assert_eq!(partition.offset, offset, "{timestamp} in version {version}");
            let knows_epoch = version >= 4 && offset >= 0;
            assert_eq!(partition.leader_epoch, if knows_epoch { 0 } else { -1 });
        }
    }
    broker.stop().await;
}

#[tokio::test]
async fn records_are_deleted_up_to_an_offset() {
    let broker = TestBroker::start();
    let mut client = Client::of(&broker);
    client.create_topic("orders", 1).await;
    for value in ["a", "b", "c"] {
        produced(&mut client, produce(0, batch(&[value]))).await;
    }
    let request = |offset| {
        let partition = DeleteRecordsPartition::default().with_offset(offset);
        let topic = DeleteRecordsTopic::default()
            .with_name(topic_name("orders"))
            .with_partitions(vec![partition]);
        DeleteRecordsRequest::default().with_topics(vec![topic])
    };
    let response = client.call(2, request(2)).await;
    assert_eq!(response.topics[0].partitions[0].low_watermark, 2);
    let response = client.call(11, fetch(&[(0, 0)])).await;
    let error = only(&response).error_code.err();
    assert_eq!(error, Some(ResponseError::OffsetOutOfRange));
    let response = client.call(11, fetch(&[(0, 2)])).await;
    assert_eq!(values(only(&response)), ["c"]);
    let response = client.call(2, request(9)).await;
    let error = response.topics[0].partitions[0].error_code.err();
    assert_eq!(error, Some(ResponseError::OffsetOutOfRange));
    broker.stop().await;
}

#[tokio::test]
async fn the_only_epoch_ends_where_the_partition_does() {
    let broker = TestBroker::start();
    let mut client = Client::of(&broker);
    client.create_topic("orders", 1).await;
    produced(&mut client, produce(0, batch(&["a", "b"]))).await;
    for (epoch, expected) in [(0, (0, 2)), (3, (-1, -1))] {
        let partition = OffsetForLeaderPartition::default().with_leader_epoch(epoch);
        let topic = OffsetForLeaderTopic::default()
            .with_topic(topic_name("orders"))
            .with_partitions(vec![partition]);
        for version in 2..=4 {
            let request = OffsetForLeaderEpochRequest::default().with_topics(vec![topic.clone()]);
            let response = client.call(version, request).await;
            let end = &response.topics[0].partitions[0];
            assert_eq!((end.leader_epoch, end.end_offset), expected);
        }
    }
    broker.stop().await;
}

#[tokio::test]
async fn records_survive_a_restart() {
    let broker = TestBroker::start();
    let mut client = Client::of(&broker);
    client.create_topic("orders", 1).await;
    produced(&mut client, produce(0, batch(&["kept"]))).await;
    drop(client);
    let broker = broker.restart().await;
    let response = Client::of(&broker).call(11, fetch(&[(0, 0)])).await;
    assert_eq!(values(only(&response)), ["kept"]);
    broker.stop().await;
}
