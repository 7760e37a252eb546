//! A broker from the outside: published records can be read, leased and settled, and survive.

mod dead_letters;
mod following;
mod moving;
mod reading;
mod sessions;

use std::{sync::Arc, time::Duration};

use stele_base_env::{Disk, LocalDisk};
use stele_base_types::{ConsumerId, LogId, Offset, PartitionId, PartitionIndex, Timestamp};
use stele_core_broker::{
    Broker, Error, Event, Failure, LeasedBatch, LeasedMessage, MoveMessages, MovedMessage, Publish,
    Read, Share,
};
use stele_core_engine::{
    AppendTarget, Columns, DeclareLog, Declared, DeleteLog, Durability, HeaderChange, LeaseRequest,
    LedgerId, LogError, MoveError, Outcome, Schedule, Settle, SettleItem, Subscription,
};
use stele_test_testkit::{TestBroker, claiming, compressed, message, queue, unopenable};
use stele_wire_batch::{Batch, BatchBuilder, Body, NewRecord};

async fn declare_queue(broker: &Broker, name: &str, durability: Durability) -> LogId {
    declare(broker, queue(name, durability)).await
}

async fn declare_without_ledger(broker: &Broker, name: &str) -> LogId {
    let mut topic = queue(name, Durability::Synced);
    topic.config.queue = None;
    declare(broker, topic).await
}

async fn declare(broker: &Broker, declaration: DeclareLog) -> LogId {
    match broker.declare_log(declaration).await.unwrap() {
        Declared::Created(definition) => definition.id,
        other => panic!("a new log is created, not {other:?}"),
    }
}

async fn publish(broker: &Broker, log: LogId, body: &str) -> Offset {
    let target = AppendTarget {
        log,
        partition: None,
    };
    let appended = broker
        .append(Publish::to(target, message(body)))
        .await
        .unwrap();
    appended[0].base
}

/// A batch with a record for each body.
fn batch_of(bodies: &[&str]) -> Batch {
    let mut builder = BatchBuilder::default();
    for body in bodies {
        let record = NewRecord {
            timestamp: Timestamp(1_700_000_000_000),
            key: None,
            value: Body::Whole(body.as_bytes()),
            headers: &[],
        };
        builder.push(&record).unwrap();
    }
    builder.finish()
}

async fn append(broker: &Broker, log: LogId, batch: Batch) {
    let target = AppendTarget {
        log,
        partition: None,
    };
    broker.append(Publish::to(target, batch)).await.unwrap();
}

fn compressed_if(is_compressed: bool, batch: Batch) -> Batch {
    match is_compressed {
        true => compressed(&batch),
        false => batch,
    }
}

async fn lease(broker: &Broker, log: LogId, records_max: u32) -> Vec<LeasedMessage> {
    lease_waiting(broker, log, records_max, None).await
}

async fn lease_waiting(
    broker: &Broker,
    log: LogId,
    records_max: u32,
    wait_ms: Option<u64>,
) -> Vec<LeasedMessage> {
    let mut messages = Vec::new();
    for batch in lease_batches(broker, log, records_max, wait_ms).await {
        messages.extend(broker.messages(log, batch).await.unwrap());
    }
    messages
}

async fn lease_batches(
    broker: &Broker,
    log: LogId,
    records_max: u32,
    wait_ms: Option<u64>,
) -> Vec<LeasedBatch> {
    let (session, _events) = broker.open_session().await;
    let request = LeaseRequest {
        ledger: LedgerId::DEFAULT,
        holder: session.consumer(ConsumerId(0)),
        records_max,
        lease_ms: Some(60_000),
        settle: false,
        wait_ms,
        attempt: None,
        leased_max: None,
    };
    broker.lease(log, request).await.unwrap()
}

fn body(message: &LeasedMessage) -> &str {
    std::str::from_utf8(message.record.value.as_ref().unwrap()).unwrap()
}

fn first_partition(log: LogId) -> PartitionId {
    PartitionId::new(log, PartitionIndex(0))
}

