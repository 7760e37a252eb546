//! A directory in the first stored form can be opened with all its content, and used.
//!
//! `first_form/` was written by a process with two shards that was killed. It contains the same
//! history twice: in the snapshots, with names starting with `a.`, and in the journals after them,
//! with names starting with `b.`.
#![allow(
    clippy::disallowed_methods,
    reason = "files are copied, and looked at, beside the broker"
)]

use std::{fs, path::Path, sync::Arc, time::Duration};

use stele_base_env::{Clock, LocalDisk, OsRng, SystemClock};
use stele_base_types::{
    ConsumerId, LogId, Name, Offset, PartitionId, PartitionIndex, ProducerEpoch, ProducerId,
    Sequence, SessionId, Timestamp,
};
use stele_core_broker::{Broker, LeasedMessage, Publish, Read, Running, Settings};
use stele_core_engine::{
    AppendTarget, Argument, Arguments, BindingTarget, Columns, ConsumerRef, DescribeGroup,
    Durability, ExchangeKind, FetchOffsets, LeaseRequest, LedgerConfig, LedgerId, Lifetime,
    LogConfig, LogDefinition, NoHeaders, Retention, Schedule, Window,
};
use stele_core_storage::Options;
use stele_test_testkit::message;
use stele_wire_batch::{Batch, BatchBuilder, Body, NewRecord, Producer};
use tempfile::TempDir;

/// A minute after the directory was written.
const NOW: Timestamp = Timestamp(1_780_000_060_000);

#[derive(Debug)]
struct FromThen(SystemClock);

impl Clock for FromThen {
    fn now(&self) -> Timestamp {
        NOW.plus_ms(self.0.monotonic().as_millis() as u64)
    }

    fn calendar(&self) -> Timestamp {
        self.now()
    }

    fn not_before(&self, at: Timestamp) {
        assert!(
            at < NOW.plus_ms(60_000),
            "the directory is of the test's time"
        );
    }

