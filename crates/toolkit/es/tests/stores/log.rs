//! What a log has to withstand beside the claims: several processes, a broker that crashes, foreign
//! records.

use std::time::Duration;

use futures_util::future::join_all;
use rdkafka::{
    ClientConfig,
    producer::{FutureProducer, FutureRecord},
    util::Timeout,
};
use stele_toolkit_contract::{Broker, Protocol};
use stele_toolkit_es::{AppendError, EventStore, Expected, LogSettings, LogStore, Until};

use crate::events::{all, noted, stream, versions, wait_until_readable};

/// A Stele with an empty log of three partitions.
pub(crate) async fn broker() -> (Broker, LogSettings) {
    let broker = Broker::start(Protocol::Kafka).await;
    let settings = LogSettings {
        brokers: broker.address().to_owned(),
        topic: "events".to_owned(),
        timeout: Duration::from_secs(60),
    };
    LogStore::create(&settings, 3, 1).await.unwrap();
    LogStore::create(&settings, 3, 1)
        .await
        .expect("it is there already");
    (broker, settings)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_processes_that_append_one_wins() {
    let (_broker, settings) = broker().await;
    let stores = [
        LogStore::open(settings.clone()).await.unwrap(),
        LogStore::open(settings.clone()).await.unwrap(),
    ];
    let stream = &stream("contested");
    for version in 0..10 {
        let tries = stores.iter().map(|store| async move {
            let event = [noted("x")];
            store
                .append(stream, Expected::Version(version), &event)
                .await
        });
        let tried = join_all(tries).await;
        let won = tried.iter().filter(|tried| tried.is_ok()).count();
        assert_eq!(won, 1, "{tried:?}");
        for failed in tried.into_iter().filter_map(Result::err) {
            let actual = version + 1;
            assert!(
                matches!(failed, AppendError::Conflict { actual: told, .. } if told == actual),
                "{failed}"
            );
        }
    }
    // Both have come to the same history, and so does a third that comes later.
    let third = LogStore::open(settings).await.unwrap();
    let expected = all(&stores[0], 10).await;
    assert_eq!(versions(&expected), (1..=10).collect::<Vec<u64>>());
    for store in [&stores[1], &third] {
        assert_eq!(all(store, 10).await, expected);
        let read = store.read(stream, 0, Until::Latest, 100).await.unwrap();
        assert_eq!(versions(&read), (1..=10).collect::<Vec<u64>>());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_attempt_from_another_process_is_found_to_be_one() {
    let (_broker, settings) = broker().await;
    let first = LogStore::open(settings.clone()).await.unwrap();
    let second = LogStore::open(settings).await.unwrap();
    let (stream, events) = (stream("again"), [noted("1"), noted("2")]);
    let done = first
        .append(&stream, Expected::NoStream, &events)
        .await
        .unwrap();
    let again = second
        .append(&stream, Expected::NoStream, &events)
        .await
        .unwrap();
    assert!(again.is_repeated);
    assert_eq!((again.version, again.position), (2, done.position));
    all(&first, 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_crashes_loses_nothing() {
    let (broker, settings) = broker().await;
    let store = LogStore::open(settings.clone()).await.unwrap();
    let stream = stream("kept");
    for version in 0..5 {
        let event = [noted("before")];
        let appended = store
            .append(&stream, Expected::Version(version), &event)
            .await;
        appended.unwrap();
    }
    assert!(broker.crash().await);
    // The same store goes on, and knows where it is.
    let event = [noted("after")];
    let appended = store
        .append(&stream, Expected::Version(5), &event)
        .await
        .unwrap();
    assert_eq!(appended.version, 6);
    let later = LogStore::open(settings).await.unwrap();
    let read = later.read(&stream, 0, Until::Latest, 100).await.unwrap();
    assert_eq!(versions(&read), [1, 2, 3, 4, 5, 6]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn foreign_records_are_no_events_and_hold_nobody_up() {
    let (_broker, settings) = broker().await;
    let store = LogStore::open(settings.clone()).await.unwrap();
    let mut client = ClientConfig::new();
    client.set("bootstrap.servers", &settings.brokers);
    let producer: FutureProducer = client.create().unwrap();
    let stream = stream("clean");
    let partition = i32::try_from(store.partition(&stream)).unwrap();
    for body in [
        "",
        "not JSON",
        r#"{"expected":null,"events":[]}"#,
        r#"{"events":[{}]}"#,
    ] {
        let record = FutureRecord::to(&settings.topic).partition(partition);
        let record = record.key(stream.as_str()).payload(body);
        let sent = producer
            .send(record, Timeout::After(settings.timeout))
            .await;
        sent.unwrap();
    }
    let event = [noted("own")];
    let appended = store
        .append(&stream, Expected::NoStream, &event)
        .await
        .unwrap();
    assert_eq!(appended.version, 1);
    wait_until_readable(&store, &appended.position).await;
    all(&LogStore::open(settings).await.unwrap(), 1).await;
}