#[tokio::test]
async fn a_published_message_is_read_and_leased() {
    let test = TestBroker::start();
    let log = declare_queue(&test.broker, "orders", Durability::Synced).await;
    assert_eq!(publish(&test.broker, log, "one").await, Offset(0));
    assert_eq!(publish(&test.broker, log, "two").await, Offset(1));

    let read = Read {
        partition: first_partition(log),
        from: Offset(1),
        bytes_max: 1 << 20,
    };
    let reply = test.broker.read(read).await.unwrap();
    assert_eq!(reply.committed, Offset(2));
    let batches = reply.resolve().await.unwrap();
    assert_eq!(batches.len(), 1);
    assert_eq!(batches[0].header().base_offset(), Offset(1));

    let leased = lease(&test.broker, log, 10).await;
    assert_eq!(leased.iter().map(body).collect::<Vec<_>>(), ["one", "two"]);
    assert!(
        lease(&test.broker, log, 10).await.is_empty(),
        "leased to another"
    );
    test.stop().await;
}

#[tokio::test]
async fn what_was_settled_stays_settled_over_a_restart_and_the_rest_comes_again() {
    let test = TestBroker::start();
    let log = declare_queue(&test.broker, "orders", Durability::Synced).await;
    for number in 0..5 {
        publish(&test.broker, log, &number.to_string()).await;
    }
    let leased = lease(&test.broker, log, 3).await;
    let items = leased[..2]
        .iter()
        .map(|message| SettleItem {
            partition: message.partition,
            offset: message.lease.offset,
            lease: Some(message.lease.lease),
        })
        .collect();
    let settle = Settle {
        log,
        ledger: LedgerId::DEFAULT,
        items,
        outcome: Outcome::Done,
        durable: true,
    };
    let missing = test.broker.settle(settle).await.unwrap();
    assert!(missing.is_empty());

    let test = test.restart().await;
    let status = test.broker.status(log).await.unwrap();
    assert_eq!(status.partitions[0].committed, Offset(5));
    // Message 2 is leased until its deadline, which a restart doesn't change.
    assert_eq!((status.ready, status.leased), (2, 1));
    let again = lease(&test.broker, log, 10).await;
    assert_eq!(again.iter().map(body).collect::<Vec<_>>(), ["3", "4"]);
    test.stop().await;
}

#[tokio::test]
async fn a_volatile_queue_is_gone_after_a_restart() {
    let test = TestBroker::start();
    let log = declare_queue(&test.broker, "transient", Durability::Volatile).await;
    publish(&test.broker, log, "one").await;
    assert_eq!(lease(&test.broker, log, 1).await.len(), 1);
    let test = test.restart().await;
    assert!(test.broker.catalogue().log("/", "transient").is_none());
    assert!(test.broker.status(log).await.is_err());
    test.stop().await;
}

#[tokio::test]
async fn a_volatile_append_can_be_leased_as_soon_as_it_is_answered() {
    let test = TestBroker::start();
    let log = declare_queue(&test.broker, "quick", Durability::Volatile).await;
    for round in 0..200 {
        publish(&test.broker, log, "one").await;
        assert_eq!(lease(&test.broker, log, 1).await.len(), 1, "round {round}");
    }
    test.stop().await;
}

#[tokio::test]
async fn a_fan_out_over_shards_is_read_from_each_log() {
    let test = TestBroker::with_shards(2);
    let mut logs = Vec::new();
    for name in ["a", "b", "c"] {
        logs.push(declare_queue(&test.broker, name, Durability::Synced).await);
    }
    publish(&test.broker, logs[2], "before").await;
    let publish = Publish {
        targets: logs
            .iter()
            .map(|log| AppendTarget {
                log: *log,
                partition: None,
            })
            .collect(),
        batch: message("to all"),
        columns: Columns::default(),
    };
    let appended = test.broker.append(publish).await.unwrap();
    assert_eq!(appended.len(), 3);
    for (log, at) in logs.iter().zip([0, 0, 1]) {
        let read = Read {
            partition: first_partition(*log),
            from: Offset(at),
            bytes_max: 1 << 20,
        };
        let batches = test
            .broker
            .read(read)
            .await
            .unwrap()
            .resolve()
            .await
            .unwrap();
        assert_eq!(batches[0].header().base_offset(), Offset(at));
    }
    test.stop().await;
}

