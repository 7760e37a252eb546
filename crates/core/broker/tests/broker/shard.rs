//! A single shard, driven step by step with the test's own clock.

use std::{
    path::Path,
    pin::pin,
    sync::Arc,
    task::{Context, Waker},
};

use bytes::Bytes;
use parking_lot::RwLock;
use smallvec::{SmallVec, smallvec};
use stele_base_types::{
    ConsumerId, LogId, Name, Offset, PartitionId, PartitionIndex, ProcessEpoch, SessionId,
    Timestamp,
};
use stele_core_broker::{
    Error, Event, Failure, LeasedBatch, Mailbox, News, Opened, ReplyTo, Request, Shard, Share,
};
use stele_core_engine::{
    AlterLog, Append, AppendError, AppendResult, AppendTarget, Catalogue, CatalogueError, Columns,
    Command, CommitOffset, CommitOffsets, ConsumerRef, DeclareLog, Declared, DeleteLog, Durability,
    Lease, LeaseRequest, LedgerConfig, LedgerId, LogError, Outcome, Purge, Retention, Settle,
    SettleItem, Subscribe, Subscription, Unsubscribe, Window,
};
use stele_core_storage::{BLOCK_CONTENT_SIZE_BYTES_MAX, Journal, Options};
use stele_test_testkit::{first_shard, message, queue};
use tokio::sync::{Notify, oneshot};

const LOG: LogId = LogId(0);
const START: Timestamp = Timestamp(1_700_000_000_000);
const DAY_MS: u64 = 86_400_000;

type Answer = Result<Declared, Error<CatalogueError>>;
type Stored = Result<SmallVec<[AppendResult; 1]>, Error<AppendError>>;
type Leases = oneshot::Receiver<Result<Vec<LeasedBatch>, Error<LogError>>>;

/// A shard and its writer.
struct Alone {
    shard: Shard,
    writer: Box<dyn Journal>,
    /// The replica that fronts route by.
    replica: Arc<RwLock<Catalogue>>,
}

/// A request for leases that doesn't wait; they end with their session.
fn at_once(session: SessionId, records_max: u32) -> LeaseRequest {
    LeaseRequest {
        ledger: LedgerId::DEFAULT,
        holder: ConsumerRef {
            session,
            consumer: ConsumerId(0),
        },
        records_max,
        lease_ms: None,
        settle: false,
        wait_ms: None,
        attempt: None,
        leased_max: None,
    }
}

impl Alone {
    fn open(path: &Path) -> Self {
        let replica = Arc::<RwLock<_>>::default();
        let links = vec![Arc::default()];
        let opened = first_shard(
            path,
            &Options::default(),
            Arc::clone(&replica),
            links,
            START,
        );
        let Opened { shard, writer, .. } = opened;
        Self {
            shard,
            writer,
            replica,
        }
    }

    /// A shard with a queue of this many records, of which the first ten thousand are leased.
    fn with_leases(path: &Path, records: u32) -> (Self, Vec<Leases>) {
        let mut alone = Self::open(path);
        alone.declare(Durability::Synced);
        for _ in 0..records {
            alone.append();
        }
        alone.write(START);
        alone.sync();
        let session = SessionId(ProcessEpoch(1).first_number());
        let held = (0..50).map(|_| alone.ask_to_lease(at_once(session, 200)));
        let held = held.collect();
        (alone, held)
    }

    /// Declares the first log, a queue, and waits for the disk.
    fn declare(&mut self, durability: Durability) {
        let answer = self.ask_to_declare(durability);
        self.write(START);
        self.sync();
        drop(answer);
    }

    fn ask_to_declare(&mut self, durability: Durability) -> oneshot::Receiver<Answer> {
        self.ask_for(queue("queue", durability))
    }

    fn ask_for(&mut self, declaration: DeclareLog) -> oneshot::Receiver<Answer> {
        let (request, answer) = Request::call(declaration);
        self.shard.handle(request, START);
        answer
    }

