//! Messages that are due in a long time.
#![allow(
    clippy::unwrap_used,
    reason = "a test that can't go on says so by panicking"
)]

use stele_base_types::{LogId, Name, Timestamp};
use stele_core_broker::{
    Broker, DeadLetter, DeadLetterRoutes, DeadLetters, HELD_MS_MAX, Letter, PeekedMessage, Publish,
    SCHEDULED_HEADER, Scheduled, next_stay,
};
use stele_core_engine::{
    AppendTarget, Catalogue, Columns, Durability, LedgerConfig, LedgerId, Overflow, Peek, PeekState,
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
        let log = self.scheduled().await;
        let due = self.now().plus_ms(left_ms);
        let scheduled = Scheduled {
            due_ms: due.0,
            more_keys: queues.iter().map(|&name| name.to_owned()).collect(),
            delays_all: false,
        };
        let header = scheduled.value();
        let header = RecordHeader {
            key: SCHEDULED_HEADER.as_bytes(),
            value: Some(&header),
        };
        let record = NewRecord {
            timestamp: Timestamp(7),
            key: None,
            value: Body::Whole(b"later"),
            headers: &[header],
        };
        let publish = Publish {
            targets: [AppendTarget::any_partition(log)].into_iter().collect(),
            batch: BatchBuilder::single(&record).unwrap(),
            columns: Columns::of([next_stay(left_ms).unwrap()]),
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

#[tokio::test]
async fn a_full_queue_gets_its_message_later_and_holds_up_no_other() {
    let moving = Moving::on(TestBroker::start());
    let mut full = queue("full", Durability::Synced);
    let limited = LedgerConfig {
        ready_max: Some(1),
        overflow: Overflow::RefuseNew,
        ..LedgerConfig::default()
    };
    full.config.queue = Some(limited);
    let declared = moving.broker().declare_log(full).await.unwrap();
    let full = declared.definition().id;
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
