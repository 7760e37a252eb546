//! Readers, which follow a partition without taking anything from it.

use stele_core_broker::{Reader, Session};
use stele_core_engine::{Retention, Window};

use super::*;

const CONSUMER: ConsumerId = ConsumerId(7);

async fn declare_stream(broker: &Broker) -> LogId {
    let mut stream = queue("stream", Durability::Synced);
    stream.config.queue = None;
    stream.config.retention = Retention {
        until_acknowledged: false,
        window: Some(Window::default()),
    };
    declare(broker, stream).await
}

fn reader_of(session: &Session, log: LogId, from: u64) -> Reader {
    session.reader(first_partition(log), Offset(from), CONSUMER)
}

/// Finds and reads the next batches. `false` at the end.
async fn go_on(broker: &Broker, reader: &mut Reader) -> bool {
    if !broker.locate_next(reader, 1 << 10).await.unwrap() {
        return false;
    }
    broker.read_next(reader, Share::NONE).await.unwrap();
    true
}

async fn next(broker: &Broker, reader: &mut Reader) -> Option<(u64, String)> {
    let record = broker.next_record(reader).await.unwrap()?;
    let body = String::from_utf8(record.value.unwrap().to_vec()).unwrap();
    Some((record.offset.0, body))
}

/// Everything up to the end.
async fn rest(broker: &Broker, reader: &mut Reader) -> Vec<(u64, String)> {
    let mut read = Vec::new();
    while go_on(broker, reader).await {
        while let Some(record) = next(broker, reader).await {
            read.push(record);
        }
    }
    read
}

fn numbers(range: std::ops::Range<u64>) -> Vec<(u64, String)> {
    range.map(|number| (number, number.to_string())).collect()
}

#[tokio::test]
async fn every_reader_gets_every_record_from_where_it_likes() {
    let test = TestBroker::start();
    let broker = &test.broker;
    let log = declare_stream(broker).await;
    let (session, _events) = broker.open_session().await;
    for first in (0..600_u64).step_by(60) {
        let bodies: Vec<String> = (first..first + 60).map(|it| it.to_string()).collect();
        let bodies: Vec<&str> = bodies.iter().map(String::as_str).collect();
        let batch = batch_of(&bodies);
        let is_compressed = first % 120 == 0;
        append(broker, log, compressed_if(is_compressed, batch)).await;
    }
    for from in [0, 1, 59, 60, 61, 599, 600] {
        let mut reader = reader_of(&session, log, from);
        assert_eq!(
            rest(broker, &mut reader).await,
            numbers(from..600),
            "{from}"
        );
    }
    let status = broker.status(log).await.unwrap();
    assert_eq!((status.records(), status.leased), (600, 0));
    test.stop().await;
}

#[tokio::test]
async fn a_record_is_put_back_and_a_pause_loses_none() {
    for is_compressed in [false, true] {
        let test = TestBroker::start();
        let broker = &test.broker;
        let log = declare_stream(broker).await;
        let (session, _events) = broker.open_session().await;
        let batch = batch_of(&["0", "1", "2"]);
        append(broker, log, compressed_if(is_compressed, batch)).await;
        let mut reader = reader_of(&session, log, 0);
        assert!(go_on(broker, &mut reader).await);
        assert_eq!(next(broker, &mut reader).await.unwrap().0, 0);
        assert_eq!(reader.are_copied(), is_compressed);
        reader.put_back();
        assert_eq!(next(broker, &mut reader).await.unwrap().0, 0);
        assert_eq!(next(broker, &mut reader).await.unwrap().0, 1);
        reader.put_back();
        broker.pause_reader(&mut reader);
        assert!(!reader.has_found() && !reader.are_read());
        assert_eq!(rest(broker, &mut reader).await, numbers(1..3));
        test.stop().await;
    }
}

#[tokio::test]
async fn a_reader_at_the_end_is_told_of_more_and_of_the_end_of_its_log() {
    let test = TestBroker::start();
    let broker = &test.broker;
    let log = declare_stream(broker).await;
    let (session, mut events) = broker.open_session().await;
    let mut told = Vec::new();
    let is_readable = |event: &Event| matches!(event, Event::Readable { consumer: CONSUMER });
    // One that waits for the third record, and one that has been dropped.
    let mut reader = reader_of(&session, log, 2);
    assert!(!go_on(broker, &mut reader).await);
    let mut dropped = reader_of(&session, log, 0);
    assert!(!go_on(broker, &mut dropped).await);
    drop(dropped);
    for body in ["0", "1"] {
        publish(broker, log, body).await;
    }
    events.take(&mut told);
    assert!(told.is_empty(), "{told:?}");
    publish(broker, log, "2").await;
    events.receive(&mut told).await;
    assert!(told.len() == 1 && is_readable(&told[0]), "{told:?}");
    assert_eq!(rest(broker, &mut reader).await, numbers(2..3));
    broker.delete_log(DeleteLog::anyway(log)).await.unwrap();
    events.receive(&mut told).await;
    assert!(told.len() == 1 && is_readable(&told[0]), "{told:?}");
    assert!(broker.locate_next(&mut reader, 1).await.is_err());
    test.stop().await;
}

#[tokio::test]
async fn a_reader_passes_over_what_is_no_longer_kept() {
    let test = TestBroker::start();
    let broker = &test.broker;
    let log = declare_stream(broker).await;
    let (session, _events) = broker.open_session().await;
    for number in 0..4 {
        publish(broker, log, &number.to_string()).await;
    }
    let mut reader = reader_of(&session, log, 0);
    broker.trim(first_partition(log), Offset(3)).await.unwrap();
    assert_eq!(rest(broker, &mut reader).await, numbers(3..4));
    test.stop().await;
}

/// The rest of a batch with a broken record can't be read; what follows it can.
#[tokio::test]
async fn a_reader_passes_over_what_cannot_be_read() {
    let test = TestBroker::start();
    let broker = &test.broker;
    let log = declare_stream(broker).await;
    let (session, _events) = broker.open_session().await;
    append(broker, log, unopenable(&batch_of(&["0", "1"]))).await;
    publish(broker, log, "2").await;
    let mut reader = reader_of(&session, log, 0);
    assert_eq!(rest(broker, &mut reader).await, numbers(2..3));
    test.stop().await;
}