    /// Opens a session of this process with one consumer.
    fn subscribe(&mut self, credit_bytes: u64) -> ConsumerRef {
        let session = SessionId(ProcessEpoch(1).first_number());
        let open = Request::OpenSession {
            session,
            mailbox: Arc::default(),
            reply: oneshot::channel().0,
        };
        self.shard.handle(open, START);
        let consumer = ConsumerRef {
            session,
            consumer: ConsumerId(1),
        };
        let terms = Subscription {
            ledger: LedgerId::DEFAULT,
            consumer,
            prefetch: None,
            pool: 0,
            pool_prefetch: None,
            settle: false,
            exclusive: false,
            credit_bytes,
            priority: 0,
        };
        self.tell(Subscribe { log: LOG, terms });
        consumer
    }

    fn tell<C: Command>(&mut self, command: C) {
        self.shard.handle(Request::tell(command), START);
    }

    fn append(&mut self) {
        drop(self.ask_to_append(message("x").into_bytes()));
    }

    /// Appends a message of this size.
    fn append_of(&mut self, size_bytes: usize) {
        drop(self.ask_to_append(message(&"x".repeat(size_bytes)).into_bytes()));
    }

    fn ask_to_append(&mut self, batch: Bytes) -> oneshot::Receiver<Stored> {
        let (reply, answer) = oneshot::channel();
        self.begin_append(batch, ReplyTo::Call(reply));
        answer
    }

    fn begin_append(&mut self, batch: Bytes, reply: ReplyTo) {
        let append = Append {
            count: 1,
            size_bytes: batch.len() as u32,
            timestamp: START,
            producer: None,
            columns: Columns::default(),
            targets: smallvec![AppendTarget {
                log: LOG,
                partition: None,
            }],
        };
        let request = Request::Append {
            append,
            body: batch,
            reply,
            room: Share::NONE,
        };
        self.shard.handle(request, START);
    }

    /// Commits an offset of the first partition, as a consumer that isn't a member does.
    fn commit(&mut self, group: &str, offset: u64) {
        self.tell(CommitOffsets {
            group: Name::new(group).unwrap(),
            member: "".into(),
            instance: None,
            generation: -1,
            offsets: vec![CommitOffset {
                partition: PartitionId::new(LOG, PartitionIndex(0)),
                offset: Offset(offset),
                leader_epoch: -1,
                metadata: "".into(),
            }],
        });
    }

    fn delete(&mut self) {
        let delete = Request::Delete {
            delete: DeleteLog::anyway(LOG),
            reply: oneshot::channel().0,
        };
        self.shard.handle(delete, START);
    }

    /// Requests a lease of ten seconds, waiting for a record.
    fn lease(&mut self) -> Leases {
        let mut request = at_once(SessionId(1), 1);
        request.lease_ms = Some(10_000);
        request.wait_ms = Some(60_000);
        self.ask_to_lease(request)
    }

    fn ask_to_lease(&mut self, request: LeaseRequest) -> Leases {
        let (reply, answer) = oneshot::channel();
        let request = Request::Lease {
            lease: Lease { log: LOG, request },
            ticket: 1,
            reply,
        };
        self.shard.handle(request, START);
        answer
    }

    fn write(&mut self, now: Timestamp) {
        while let Some(block) = self.shard.take_block(now) {
            let written = self.writer.append(&block).unwrap();
            self.shard.news(News::Written(written), now);
        }
    }

    fn sync(&mut self) {
        let next = self.writer.sync().unwrap();
        self.shard.news(News::Synced(next), START);
    }

    /// How many partitions the fronts see.
    fn partitions(&self) -> u32 {
        let replica = self.replica.read();
        replica.log_by_id(LOG).unwrap().config.partitions
    }

    fn start(&self) -> u64 {
        let log = self.shard.state().logs.log(LOG).unwrap();
        log.partitions[0].start.0
    }