#[tokio::test]
async fn a_wait_is_answered_by_a_publish_and_a_watch_wakes() {
    let test = TestBroker::start();
    let log = declare_queue(&test.broker, "orders", Durability::Synced).await;
    let watch = test
        .broker
        .watch(&[(first_partition(log), Offset(0))])
        .await;
    let (session, _events) = test.broker.open_session().await;
    let request = LeaseRequest {
        ledger: LedgerId::DEFAULT,
        holder: session.consumer(ConsumerId(0)),
        records_max: 1,
        lease_ms: Some(30_000),
        settle: false,
        wait_ms: Some(u64::MAX),
        attempt: None,
        leased_max: None,
    };
    let waiting = tokio::spawn({
        let broker = test.broker.clone();
        async move { broker.lease(log, request).await.unwrap().len() }
    });
    publish(&test.broker, log, "one").await;
    assert_eq!(waiting.await.unwrap(), 1);
    watch.changed().await;
    test.stop().await;
}

#[tokio::test]
async fn a_watch_ends_with_its_log() {
    let test = TestBroker::start();
    let log = declare_queue(&test.broker, "orders", Durability::Synced).await;
    let watch = test
        .broker
        .watch(&[(first_partition(log), Offset(0))])
        .await;
    test.broker
        .delete_log(DeleteLog::anyway(log))
        .await
        .unwrap();
    let woken = tokio::time::timeout(Duration::from_secs(60), watch.changed()).await;
    woken.expect("it wakes");
    test.stop().await;
}

#[tokio::test]
async fn a_graceful_stop_ends_the_journal_with_a_block_that_vouches_for_all_before() {
    let test = TestBroker::start();
    let log = declare_queue(&test.broker, "orders", Durability::Synced).await;
    publish(&test.broker, log, "last").await;
    let directory = test.stop_and_keep().await;
    let file = "data/shard-0/journal/00000000000000000000.journal";
    let mut lines = Vec::new();
    let disk: Arc<dyn Disk> = Arc::new(LocalDisk);
    stele_core_storage::dump(
        &disk,
        &directory.path().join(file),
        &stele_core_broker::WORDS,
        &mut |line| {
            lines.push(line.to_owned());
        },
    )
    .unwrap();
    let blocks: Vec<_> = lines
        .iter()
        .filter(|line| line.contains(": block "))
        .collect();
    let words: Vec<&str> = blocks.last().unwrap().split(' ').collect();
    let [
        _,
        "block",
        sequence,
        "entries",
        "1",
        "bytes",
        _,
        "synced",
        synced,
    ] = words[..]
    else {
        panic!("{words:?}");
    };
    assert_eq!(sequence, synced);
    assert!(blocks.len() > 1, "{lines:?}");
}

#[tokio::test]
async fn a_publish_reaches_every_queue_that_is_still_there() {
    for shards in [1, 3] {
        let test = TestBroker::with_shards(shards);
        let mut logs = Vec::new();
        for name in ["a", "b", "c", "d"] {
            logs.push(declare_queue(&test.broker, name, Durability::Synced).await);
        }
        let to_all = || {
            let targets = logs.iter().map(|log| AppendTarget {
                log: *log,
                partition: None,
            });
            let mut publish = Publish::to(targets.clone().next().unwrap(), message("to all"));
            publish.targets = targets.collect();
            publish
        };
        // It was routed before two of its queues were deleted.
        let publish = to_all();
        for gone in &logs[..2] {
            let delete = DeleteLog::anyway(*gone);
            test.broker.delete_log(delete).await.unwrap();
        }
        let (session, mut events) = test.broker.open_session().await;
        session.publish(1, publish, true, Share::NONE).await;
        let mut news = Vec::new();
        events.receive(&mut news).await;
        assert!(matches!(
            news[..],
            [Event::Published {
                tag: 1,
                result: Ok(())
            }]
        ));
        for left in &logs[2..] {
            assert_eq!(test.broker.status(*left).await.unwrap().ready, 1);
        }
        for gone in &logs[2..] {
            let delete = DeleteLog::anyway(*gone);
            assert_eq!(test.broker.delete_log(delete).await.unwrap(), 1);
        }
        let refused = test.broker.append(to_all()).await.unwrap_err();
        assert_eq!(refused.to_string(), "no such log");
        test.stop().await;
    }
}

