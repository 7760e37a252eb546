//! Messages that are due in a long time.

use stele_base_types::{LogId, Name, Timestamp};
use stele_core_broker::{
    Broker, DeadLetter, DeadLetterRoutes, DeadLetters, HELD_MS_MAX, Letter, PeekedMessage, Publish,
    SCHEDULED_HEADER, Scheduled, next_stay,
};
use stele_core_engine::{
    AppendTarget, Catalogue, Columns, Durability, LedgerConfig, LedgerId, Overflow, Peek,
    PeekState, Schedule,
};
use stele_test_testkit::{TestBroker, message, queue};
use stele_wire_batch::{BatchBuilder, Body, NewRecord, Record, RecordHeader};
use tokio::{sync::watch, task::JoinHandle};

const YEAR_MS: u64 = 365 * 24 * 60 * 60 * 1_000;

/// Releases messages to the queues that their keys name.
#[derive(Debug)]
struct ByKey;

impl DeadLetterRoutes for ByKey {
    fn route(&self, _catalogue: &Catalogue, _dead: &DeadLetter<'_>) -> Option<Letter> {
        None
    }

    fn release(
        &self,
        catalogue: &Catalogue,
        vhost: &str,
        record: &Record,
        scheduled: &Scheduled,
    ) -> Option<Letter> {
        assert_eq!(record.timestamp, Timestamp(7));
        let keys = scheduled.more_keys.iter();
        let logs = keys.filter_map(|key| catalogue.log(vhost, key));
        Some(Letter {
            targets: logs.map(|log| log.id).collect(),
            ..Letter::default()
        })
    }
}