    fn leased(&self) -> u64 {
        let log = self.shard.state().logs.log(LOG).unwrap();
        log.ledger(LedgerId::DEFAULT).unwrap().leased()
    }
}

#[test]
fn a_lease_that_comes_with_a_block_runs_from_when_the_block_was_taken() {
    let directory = tempfile::tempdir().unwrap();
    let mut alone = Alone::open(directory.path());
    alone.declare(Durability::Volatile);
    let mut answer = alone.lease();
    alone.append();
    assert!(answer.try_recv().is_err(), "nobody can read it yet");
    // The writer was busy until then.
    let late = START.plus_ms(8_000);
    alone.write(late);
    assert_eq!(answer.try_recv().unwrap().unwrap().len(), 1);
    alone.shard.tick(late.plus_ms(9_999));
    assert_eq!(alone.leased(), 1);
    alone.shard.tick(late.plus_ms(10_000));
    assert_eq!(alone.leased(), 0);
}

#[test]
fn a_partition_is_shown_once_its_definition_is_on_disk() {
    let directory = tempfile::tempdir().unwrap();
    let mut alone = Alone::open(directory.path());
    alone.declare(Durability::Synced);
    assert_eq!(alone.partitions(), 1);
    let alter = AlterLog {
        partitions: Some(2),
        ..AlterLog::nothing(LOG)
    };
    alone.tell(alter);
    alone.write(START);
    // A crash would lose the definition, and with it a record in the new partition.
    assert_eq!(alone.partitions(), 1);
    alone.sync();
    assert_eq!(alone.partitions(), 2);
}

#[test]
fn who_declares_what_is_there_already_waits_until_it_is_there_for_good() {
    let directory = tempfile::tempdir().unwrap();
    let mut alone = Alone::open(directory.path());
    let mut first = alone.ask_to_declare(Durability::Synced);
    let mut second = alone.ask_to_declare(Durability::Synced);
    alone.write(START);
    assert!(first.try_recv().is_err());
    assert!(second.try_recv().is_err());
    alone.sync();
    assert!(first.try_recv().unwrap().is_ok());
    assert!(second.try_recv().unwrap().is_ok());
    // This writes what followed from that; then nothing is in flight any more.
    alone.write(START.plus_ms(5));
    alone.sync();
    let mut third = alone.ask_to_declare(Durability::Synced);
    assert!(third.try_recv().unwrap().is_ok());
}

#[test]
fn what_nobody_waits_for_is_written_soon_or_along_with_what_somebody_does() {
    let directory = tempfile::tempdir().unwrap();
    let mut alone = Alone::open(directory.path());
    alone.declare(Durability::Synced);
    let mut answer = alone.lease();
    alone.append();
    alone.write(START);
    alone.sync();
    assert_eq!(answer.try_recv().unwrap().unwrap().len(), 1);
    // The lease is the only thing to write.
    assert_eq!(alone.shard.block_due_at(), Some(START.plus_ms(5)));
    assert!(alone.shard.take_block(START.plus_ms(4)).is_none());
    alone.append();
    assert!(alone.shard.take_block(START.plus_ms(4)).is_some());
    assert_eq!(alone.shard.block_due_at(), None);
}

#[test]
fn what_nobody_waits_for_is_written_after_five_milliseconds() {
    let directory = tempfile::tempdir().unwrap();
    let mut alone = Alone::open(directory.path());
    alone.declare(Durability::Synced);
    let answer = alone.lease();
    alone.append();
    alone.write(START);
    alone.sync();
    assert!(alone.shard.take_block(START).is_none());
    assert!(alone.shard.take_block(START.plus_ms(5)).is_some());
    drop(answer);
}