    fn monotonic(&self) -> Duration {
        self.0.monotonic()
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

fn start(directory: &TempDir) -> (Broker, Running) {
    let settings = Settings {
        directory: directory.path().to_owned(),
        shards: 2,
        // The options it was written with, so that its files are checkpointed.
        storage: Options {
            journal_file_size_bytes_max: 8 << 10,
            journal_size_bytes_max: 20 << 10,
            segment_size_bytes_max: 64 << 10,
            ..Options::default()
        },
        reserve_bytes: 1 << 20,
        unread_kept_ms: u64::MAX,
        open_files_max: 64,
        memory_bytes: 1 << 30,
    };
    let clock = Arc::new(FromThen(SystemClock::new()));
    let mut rng = OsRng::new().unwrap();
    Broker::start(&settings, Arc::new(LocalDisk), clock, &mut rng).unwrap()
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn defined(broker: &Broker, name: &str) -> LogDefinition {
    let catalogue = broker.catalogue();
    let found = catalogue.log("/", name);
    found
        .unwrap_or_else(|| panic!("{name} isn't defined"))
        .clone()
}

fn to(log: LogId, partition: Option<u32>) -> AppendTarget {
    AppendTarget {
        log,
        partition: partition.map(PartitionIndex),
    }
}

async fn ledger(broker: &Broker, log: LogId) -> (u64, u64, u64) {
    let status = broker.status(log).await.unwrap();
    (status.ready, status.leased, status.delayed)
}

async fn ends(broker: &Broker, log: LogId) -> Vec<(u64, u64)> {
    let status = broker.status(log).await.unwrap();
    let partitions = status.partitions.iter();
    partitions
        .map(|partition| (partition.start.0, partition.committed.0))
        .collect()
}

async fn lease(broker: &Broker, log: LogId, attempt: Option<u128>) -> Vec<LeasedMessage> {
    let request = LeaseRequest {
        ledger: LedgerId::DEFAULT,
        holder: ConsumerRef {
            session: SessionId(broker.next_id()),
            consumer: ConsumerId(0),
        },
        records_max: 10,
        lease_ms: Some(60_000),
        settle: false,
        wait_ms: None,
        attempt,
        leased_max: None,
    };
    let mut messages = Vec::new();
    for batch in broker.lease(log, request).await.unwrap() {
        messages.extend(broker.messages(log, batch).await.unwrap());
    }
    messages
}

fn values(messages: &[LeasedMessage]) -> Vec<&str> {
    let values = messages.iter().map(|message| &message.record.value);
    values
        .map(|value| std::str::from_utf8(value.as_ref().unwrap()).unwrap())
        .collect()
}

/// All records of a partition, beginning with the batch that contains `from`.
async fn read(broker: &Broker, log: LogId, partition: u32, from: u64) -> Vec<String> {
    let mut read = Read {
        partition: PartitionId::new(log, PartitionIndex(partition)),
        from: Offset(from),
        bytes_max: 1 << 20,
    };
    let mut values = Vec::new();
    loop {
        let batches = broker.read(read).await.unwrap().resolve().await.unwrap();
        if batches.is_empty() {
            return values;
        }
        for batch in batches {
            for record in batch.records(1 << 20).unwrap() {
                let record = record.unwrap();
                read.from = record.offset.next();
                let value = record.value.unwrap().to_vec();
                values.push(String::from_utf8(value).unwrap());
            }
        }
    }
}

const PLAIN: LogConfig = LogConfig {
    partitions: 1,
    durability: Durability::Synced,
    retention: Retention::QUEUE,
    lifetime: Lifetime {
        exclusive: None,
        auto_delete: false,
        unused_ms_max: None,
    },
    queue: Some(LedgerConfig {
        fifo: false,
        delay_ms: 0,
        expiry_ms: None,
        ..LedgerConfig::PLAIN
    }),
};

const TOPIC: LogConfig = LogConfig {
    partitions: 4,
    retention: Retention {
        until_acknowledged: false,
        window: Some(Window {
            time_ms: Some(604_800_000),
            size_bytes: Some(1 << 30),
        }),
    },
    queue: None,
    ..PLAIN
};

fn definitions_are_there(broker: &Broker, half: &str) {
    let configured = |log: &str, config: LogConfig, facets: &[&str]| {
        let definition = defined(broker, &format!("{half}.{log}"));
        assert_eq!(definition.config, config, "{log}");
        let names: Vec<&str> = definition.facets.keys().map(|facet| &**facet).collect();
        assert_eq!(names, facets, "{log}");
        assert_eq!(definition.created.0 / 60_000, NOW.0 / 60_000 - 1);
    };
    configured("orders", PLAIN, &["amqp"]);
    configured("events", TOPIC, &["kafka"]);
    let shared = LogConfig {
        partitions: 2,
        retention: TOPIC.retention.union(PLAIN.retention),
        queue: PLAIN.queue,
        ..TOPIC
    };
    configured("shared", shared, &["amqp", "kafka"]);
    let queue = |fifo, delay_ms, expiry_ms| {
        Some(LedgerConfig {
            fifo,
            delay_ms,
            expiry_ms,
            ..LedgerConfig::PLAIN
        })
    };
    let work = LogConfig {
        queue: queue(true, 0, Some(345_600_000)),
        ..PLAIN
    };
    configured("work.fifo", work, &["sqs"]);
    let flushed = LogConfig {
        durability: Durability::Flushed,
        queue: queue(false, 3_600_000, None),
        ..PLAIN
    };
    configured("flushed", flushed, &["amqp"]);
    let day = Some(86_400_000);
    for (log, auto_delete, unused_ms_max) in [
        ("expiring", false, day),
        ("auto", true, None),
        ("autoexpiring", true, day),
    ] {
        let lifetime = Lifetime {
            exclusive: None,
            auto_delete,
            unused_ms_max,
        };
        configured(log, LogConfig { lifetime, ..PLAIN }, &["amqp"]);
    }
    let events = defined(broker, &format!("{half}.events"));
    assert_eq!(&*events.facets["kafka"]["retention.ms"], "604800000");
    for gone in ["gone", "volatile", "exclusive"] {
        let catalogue = broker.catalogue();
        let found = catalogue.log("/", &format!("{half}.{gone}"));
        assert!(found.is_none(), "{found:?}");
    }
}

fn exchanges_route(broker: &Broker, half: &str) {
    let catalogue = broker.catalogue();
    let exchange = |name: &str| catalogue.exchange("/", &format!("{half}.{name}")).cloned();
    let topics = exchange("topics").unwrap();
    assert_eq!(topics.kind, ExchangeKind::Topic);
    let arguments = Arguments::from([(
        "alternate-exchange".into(),
        Argument::Text(b"other".as_slice().into()),
    )]);
    assert_eq!(topics.arguments, arguments);
    assert!(topics.durable && !topics.auto_delete && !topics.internal);
    let headers = exchange("headers").unwrap();
    assert!(headers.auto_delete && headers.kind == ExchangeKind::Headers);
    assert_eq!((exchange("transient"), exchange("deleted")), (None, None));
    let source = format!("{half}.headers");
    let binding = catalogue.bindings("/", &source).next().unwrap();
    let target = BindingTarget::Exchange(name(&format!("{half}.topics")));
    assert_eq!(binding.target, target);
    assert_eq!(binding.arguments["n"], Argument::Integer(7));
    let routed = |key: &str| {
        let mut targets = Default::default();
        let source = format!("{half}.topics");
        let done = catalogue.route("/", &source, &[key], &NoHeaders, &mut targets);
        done.unwrap();
        targets.to_vec()
    };
    let orders = catalogue.log("/", &format!("{half}.orders")).unwrap().id;
    assert_eq!(routed("order.7.new"), [orders]);
    assert_eq!(routed("gone.7"), []);
}

async fn ledgers_are_as_they_were(broker: &Broker, half: &str) {
    let orders = defined(broker, &format!("{half}.orders")).id;
    // What a session held is ready again: 7, and also 8, 9 and 11. Leased with a deadline: 4 and 5.
    assert_eq!(ledger(broker, orders).await, (4, 2, 2));
    let leased = lease(broker, orders, None).await;
    assert_eq!(values(&leased), ["order 7", "order 8", "order 9", "to all"]);
    let deliveries = leased.iter().map(|message| message.lease.deliveries);
    assert_eq!(deliveries.collect::<Vec<_>>(), [2, 1, 1, 1]);
    let shared = defined(broker, &format!("{half}.shared")).id;
    assert_eq!(ledger(broker, shared).await, (1, 0, 0));
    assert_eq!(values(&lease(broker, shared, None).await), ["shared"]);
    let flushed = defined(broker, &format!("{half}.flushed")).id;
    assert_eq!(ledger(broker, flushed).await, (0, 0, 1));
}

async fn groups_take_turns(broker: &Broker, half: &str) {
    let work = defined(broker, &format!("{half}.work.fifo")).id;
    assert_eq!(ledger(broker, work).await, (3, 1, 0));
    // Job 1 of group 1 is leased, so that group waits; the others don't.
    let leased = lease(broker, work, None).await;
    assert_eq!(values(&leased), ["job 2", "job 3", "job 4"]);
    let mut again = Publish::to(to(work, None), message("job 0 again"));
    again.columns = Columns::of([Schedule {
        group: Some(1),
        deduplication: Some(1),
        ..Schedule::default()
    }]);
    let appended = broker.append(again).await.unwrap();
    assert_eq!((appended[0].base, appended[0].duplicate), (Offset(0), true));
}

fn produced(id: ProducerId, sequence: i32) -> Batch {
    let mut batch = BatchBuilder::new().producer(Producer {
        id,
        epoch: ProducerEpoch(0),
        base_sequence: Sequence(sequence),
    });
    for value in ["x", "y", "z"] {
        let record = NewRecord {
            timestamp: NOW,
            key: None,
            value: Body::Whole(value.as_bytes()),
            headers: &[],
        };
        batch.push(&record).unwrap();
    }
    batch.finish()
}

async fn a_producer_goes_on(broker: &Broker, half: &str, id: ProducerId) {
    let events = defined(broker, &format!("{half}.events")).id;
    let bounds = [(0, 2), (2, 8), (0, 1), (0, 0)];
    assert_eq!(ends(broker, events).await, bounds);
    let records = read(broker, events, 1, 5).await;
    assert_eq!(records, ["x", "y", "z", "event 1", "event 4"]);
    let send = |sequence| Publish::to(to(events, Some(1)), produced(id, sequence));
    let repeated = broker.append(send(3)).await.unwrap();
    assert_eq!((repeated[0].base, repeated[0].duplicate), (Offset(3), true));
    let next = broker.append(send(6)).await.unwrap();
    assert_eq!((next[0].base, next[0].duplicate), (Offset(8), false));
}

async fn offsets_are_committed(broker: &Broker, half: &str) {
    let group = |group: &str| name(&format!("{half}.{group}"));
    let events = defined(broker, &format!("{half}.events")).id;
    for (of, committed) in [
        ("by-hand", Some(4)),
        ("members", Some(5)),
        ("deleted", None),
    ] {
        let all = FetchOffsets {
            group: group(of),
            partitions: None,
        };
        let entries = broker.group(all).await.unwrap();
        let found: Vec<_> = entries
            .iter()
            .map(|entry| (entry.partition, entry.committed.as_ref().unwrap()))
            .map(|(partition, it)| (partition, it.offset.0, it.leader_epoch, &*it.metadata))
            .collect();
        let partition = PartitionId::new(events, PartitionIndex(1));
        let expected = committed.map(|offset| (partition, offset, 3, "note"));
        assert_eq!(found, expected.into_iter().collect::<Vec<_>>(), "{of}");
    }
    let describe = |of| DescribeGroup { group: group(of) };
    let described = broker.group(describe("members")).await.unwrap();
    assert_eq!(described.listing.state, "Stable");
    let member = &described.members[0];
    assert_eq!(
        (&*member.member, &*member.assignment),
        ("m-1", &b"part"[..])
    );
    assert_eq!(member.instance.as_deref(), Some("static"));
    let emptied = broker.group(describe("emptied")).await.unwrap();
    assert_eq!(emptied.listing.state, "Empty");
    assert_eq!(&*emptied.listing.protocol_type, "consumer");
}

/// Appends until every shard has checkpointed its earlier data.
async fn checkpoint(broker: &Broker, directory: &TempDir) {
    let logs = ["ballast0", "ballast1"].map(|log| defined(broker, log).id);
    let ballast = "b".repeat(1_000);
    let snapshots = |shard: u32| {
        let path = directory.path().join(format!("shard-{shard}/snapshot"));
        let names = fs::read_dir(path).unwrap();
        let mut names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let before = [snapshots(0), snapshots(1)];
    while (0..)
        .zip(&before)
        .any(|(shard, before)| snapshots(shard) == *before)
    {
        for log in logs {
            let publish = Publish::to(to(log, None), message(&ballast));
            broker.append(publish).await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_in_the_first_form_opens_with_all_that_is_in_it() {
    let directory = tempfile::tempdir().unwrap();
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/first_form");
    copy(&fixture, directory.path());
    let (broker, running) = start(&directory);
    for (half, producer) in [("a", ProducerId(0)), ("b", ProducerId(1))] {
        definitions_are_there(&broker, half);
        exchanges_route(&broker, half);
        ledgers_are_as_they_were(&broker, half).await;
        groups_take_turns(&broker, half).await;
        a_producer_goes_on(&broker, half, producer).await;
        offsets_are_committed(&broker, half).await;
    }
    let next = broker.init_producer(None).await.unwrap();
    assert_eq!(next, (ProducerId(2), ProducerEpoch(0)));
    running.stop().await;

    // New data is stored next to the old, first in journals, then in snapshots too.
    for is_checkpointed in [false, true] {
        let (broker, running) = start(&directory);
        if is_checkpointed {
            checkpoint(&broker, &directory).await;
        }
        for half in ["a", "b"] {
            definitions_are_there(&broker, half);
            exchanges_route(&broker, half);
            offsets_are_committed(&broker, half).await;
            let orders = defined(&broker, &format!("{half}.orders")).id;
            assert_eq!(ledger(&broker, orders).await, (0, 6, 2));
            let work = defined(&broker, &format!("{half}.work.fifo")).id;
            assert_eq!(ledger(&broker, work).await, (0, 4, 0));
            let events = defined(&broker, &format!("{half}.events")).id;
            let bounds = [(0, 2), (2, 11), (0, 1), (0, 0)];
            assert_eq!(ends(&broker, events).await, bounds);
        }
        running.stop().await;
    }
    let (broker, running) = start(&directory);
    definitions_are_there(&broker, "a");
    running.stop().await;
}