/// A broker with the task that moves messages.
struct Moving {
    test: TestBroker,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Moving {
    fn on(test: TestBroker) -> Self {
        let (stop, stopping) = watch::channel(false);
        let routes: Vec<Box<dyn DeadLetterRoutes>> = vec![Box::new(ByKey)];
        let task = DeadLetters::new(test.broker.clone(), test.clock(), routes);
        Self {
            task: tokio::spawn(task.run(stopping)),
            test,
            stop,
        }
    }

    async fn restart(self) -> Self {
        self.stop.send_replace(true);
        self.task.await.unwrap();
        Self::on(self.test.restart().await)
    }

    async fn stop(self) {
        self.stop.send_replace(true);
        self.task.await.unwrap();
        self.test.stop().await;
    }

    fn broker(&self) -> &Broker {
        &self.test.broker
    }

    fn now(&self) -> Timestamp {
        self.test.clock().now()
    }

    async fn declare(&self, name: &str) -> LogId {
        let declared = self.broker().declare_log(queue(name, Durability::Synced));
        declared.await.unwrap().definition().id
    }

    /// The log for scheduled messages.
    async fn scheduled(&self) -> LogId {
        let vhost = Name::vhost_default();
        self.broker().scheduled_log(&vhost).await.unwrap()
    }

    /// Schedules a message for these queues. Returns when it is due.
    async fn schedule(&self, left_ms: u64, queues: &[&str]) -> Timestamp {
        self.schedule_all(left_ms, &[(queues, b"later")]).await
    }

    /// Schedules messages, each with the queues that it is for, as one batch.
    async fn schedule_all(&self, left_ms: u64, messages: &[(&[&str], &[u8])]) -> Timestamp {
        let log = self.scheduled().await;
        let due = self.now().plus_ms(left_ms);
        let mut batch = BatchBuilder::new();
        let mut stays = Vec::new();
        for (queues, value) in messages {
            let scheduled = Scheduled {
                due_ms: due.0,
                more_keys: queues.iter().map(|&name| name.to_owned()).collect(),
                ..Scheduled::default()
            };
            let header = scheduled.value();
            let header = RecordHeader {
                key: SCHEDULED_HEADER.as_bytes(),
                value: Some(&header),
            };
            let record = NewRecord {
                timestamp: Timestamp(7),
                key: None,
                value: Body::Whole(value),
                headers: &[header],
            };
            batch.push(&record).unwrap();
            let body_bytes = Some(u32::try_from(value.len()).unwrap());
            stays.push(Schedule {
                body_bytes,
                ..next_stay(left_ms).unwrap()
            });
        }
        let publish = Publish {
            targets: [AppendTarget::any_partition(log)].into_iter().collect(),
            batch: batch.finish(),
            columns: Columns::of(stays),
        };
        self.broker().append(publish).await.unwrap();
        due
    }

    async fn peek(&self, log: LogId) -> Vec<PeekedMessage> {
        let peek = Peek {
            log,
            ledger: LedgerId::DEFAULT,
            state: None,
            after: None,
            records_max: 100,
        };
        self.broker().peek(peek).await.unwrap().messages
    }

    /// A queue that refuses what is too much.
    async fn declare_limited(&self, name: &str, limited: LedgerConfig) -> LogId {
        let mut declare = queue(name, Durability::Synced);
        declare.config.queue = Some(LedgerConfig {
            overflow: Overflow::RefuseNew,
            ..limited
        });
        let declared = self.broker().declare_log(declare).await.unwrap();
        declared.definition().id
    }

    /// Waits until a queue has this many ready messages, for less time than a stay takes.
    async fn has_ready(&self, log: LogId, count: u64) {
        let begun = self.now();
        while self.broker().status(log).await.unwrap().ready < count {
            assert!(
                self.now().since_ms(begun) < 20_000,
                "{:?}",
                self.broker().status(log).await
            );
            tokio::task::yield_now().await;
        }
    }

    /// Lets time pass; returns once no message is about to be moved.
    async fn pass(&self, duration_ms: u64) {
        self.test.sync().await;
        self.test.pass(duration_ms).await;
        self.test.sync().await;
        while !self.is_quiet().await {
            self.test.sync().await;
        }
        self.test.sync().await;
    }

    async fn is_quiet(&self) -> bool {
        let messages = self.peek(self.scheduled().await).await;
        let mut states = messages.iter().map(|message| message.found.state);
        states.all(|state| state == PeekState::Ready)
    }
}

#[tokio::test]
async fn a_message_due_in_a_year_is_in_its_queues_on_time_across_restarts() {
    let mut moving = Moving::on(TestBroker::with_shards(2));
    // On both shards, and one that goes meanwhile.
    let queues = [moving.declare("a").await, moving.declare("b").await];
    let due = moving.schedule(YEAR_MS, &["a", "b", "gone"]).await;
    let log = moving.scheduled().await;
    let mut stays = 0;
    for step in 0.. {
        let held = moving.peek(log).await;
        let Some(message) = held.first() else {
            break;
        };
        stays = stays.max(message.found.partition.0);
        for queue in queues {
            assert!(moving.peek(queue).await.is_empty(), "it comes too early");
        }
        if step % 5 == 4 {
            moving = moving.restart().await;
        }
        moving.pass(due.since_ms(moving.now()) / 4).await;
    }
    assert_eq!(stays, 19, "it was in the partition for half a year");
    let left_ms = due.since_ms(moving.now());
    assert!((1..=HELD_MS_MAX).contains(&left_ms), "{left_ms} ms");
    for queue in queues {
        let [message] = &moving.peek(queue).await[..] else {
            panic!("one message");
        };
        assert_eq!(message.found.state, PeekState::Delayed);
        assert_eq!(message.found.until, Some(due), "to the millisecond");
        let content = message.content.as_ref().unwrap();
        assert_eq!(content.value.as_deref(), Some(&b"later"[..]));
        assert_eq!(content.headers.last(SCHEDULED_HEADER), None);
    }
    moving.pass(left_ms).await;
    for queue in queues {
        let messages = moving.peek(queue).await;
        assert_eq!(messages[0].found.state, PeekState::Ready);
    }
    moving.stop().await;
}

#[tokio::test]
async fn a_message_that_was_due_while_nothing_ran_comes_at_once() {
    let moving = Moving::on(TestBroker::start());
    let queue = moving.declare("a").await;
    moving.schedule(2 * HELD_MS_MAX, &["a"]).await;
    moving.schedule(YEAR_MS, &["a"]).await;
    moving.schedule(YEAR_MS, &["gone"]).await;
    moving.pass(YEAR_MS + YEAR_MS / 50).await;
    let messages = moving.peek(queue).await;
    assert_eq!(messages.len(), 2);
    for message in messages {
        assert_eq!(message.found.state, PeekState::Ready);
    }
    assert!(moving.peek(moving.scheduled().await).await.is_empty());
    moving.stop().await;
}

#[tokio::test]
async fn an_early_message_is_not_held_by_the_ones_before_it() {
    let moving = Moving::on(TestBroker::start());
    let queue = moving.declare("a").await;
    moving.schedule(YEAR_MS, &["gone"]).await;
    moving.schedule(3 * HELD_MS_MAX, &["a"]).await;
    moving.schedule(YEAR_MS, &["gone"]).await;
    let near = HELD_MS_MAX + HELD_MS_MAX / 2;
    moving.schedule(near, &["a"]).await;
    moving.pass(near - 20_000).await;
    assert_eq!(moving.peek(queue).await.len(), 1);
    moving.pass(2 * HELD_MS_MAX).await;
    moving.pass(0).await;
    assert_eq!(moving.peek(queue).await.len(), 2);
    moving.stop().await;
}

fn of_messages(max: u64) -> LedgerConfig {
    LedgerConfig {
        ready_max: Some(max),
        ..LedgerConfig::default()
    }
}

fn of_bytes(max: u64) -> LedgerConfig {
    LedgerConfig {
        ready_bytes_max: Some(max),
        ..LedgerConfig::default()
    }
}

/// Has many messages for a full queue and for another one become overdue at once.
async fn those_of_other_queues_come(moving: Moving, limited: LedgerConfig) {
    let full = moving.declare_limited("full", limited).await;
    let (other, both) = (moving.declare("other").await, moving.declare("both").await);
    let messages: Vec<(&[&str], &[u8])> = (0..900)
        .map(|place| match place % 3 {
            0 => (&["full"][..], &b"0123456789"[..]),
            1 => (&["other"][..], &b"0123456789"[..]),
            _ => (&["full", "both"][..], &b"0123456789"[..]),
        })
        .collect();
    for _ in 0..5 {
        moving.schedule_all(2 * HELD_MS_MAX, &messages).await;
    }
    moving.test.pass(5 * HELD_MS_MAX).await;
    for log in [other, both] {
        moving.has_ready(log, 1_500).await;
    }
    let kept = moving.broker().status(full).await.unwrap();
    assert_eq!(kept.ready, 1);
    moving.stop().await;
}

#[tokio::test]
async fn what_is_due_for_a_queue_with_room_comes_whatever_full_ones_do() {
    for shards in [1, 3] {
        let start = || Moving::on(TestBroker::with_shards(shards));
        those_of_other_queues_come(start(), of_messages(1)).await;
        // There is room for a byte.
        those_of_other_queues_come(start(), of_bytes(11)).await;
    }
}

#[tokio::test]
async fn messages_for_a_full_queue_are_refused_once() {
    let moving = Moving::on(TestBroker::start());
    let full = moving.declare_limited("full", of_messages(1)).await;
    let messages = [(&["full"][..], &b"later"[..]); 1_500];
    moving.schedule_all(2 * HELD_MS_MAX, &messages).await;
    let journalled = || async {
        let [shard] = moving.broker().shard_statuses().await.unwrap()[..] else {
            panic!("one shard");
        };
        shard.journalled_records
    };
    let before = journalled().await;
    moving.test.pass(5 * HELD_MS_MAX).await;
    moving.has_ready(full, 1).await;
    moving.has_ready(moving.scheduled().await, 1_499).await;
    let moved = journalled().await - before;
    assert!(
        moved < 100,
        "{moved} changes: all go together but the first"
    );
    moving.stop().await;
}

#[tokio::test]
async fn a_queue_with_room_gets_a_message_once_that_is_for_a_full_one_too() {
    for shards in [1, 2] {
        let moving = Moving::on(TestBroker::with_shards(shards));
        let full = moving.declare_limited("full", of_messages(1)).await;
        let other = moving.declare("other").await;
        let messages = [(&["full", "other"][..], &b"later"[..]); 3];
        moving.schedule_all(2 * HELD_MS_MAX, &messages).await;
        for round in 1..=3 {
            moving.pass(2 * HELD_MS_MAX).await;
            // Also after two stays without room.
            moving.pass(2 * HELD_MS_MAX).await;
            assert_eq!(moving.peek(other).await.len(), 3);
            assert_eq!(moving.peek(full).await.len(), 1);
            let left = moving.peek(moving.scheduled().await).await.len();
            assert_eq!(left, 3 - round);
            moving.broker().purge(full, false).await.unwrap();
        }
        moving.stop().await;
    }
}

#[tokio::test]
async fn a_full_queue_gets_its_message_later_and_holds_up_no_other() {
    let moving = Moving::on(TestBroker::start());
    let full = moving.declare_limited("full", of_messages(1)).await;
    let other = moving.declare("other").await;
    let first = Publish::to(AppendTarget::any_partition(full), message("first"));
    moving.broker().append(first).await.unwrap();
    for name in ["full", "other"] {
        moving.schedule(2 * HELD_MS_MAX, &[name]).await;
    }
    for _ in 0..10 {
        moving.pass(HELD_MS_MAX / 2).await;
    }
    let scheduled = moving.scheduled().await;
    for log in [full, other, scheduled] {
        let messages = moving.peek(log).await;
        assert_eq!(messages.len(), 1);
        assert_eq!(messages[0].found.state, PeekState::Ready);
    }
    moving.broker().purge(full, false).await.unwrap();
    moving.pass(HELD_MS_MAX).await;
    assert_eq!(moving.peek(full).await.len(), 1);
    assert!(moving.peek(scheduled).await.is_empty());
    moving.stop().await;
}
