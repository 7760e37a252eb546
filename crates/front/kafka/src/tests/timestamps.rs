//! Timestamps of records: the batch header isn't trusted, and timestamps far in the future are
//! refused.

use bytes::Bytes;
use stele_base_types::Timestamp;
use stele_test_testkit::TestBroker;
use stele_wire_batch::{Batch, BatchBuilder, Body, NewRecord};
use stele_wire_kafka::{
    ParseResponseErrorCode, ResponseError,
    messages::{
        ListOffsetsRequest,
        list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic},
    },
};

use super::{
    kit::{Client, settings, topic_name},
    produce_fetch::{fetch, only, produce, produced, values},
};

const DAY_MS: u64 = 24 * 60 * 60_000;

fn now() -> Timestamp {
    settings().clock.now()
}

/// A batch with a record for each of these times, whose header claims that `claimed` is the latest.
fn dated(times: &[Timestamp], claimed: i64) -> Bytes {
    let mut builder = BatchBuilder::new();
    for timestamp in times {
        let record = NewRecord {
            timestamp: *timestamp,
            key: None,
            value: Body::Whole(b"value"),
            headers: &[],
        };
        builder.push(&record).unwrap();
    }
    let batch = builder.finish();
    batch.with_max_timestamp(Timestamp(claimed)).into_bytes()
}

/// Lets a day pass, during which retention is checked often enough to remove everything that is too
/// old.
async fn pass_a_day(broker: &TestBroker) {
    for _ in 0..4 {
        broker.pass(DAY_MS / 4).await;
    }
}

async fn offset_at(client: &mut Client, timestamp: i64) -> i64 {
    let partition = ListOffsetsPartition::default()
        .with_current_leader_epoch(-1)
        .with_timestamp(timestamp);
    let topic = ListOffsetsTopic::default()
        .with_name(topic_name("orders"))
        .with_partitions(vec![partition]);
    let request = ListOffsetsRequest::default().with_topics(vec![topic]);
    client.call(7, request).await.topics[0].partitions[0].offset
}

#[tokio::test]
async fn records_stay_and_are_found_whatever_their_producer_says_of_the_latest() {
    let broker = TestBroker::start();
    let mut client = Client::of(&broker);
    assert_eq!(client.try_create_topic("orders", 1, &[]).await, 0);
    let now = now();
    let earlier = Timestamp(now.0 - 60_000);
    for claimed in [-1, 0, 1_000, i64::MAX] {
        let batch = dated(&[now, earlier], claimed);
        let response = produced(&mut client, produce(0, batch)).await;
        assert_eq!(response.error_code, 0);
    }
    pass_a_day(&broker).await;
    let fetched = client.call(11, fetch(&[(0, 0)])).await;
    assert_eq!(
        values(only(&fetched)).len(),
        8,
        "all are younger than a week"
    );
    let first = Batch::split_from(&mut only(&fetched).records.clone().unwrap()).unwrap();
    assert_eq!(first.header().max_timestamp(), now);
    assert_eq!(offset_at(&mut client, now.0).await, 0);
    assert_eq!(offset_at(&mut client, now.0 + 1).await, -1);
    broker.stop().await;
}

#[tokio::test]
async fn records_dated_too_far_from_the_brokers_time_are_refused() {
    let broker = TestBroker::start();
    let mut client = Client::of(&broker);
    let bounds = [
        ("message.timestamp.before.max.ms", "3600000"),
        ("retention.ms", "-1"),
    ];
    assert_eq!(client.try_create_topic("orders", 1, &bounds).await, 0);
    let now = now();
    let minutes = |minutes: i64| Timestamp(now.0 + minutes * 60_000);
    let microseconds = Timestamp(now.0 * 1_000);
    for wrong in [minutes(-70), minutes(70), microseconds] {
        let batch = dated(&[now, wrong, now], now.0);
        let response = produced(&mut client, produce(0, batch)).await;
        let error = response.error_code.err();
        assert_eq!(error, Some(ResponseError::InvalidTimestamp), "{wrong}");
    }
    let batch = dated(&[minutes(-50), Timestamp(-1), minutes(50)], 0);
    let response = produced(&mut client, produce(0, batch)).await;
    assert_eq!(response.error_code, 0, "a record without a time is of any");
    broker.stop().await;
}