#[test]
fn a_publish_that_need_not_be_durable_is_confirmed_at_once_and_shown_when_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let mut alone = Alone::open(directory.path());
    alone.declare(Durability::Synced);
    let mailbox = Arc::<Mailbox>::default();
    let confirmed = || {
        let mut events = Vec::new();
        mailbox.take(&mut events);
        let tags = events.into_iter().filter_map(|event| match event {
            Event::Published { tag, result } => result.map(|()| tag).ok(),
            _ => None,
        });
        tags.collect::<Vec<_>>()
    };
    let mut leased = alone.lease();
    for (tag, durable) in [(1, true), (2, false), (3, true)] {
        let reply = ReplyTo::Published {
            mailbox: Arc::clone(&mailbox),
            tag,
            pending: None,
            durable,
        };
        alone.begin_append(message("x").into_bytes(), reply);
    }
    assert_eq!(confirmed(), [2]);
    // It is written and synced all the same.
    let block = alone.shard.take_block(START).unwrap();
    assert!(alone.shard.awaited(&block).is_synced);
    let written = alone.writer.append(&block).unwrap();
    alone.shard.news(News::Written(written), START);
    assert!(confirmed().is_empty());
    assert!(leased.try_recv().is_err());
    alone.sync();
    assert_eq!(confirmed(), [1, 3]);
    assert_eq!(leased.try_recv().unwrap().unwrap().len(), 1);
}

/// A batch whose block has no room left for the record of its append.
#[test]
fn a_batch_that_almost_fits_a_block_leaves_nothing_behind() {
    const HEAD_BYTES: usize = 40 + 5 + 4 + 20;
    let directory = tempfile::tempdir().unwrap();
    let mut alone = Alone::open(directory.path());
    alone.declare(Durability::Synced);
    let around = message("").bytes().len() + 8;
    let value = "x".repeat(BLOCK_CONTENT_SIZE_BYTES_MAX - HEAD_BYTES - around);
    let mut refused = alone.ask_to_append(message(&value).into_bytes());
    drop(value);
    let refused = refused.try_recv().unwrap();
    assert!(
        matches!(refused, Err(Error::Failed(Failure::TooLarge(_)))),
        "{refused:?}"
    );
    alone.append();
    alone.write(START);
    alone.sync();
    drop(alone);

    let alone = Alone::open(directory.path());
    let log = alone.shard.state().logs.log(LOG).unwrap();
    assert_eq!(log.partitions[0].end.0, 1);
}

#[test]
fn a_record_of_long_ago_stays_for_a_while() {
    let directory = tempfile::tempdir().unwrap();
    let mut alone = Alone::open(directory.path());
    let mut topic = queue("topic", Durability::Synced);
    topic.config.retention = Retention {
        until_acknowledged: false,
        window: Some(Window {
            time_ms: Some(DAY_MS),
            size_bytes: None,
        }),
    };
    drop(alone.ask_for(topic));
    alone.write(START);
    alone.sync();
    alone.append();
    alone.write(START);
    alone.sync();
    // The record's timestamp is START.
    let late = START.plus_ms(30 * DAY_MS);
    alone.shard.maintain(late);
    alone.shard.maintain(late.plus_ms(299_999));
    assert_eq!(alone.start(), 0);
    alone.shard.maintain(late.plus_ms(300_000));
    assert_eq!(alone.start(), 1);
}

#[test]
fn an_unused_log_goes_with_its_definition_and_counts_from_a_start() {
    let directory = tempfile::tempdir().unwrap();
    let mut alone = Alone::open(directory.path());
    let mut declaration = queue("queue", Durability::Synced);
    declaration.config.lifetime.unused_ms_max = Some(DAY_MS);
    drop(alone.ask_for(declaration));
    alone.write(START);
    alone.sync();
    alone.write(START.plus_ms(5));
    alone.sync();
    drop(alone);
    // It is recovered from the journal, and its unused time starts again.
    let mut alone = Alone::open(directory.path());
    let is_open = |alone: &Alone| alone.shard.state().logs.log(LOG).is_some();
    alone.shard.tick(START.plus_ms(DAY_MS - 1));
    assert!(is_open(&alone));
    alone.shard.tick(START.plus_ms(DAY_MS));
    assert!(!is_open(&alone));
    let catalogue = &alone.shard.state().catalogue;
    assert!(catalogue.log_by_id(LOG).is_none());
    alone.write(START.plus_ms(DAY_MS));
    alone.sync();
    assert_eq!(alone.shard.state().logs.closed().count(), 0);
}