#[tokio::test]
async fn logs_are_counted_by_pieces_and_all_of_them() {
    let test = TestBroker::start();
    let declared = (0..2_500).map(|number| {
        let broker = test.broker.clone();
        async move { declare_queue(&broker, &number.to_string(), Durability::Synced).await }
    });
    let mut logs = Vec::new();
    for declaring in declared.map(tokio::spawn).collect::<Vec<_>>() {
        logs.push(declaring.await.unwrap());
    }
    for log in [logs[0], logs[1_700], logs[2_499]] {
        publish(&test.broker, log, "one").await;
    }
    let (first, second) = tokio::join!(test.broker.shard_statuses(), test.broker.shard_statuses());
    for statuses in [first.unwrap(), second.unwrap()] {
        assert_eq!((statuses[0].logs, statuses[0].ready), (2_500, 3));
    }
    test.stop().await;
}

#[tokio::test]
async fn what_is_no_message_is_skipped_by_a_ledger_that_meets_it_late() {
    let test = TestBroker::start();
    let broker = &test.broker;
    let log = declare_without_ledger(broker, "orders").await;
    let target = AppendTarget {
        log,
        partition: None,
    };
    let marker = NewRecord {
        timestamp: Timestamp(0),
        key: Some(&[0, 0, 0, 1]),
        value: Body::Whole(&[0; 6]),
        headers: &[],
    };
    for is_control in [false, true, true, false] {
        let mut batch = BatchBuilder::new();
        if is_control {
            batch = batch.control();
        }
        batch.push(&marker).unwrap();
        let publish = Publish::to(target, batch.finish());
        broker.append(publish).await.unwrap();
    }
    let mut by_another = queue("orders", Durability::Synced);
    by_another.facet = "another".into();
    broker.declare_log(by_another).await.unwrap();
    let status = broker.status(log).await.unwrap();
    assert_eq!(status.ready, 4, "not known to be control records yet");
    let leased = lease(broker, log, 10).await;
    let offsets: Vec<_> = leased.iter().map(|one| one.lease.offset.0).collect();
    assert_eq!(offsets, [0, 3]);
    let status = broker.status(log).await.unwrap();
    assert_eq!((status.ready, status.leased), (0, 2));
    // Batches appended from now on are known to be control batches.
    let mut batch = BatchBuilder::new().control();
    batch.push(&marker).unwrap();
    let publish = Publish::to(target, batch.finish());
    broker.append(publish).await.unwrap();
    let status = broker.status(log).await.unwrap();
    assert_eq!((status.ready, status.leased), (0, 2));
    test.stop().await;
}

#[tokio::test]
async fn a_log_without_a_ledger_has_ready_what_one_would_begin_with() {
    let test = TestBroker::start();
    let broker = &test.broker;
    let log = declare_without_ledger(broker, "orders").await;
    let target = AppendTarget {
        log,
        partition: None,
    };
    for body in ["0", "1"] {
        let publish = Publish::to(target, message(body));
        broker.append(publish).await.unwrap();
    }
    for _ in 0..2 {
        assert_eq!(broker.status(log).await.unwrap().ready, 2);
    }
    assert!(
        broker
            .catalogue()
            .log_by_id(log)
            .unwrap()
            .config
            .queue
            .is_none()
    );
    let mut by_another = queue("orders", Durability::Synced);
    by_another.facet = "another".into();
    broker.declare_log(by_another).await.unwrap();
    assert_eq!(broker.status(log).await.unwrap().ready, 2);
    test.stop().await;
}

/// It would be delivered again, and block the records behind it.
#[tokio::test]
async fn what_cannot_be_read_is_set_aside_to_the_end_of_its_batch() {
    let test = TestBroker::start();
    let broker = &test.broker;
    let log = declare_queue(broker, "orders", Durability::Synced).await;
    let target = AppendTarget {
        log,
        partition: None,
    };
    for batch in [
        message("0"),
        unopenable(&message("1")),
        // More records than are leased at once, all in one batch, which really holds one.
        claiming(&message("2"), 1_000),
        message("1002"),
    ] {
        broker.append(Publish::to(target, batch)).await.unwrap();
    }
    let mut found = Vec::new();
    for _ in 0..4 {
        found.extend(lease(broker, log, 10).await);
    }
    let offsets: Vec<_> = found.iter().map(|one| one.lease.offset.0).collect();
    let values: Vec<_> = found.iter().map(body).collect();
    assert_eq!(
        (offsets, values),
        (vec![0, 2, 1_002], vec!["0", "2", "1002"])
    );
    let status = broker.status(log).await.unwrap();
    assert_eq!((status.ready, status.leased), (0, 3));
    assert_eq!(broker.unreadable_batches(), 2);
    test.stop().await;
}