#[test]
fn a_process_that_ends_at_once_has_an_epoch_of_its_own() {
    let directory = tempfile::tempdir().unwrap();
    let epoch_of_next = || Alone::open(directory.path()).shard.state().next_epoch();
    let first = epoch_of_next();
    assert!(epoch_of_next() > first);
}

#[test]
fn a_start_takes_out_all_that_is_too_much_for_a_queue() {
    let directory = tempfile::tempdir().unwrap();
    let mut alone = Alone::open(directory.path());
    let mut declaration = queue("queue", Durability::Synced);
    declaration.config.queue = Some(LedgerConfig {
        ready_max: Some(3),
        ..LedgerConfig::default()
    });
    drop(alone.ask_for(declaration));
    alone.write(START);
    alone.sync();
    for _ in 0..5_000 {
        alone.append();
    }
    // They are never shown, so none of them has left yet.
    alone.write(START);
    drop(alone);
    let again = Alone::open(directory.path());
    let log = again.shard.state().logs.log(LOG).unwrap();
    assert_eq!(log.ledger(LedgerId::DEFAULT).unwrap().ready(), 3);
}

#[test]
fn a_large_credit_is_used_in_pieces() {
    let directory = tempfile::tempdir().unwrap();
    let mut alone = Alone::open(directory.path());
    alone.declare(Durability::Volatile);
    for _ in 0..10_000 {
        alone.append();
    }
    alone.write(START);
    alone.subscribe(1 << 30);
    let (mut leased, mut pieces) = (0, 0);
    while alone.shard.is_due(START) {
        let piece = alone.leased() - leased;
        assert!((1..2_500).contains(&piece), "{piece} records in one go");
        leased += piece;
        pieces += 1;
        alone.shard.tick(START);
    }
    assert_eq!((alone.leased(), pieces), (10_000, 5));
}

#[test]
fn messages_are_charged_by_their_own_sizes_not_by_their_neighbours() {
    const LARGE: usize = 64 << 10;
    let directory = tempfile::tempdir().unwrap();
    let mut alone = Alone::open(directory.path());
    alone.declare(Durability::Volatile);
    for size_bytes in [1, LARGE, 1] {
        for _ in 0..300 {
            alone.append_of(size_bytes);
        }
    }
    alone.write(START);
    alone.subscribe(512 << 10);
    while alone.shard.is_due(START) {
        alone.shard.tick(START);
    }
    let large = alone.leased() - 300;
    assert!((7..=8).contains(&large), "{large} large ones of 64 KiB");
}

#[test]
fn what_is_leased_at_once_is_bounded_by_bytes() {
    const LARGE: usize = 256 << 10;
    let directory = tempfile::tempdir().unwrap();
    let mut alone = Alone::open(directory.path());
    alone.declare(Durability::Volatile);
    let session = SessionId(ProcessEpoch(1).first_number());
    let waiting = LeaseRequest {
        wait_ms: Some(1_000),
        ..at_once(session, 200)
    };
    let mut waits = alone.ask_to_lease(waiting);
    for size_bytes in [LARGE, 1] {
        for _ in 0..100 {
            alone.append_of(size_bytes);
        }
    }
    alone.write(START);
    let mut asks = alone.ask_to_lease(at_once(session, 200));
    for answer in [&mut waits, &mut asks] {
        let batches = answer.try_recv().unwrap().unwrap();
        let records = batches.iter().map(|batch| batch.run().records.len());
        let records: usize = records.sum();
        assert!((1..=64).contains(&records), "{records} of 256 KiB");
    }
}

#[test]
fn a_large_purge_goes_in_pieces_and_is_answered_when_all_is_gone() {
    let directory = tempfile::tempdir().unwrap();
    let (mut alone, _held) = Alone::with_leases(directory.path(), 10_000);
    assert_eq!(alone.leased(), 10_000);
    let (purge, mut purged) = Request::call(Purge {
        log: LOG,
        ledger: LedgerId::DEFAULT,
        leased: true,
    });
    alone.shard.handle(purge, START);
    let (reply, mut status) = oneshot::channel();
    alone
        .shard
        .handle(Request::Status { log: LOG, reply }, START);
    alone.append();
    let mut wait = alone.lease();
    while alone.shard.state().logs.is_owed(LOG) {
        let before = alone.leased();
        assert!(status.try_recv().is_err(), "nobody sees it half done");
        assert!(wait.try_recv().is_err());
        assert!(purged.try_recv().is_err());
        alone.shard.tick(START);
        let piece = before - alone.leased();
        assert!((1..3_000).contains(&piece), "{piece} leases in one go");
    }
    assert!(purged.try_recv().is_err(), "the last piece isn't on disk");
    alone.write(START);
    alone.sync();
    assert_eq!(purged.try_recv().unwrap(), Ok(10_000));
    assert_eq!(status.try_recv().unwrap().unwrap().leased, 0);
    assert_eq!(
        wait.try_recv().unwrap().unwrap().len(),
        1,
        "what came after"
    );
}

#[test]
fn very_much_is_given_back_in_pieces_and_nothing_comes_before_it() {
    let directory = tempfile::tempdir().unwrap();
    let (mut alone, _held) = Alone::with_leases(directory.path(), 10_001);
    let items = (0..10_000).map(|offset| SettleItem {
        partition: PartitionIndex(0),
        offset: Offset(offset),
        lease: None,
    });
    let settle = Settle {
        log: LOG,
        ledger: LedgerId::DEFAULT,
        items: items.collect(),
        outcome: Outcome::Return(0),
        durable: false,
    };
    let reply = None;
    alone.shard.handle(Request::Settle { settle, reply }, START);
    let mut next = alone.ask_to_lease(at_once(SessionId(2), 1));
    let mut left = alone.leased();
    let first = loop {
        if let Ok(answer) = next.try_recv() {
            break answer.unwrap();
        }
        alone.shard.tick(START);
        let piece = left.saturating_sub(alone.leased());
        assert!(piece < 3_000, "{piece} leases in one go");
        left = alone.leased();
    };
    assert_eq!(alone.leased(), 1);
    assert_eq!(first[0].run().records[0].offset, Offset(0));
}

#[test]
fn who_waits_for_a_message_comes_before_who_asks_for_one() {
    let directory = tempfile::tempdir().unwrap();
    let mut alone = Alone::open(directory.path());
    alone.declare(Durability::Synced);
    let mut waiting = alone.lease();
    alone.append();
    // It waits until the appended records are visible.
    let mut asking = alone.ask_to_lease(at_once(SessionId(2), 1));
    alone.write(START);
    alone.sync();
    assert_eq!(waiting.try_recv().unwrap().unwrap().len(), 1);
    assert_eq!(asking.try_recv().unwrap().unwrap().len(), 0);
}

#[test]
fn a_queue_keeps_what_a_group_has_not_read_for_so_long_and_no_longer() {
    let directory = tempfile::tempdir().unwrap();
    let mut alone = Alone::open(directory.path());
    alone.declare(Durability::Synced);
    for _ in 0..3 {
        alone.append();
        alone.write(START);
        alone.sync();
    }
    let partition = PartitionId::new(LOG, PartitionIndex(0));
    alone.commit("readers", 1);
    let items = (0..3).map(|offset| SettleItem {
        partition: partition.index,
        offset: Offset(offset),
        lease: None,
    });
    alone.tell(Settle {
        log: LOG,
        ledger: LedgerId::DEFAULT,
        items: items.collect(),
        outcome: Outcome::Done,
        durable: false,
    });
    alone.shard.keep_unread_for(DAY_MS);
    alone.shard.maintain(START.plus_ms(DAY_MS));
    alone.shard.maintain(START.plus_ms(DAY_MS));
    assert_eq!(alone.start(), 1);
    let late = START.plus_ms(2 * DAY_MS);
    alone.shard.maintain(late);
    alone.shard.maintain(late.plus_ms(300_000));
    assert_eq!(alone.start(), 3);
}

#[test]
fn nothing_is_readable_of_a_log_that_was_closed_before_its_block_was_finished() {
    let directory = tempfile::tempdir().unwrap();
    let mut alone = Alone::open(directory.path());
    let mut declaration = queue("queue", Durability::Synced);
    declaration.config.lifetime.auto_delete = true;
    drop(alone.ask_for(declaration));
    alone.write(START);
    alone.sync();
    let consumer = alone.subscribe(1 << 20);
    alone.append();
    // It is deleted with its last consumer, whatever isn't on disk yet.
    alone.tell(Unsubscribe {
        log: LOG,
        consumer,
        lingers: false,
    });
    assert!(alone.shard.state().logs.log(LOG).is_none());
    alone.write(START);
    alone.sync();
    let (reply, mut status) = oneshot::channel();
    alone.shard.handle(Request::Counters { reply }, START);
    let status = status.try_recv().unwrap();
    assert_eq!((status.logs, status.usage.partition_count), (0, 0));
}

#[test]
fn watches_go_with_their_fetches_and_with_their_logs() {
    let directory = tempfile::tempdir().unwrap();
    let mut alone = Alone::open(directory.path());
    let mut declaration = queue("queue", Durability::Synced);
    declaration.config.partitions = 100;
    drop(alone.ask_for(declaration));
    alone.write(START);
    alone.sync();
    let partitions = (0..100).map(|index| PartitionId::new(LOG, PartitionIndex(index)));
    let partitions: Vec<_> = partitions.map(|it| (it, Offset(0))).collect();
    let watch = |alone: &mut Alone| {
        let notify = Arc::new(Notify::new());
        let watch = Request::Watch {
            partitions: partitions.clone(),
            notify: Arc::downgrade(&notify),
        };
        alone.shard.handle(watch, START);
        notify
    };
    let fetches: Vec<_> = (0..100).map(|_| watch(&mut alone)).collect();
    assert_eq!(alone.shard.watches(), 10_000);
    // All their clients but one leave, and others come and leave.
    let last = fetches.into_iter().next_back();
    for _ in 0..10_000 {
        watch(&mut alone);
    }
    assert!(alone.shard.watches() < 30_000);
    alone.shard.maintain(START);
    assert_eq!(alone.shard.watches(), 100);
    alone.delete();
    assert_eq!(alone.shard.watches(), 0);
    let mut context = Context::from_waker(Waker::noop());
    let woken = pin!(last.as_ref().unwrap().notified()).poll(&mut context);
    assert!(woken.is_ready());
}

#[test]
fn a_group_forgets_a_deleted_log_also_by_a_commit_that_comes_late() {
    let directory = tempfile::tempdir().unwrap();
    let mut alone = Alone::open(directory.path());
    alone.declare(Durability::Synced);
    alone.commit("early", 1);
    alone.shard.maintain(START);
    let read = |alone: &Alone| alone.shard.state().groups.read_logs(None).count();
    assert_eq!(read(&alone), 1);
    alone.delete();
    alone.write(START);
    alone.sync();
    // The log's name was looked up before it was deleted.
    alone.commit("late", 1);
    assert_eq!(read(&alone), 2);
    alone.shard.maintain(START);
    assert_eq!(read(&alone), 0);
    alone.write(START.plus_ms(5));
    alone.sync();
    drop(alone);
    assert_eq!(read(&Alone::open(directory.path())), 0);
}
