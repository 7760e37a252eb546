//! Random histories, against a model that keeps one entry for each record.
//!
//! The model determines which records may be handed out and how many must be; the order among
//! partitions and groups is up to the ledger. Each step checks consecutive offsets, a single
//! holder, order, the place of returned records, that settled records stay settled, one message of
//! a group at a time, counts and sizes, dead letters, and the next deadline. The end checks that a
//! snapshot or a replay gives the same state.

mod entry;
mod oracle;
mod step;

use proptest::prelude::*;
use stele_base_types::{ProcessEpoch, SessionId, ShardId};

use self::{
    oracle::Oracle,
    step::{Step, mortality, step, step_of_mortals},
};
use super::*;
use crate::{StatePart, Topology, Window};

const PARTITIONS: u32 = 2;

/// There is a second shard, to which some records are moved.
const TOPOLOGY: Topology = Topology {
    own: ShardId(1),
    shards: 2,
};

/// The record size of a batch; it differs among batches.
fn size_of_each(schedules: &[Schedule]) -> u32 {
    [10, 400, 9, 2_000][schedules.len() % 4]
}

fn config(ledger: LedgerConfig) -> LogConfig {
    LogConfig {
        partitions: PARTITIONS,
        queue: Some(LedgerConfig {
            // So that the bytes of what is ready are counted.
            ready_bytes_max: Some(u64::MAX),
            ..ledger
        }),
        ..queue_config()
    }
}

fn plain(fifo: bool) -> LedgerConfig {
    LedgerConfig {
        fifo,
        ..LedgerConfig::PLAIN
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn a_queue_behaves_like_a_list_of_records(steps in prop::collection::vec(step(), 1..100)) {
        History::new(plain(false)).run(&steps);
    }

    #[test]
    fn a_ledger_that_becomes_fifo_has_its_records_in_one_group(
        before in prop::collection::vec(step(), 1..100),
        after in prop::collection::vec(step(), 1..100),
    ) {
        History::opened().run_through(&before, &after);
    }

    #[test]
    fn a_fifo_queue_behaves_like_lists_of_groups(steps in prop::collection::vec(step(), 1..100)) {
        History::new(plain(true)).run(&steps);
    }

    #[test]
    fn records_leave_a_queue_as_from_a_list(
        mortality in mortality(),
        steps in prop::collection::vec(step_of_mortals(), 1..100),
    ) {
        History::new(mortality).run(&steps);
    }

    #[test]
    fn records_leave_a_fifo_queue_as_from_lists_of_groups(
        mortality in mortality(),
        steps in prop::collection::vec(step_of_mortals(), 1..100),
    ) {
        History::new(LedgerConfig { fifo: true, ..mortality }).run(&steps);
    }
}

/// The shard and its model.
struct History {
    shard: Shard,
    oracle: Oracle,
    /// Whether it keeps its records until they are acknowledged.
    is_queue: bool,
    consumer_next: u64,
    /// A snapshot, and how much of the journal it includes.
    snapshot: (Vec<(StatePart, Vec<u8>)>, usize),
}

impl History {
    fn new(ledger: LedgerConfig) -> Self {
        let mut shard = Shard::with(config(ledger));
        shard.state.set_topology(TOPOLOGY);
        Self {
            oracle: Oracle::new(ledger, PARTITIONS),
            is_queue: true,
            consumer_next: 1,
            snapshot: (shard.state.store(), shard.journal.len()),
            shard,
        }
    }

    /// A log that is used as a queue, and isn't declared one.
    fn opened() -> Self {
        let mut history = Self::new(plain(false));
        let retention = Retention {
            until_acknowledged: false,
            window: Some(Window::default()),
        };
        history.open(LogConfig {
            retention,
            ..config(plain(false))
        });
        history
    }

    fn run(mut self, steps: &[Step]) {
        self.run_steps(steps);
        self.check_recovery();
    }

    /// Is declared a FIFO queue in between.
    fn run_through(mut self, before: &[Step], after: &[Step]) {
        self.run_steps(before);
        self.open(config(plain(true)));
        self.oracle.become_fifo();
        self.dispatch();
        self.check();
        self.run_steps(after);
        self.check_recovery();
    }

    fn open(&mut self, config: LogConfig) {
        self.is_queue = config.retention.is_queue();
        self.shard.open(LOG, config).expect("it opens");
    }

    fn run_steps(&mut self, steps: &[Step]) {
        for step in steps {
            self.step(step);
            self.check();
        }
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Append {
                partition,
                ref schedules,
            } => self.append(partition, schedules),
            Step::Commit => {
                self.shard.commit();
                self.oracle.commit();
                self.dispatch();
            }
            Step::Lease {
                session,
                records_max,
                lease_ms,
            } => self.lease(session, records_max, lease_ms),
            Step::Settle {
                pick,
                outcome,
                exact,
            } => self.settle(pick, outcome, exact),
            Step::Extend { pick, term_ms } => self.extend(pick, term_ms),
            Step::Renew {
                pick,
                before,
                term_ms,
            } => self.renew(pick, before, term_ms),
            Step::Move {
                pick,
                exact,
                is_copied,
            } => self.begin_move(pick, exact, is_copied),
            Step::EndMove { pick, taken } => self.end_move(pick, taken),
            Step::Pass(duration_ms) => self.pass(duration_ms),
            Step::CloseSession(session) => {
                self.shard.close_session(session);
                self.oracle.close_session(SessionId(session));
                self.dispatch();
            }
            Step::Subscribe { session, prefetch } => self.subscribe(session, prefetch),
            Step::Unsubscribe { pick } => self.unsubscribe(pick),
            Step::Purge => {
                let purged = self.shard.run(Purge {
                    log: LOG,
                    ledger: LedgerId::DEFAULT,
                    leased: false,
                });
                let expected = self.oracle.purge();
                assert_eq!(purged, Ok(expected));
            }
            Step::Trim { pick, force } => self.trim(pick, force),
            Step::Snapshot => {
                self.snapshot = (self.shard.state.store(), self.shard.journal.len());
            }
            Step::Restart => {
                self.shard.restart();
                self.shard.state.set_topology(TOPOLOGY);
                self.oracle.restart();
            }
        }
    }

    fn append(&mut self, partition: u32, schedules: &[Schedule]) {
        let append = Append {
            targets: [AppendTarget {
                log: LOG,
                partition: Some(PartitionIndex(partition)),
            }]
            .into_iter()
            .collect(),
            count: schedules.len() as u32,
            size_bytes: schedules.iter().map(|_| size_of_each(schedules)).sum(),
            columns: Columns::of(schedules.iter().copied()),
            ..record()
        };
        let appended = self.shard.append_only(append).expect("it is appended");
        let now = self.shard.now;
        let base = self.oracle.append(partition, schedules, now);
        assert_eq!(appended[0].base, Offset(base));
    }

    fn lease(&mut self, session: u64, records_max: u32, lease_ms: Option<u64>) {
        let request = LeaseRequest {
            lease_ms,
            ..request(session, records_max)
        };
        let runs = self.shard.lease_runs(request);
        let expected = self.oracle.available().min(u64::from(records_max));
        assert_eq!(places(&runs).len() as u64, expected);
        let until = lease_ms.map(|term_ms| self.shard.now.plus_ms(term_ms));
        self.oracle.hand_out(&runs, request.holder, until);
    }

    fn settle(&mut self, pick: usize, outcome: Outcome, exact: bool) {
        let Some((partition, offset)) = self.oracle.pick(pick) else {
            return;
        };
        let lease = if exact {
            Some(self.oracle.lease_of(partition, offset))
        } else {
            None
        };
        let item = SettleItem {
            partition: PartitionIndex(partition),
            offset: Offset(offset),
            lease,
        };
        let items = [item].into_iter().collect();
        let missing = self.shard.settle_items(items, outcome);
        let found = self.oracle.settle(&item, outcome, self.shard.now);
        assert_eq!(missing.is_empty(), found, "{item:?} {outcome:?}");
        self.dispatch();
    }

    fn extend(&mut self, pick: usize, term_ms: u64) {
        let Some((partition, offset)) = self.oracle.pick(pick) else {
            return;
        };
        let extension = Extension {
            item: SettleItem {
                partition: PartitionIndex(partition),
                offset: Offset(offset),
                lease: None,
            },
            term_ms,
            renewal: None,
        };
        self.extend_by(extension);
    }

    /// Uses the lease from this many deliveries before the last one.
    fn renew(&mut self, pick: usize, before: u32, term_ms: u64) {
        let Some((partition, offset, lease, deliveries)) = self.oracle.pick_delivered(pick) else {
            return;
        };
        let extension = Extension {
            item: SettleItem {
                partition: PartitionIndex(partition),
                offset: Offset(offset),
                lease: Some(lease),
            },
            term_ms,
            renewal: Some(Renewal {
                deliveries: deliveries.saturating_sub(before),
                holder: consumer(1, 0),
            }),
        };
        self.extend_by(extension);
    }

    fn extend_by(&mut self, extension: Extension) {
        let extend = Extend {
            log: LOG,
            ledger: LedgerId::DEFAULT,
            items: [extension].into_iter().collect(),
        };
        let missing = self.shard.run(extend).expect("a queue");
        let found = self.oracle.extend(&extension, self.shard.now);
        assert_eq!(missing.is_empty(), found);
        self.dispatch();
    }

    /// Lets time pass; if records may leave by themselves, from one deadline to the next, because
    /// the reasons of some depend on the order.
    fn pass(&mut self, duration_ms: u64) {
        let end = self.shard.now.plus_ms(duration_ms);
        while self.oracle.is_mortal()
            && let Some(next) = self.shard.state.next_deadline()
            && next < end
        {
            self.pass_to(next.max(self.shard.now));
        }
        self.pass_to(end);
    }

    /// Leases and delays that end at a time do so before records expire at that time.
    fn pass_to(&mut self, at: Timestamp) {
        self.shard.now = at;
        self.oracle.pass(at);
        loop {
            let decision = self.shard.state.tick(at);
            if decision.is_nothing() {
                break;
            }
            let expired: Vec<Run> = decision.records.iter().filter_map(expired).collect();
            self.shard.carry_out(decision);
            // Who waits gets records before they expire.
            self.hand_out();
            expired
                .into_iter()
                .for_each(|run| self.oracle.expire(run, at));
        }
        self.oracle.check_ends(at);
        self.dispatch();
    }

    fn begin_move(&mut self, pick: usize, exact: bool, is_copied: bool) {
        let Some((partition, offset)) = self.oracle.pick(pick) else {
            return;
        };
        let lease = exact.then(|| self.oracle.lease_of(partition, offset));
        let item = SettleItem {
            partition: PartitionIndex(partition),
            offset: Offset(offset),
            lease,
        };
        let moved = self.shard.run(Move {
            log: LOG,
            ledger: LedgerId::DEFAULT,
            item,
            to: [copied_to(self.oracle.copies(partition, offset))]
                .into_iter()
                .collect(),
            is_copied,
            run: MovedRun::default(),
        });
        let found = self.oracle.begin_move(&item, is_copied);
        let refused = Err(MoveError::NotLeased);
        assert_eq!(moved, if found { Ok(1) } else { refused }, "{item:?}");
        self.dispatch();
    }

    fn end_move(&mut self, pick: usize, taken: bool) {
        let Some((partition, offset)) = self.oracle.pick_moving(pick) else {
            return;
        };
        let from = Origin {
            log: LOG,
            ledger: LedgerId::DEFAULT,
            partition: PartitionIndex(partition),
            offset: Offset(offset),
        };
        let taken_by = match taken {
            true => TakenBy::All,
            false => TakenBy::None,
        };
        let end = MoveEnd::of_one(from, taken_by);
        let ended = self.shard.state.logs.end_move(&end);
        self.shard.carry_out(ended);
        self.oracle.end_move(partition, offset, taken);
        self.dispatch();
    }

    fn subscribe(&mut self, session: u64, prefetch: u32) {
        let reference = consumer(session, self.consumer_next);
        self.consumer_next += 1;
        let terms = Subscription {
            prefetch: Some(prefetch),
            ..subscribe(reference)
        };
        self.shard
            .run(Subscribe { log: LOG, terms })
            .expect("subscribed");
        self.oracle.consumers.insert(reference, prefetch);
        self.dispatch();
    }

    fn unsubscribe(&mut self, pick: usize) {
        let count = self.oracle.consumers.len().max(1);
        let Some(&reference) = self.oracle.consumers.keys().nth(pick % count) else {
            return;
        };
        self.shard
            .run(Unsubscribe {
                log: LOG,
                consumer: reference,
                lingers: false,
            })
            .expect("ended");
        self.oracle.consumers.remove(&reference);
    }

    /// Hands out everything possible, until no consumer has room for more.
    fn dispatch(&mut self) {
        for delivery in self.shard.dispatch() {
            self.deliver(&delivery);
        }
        assert!(self.oracle.available() == 0 || !self.oracle.a_consumer_has_room());
    }

    /// Notes what was handed out so far.
    fn hand_out(&mut self) {
        for effect in std::mem::take(&mut self.shard.effects) {
            match effect {
                Effect::Deliver(delivery) => self.deliver(&delivery),
                other => self.shard.effects.push(other),
            }
        }
    }

    fn deliver(&mut self, delivery: &Delivery) {
        let own = self.oracle.bytes_of(&delivery.run);
        let charged = own..=own + own / 3;
        assert!(charged.contains(&delivery.charged_bytes), "{delivery:?}");
        let run = std::slice::from_ref(&delivery.run);
        self.oracle.hand_out(run, delivery.consumer, None);
    }

    fn trim(&mut self, pick: usize, force: bool) {
        let partition = u32::try_from(pick).expect("small") % PARTITIONS;
        let (start, shown, needed) = self.oracle.bounds(partition);
        let to = start + (pick as u64 / 2) % (shown - start + 1);
        let trim = Trim {
            partition: PartitionId::new(LOG, PartitionIndex(partition)),
            to: Offset(to),
            reason: trim_reason(force),
        };
        let is_free = force || !self.is_queue;
        let expected = if is_free { to } else { to.min(needed) }.max(start);
        let trimmed = self.shard.run(trim);
        assert_eq!(trimmed, Ok(Offset(expected)));
        self.oracle.trim(partition, expected);
        self.dispatch();
    }

    fn check(&self) {
        assert_eq!(self.shard.counts(), self.oracle.counts());
        assert_eq!(
            self.shard.ledger().ready_bytes(),
            Some(self.oracle.ready_bytes())
        );
        self.check_deadline();
        self.check_dead();
        for partition in 0..PARTITIONS {
            let floor = self.shard.ledger().floor(PartitionIndex(partition));
            let (_, _, needed) = self.oracle.bounds(partition);
            assert_eq!(floor, Some(Offset(needed)));
        }
        self.check_looks();
        let id = PartitionId::new(LOG, PartitionIndex(0));
        let (_, shown, needed) = self.oracle.bounds(0);
        let kept = self
            .shard
            .state
            .logs
            .keep_from(id, Offset::ZERO, Offset::ZERO);
        if self.is_queue {
            assert_eq!(kept, Offset(needed.min(shown)));
        }
    }

    /// The next deadline may be that of records which are settled by now.
    fn check_deadline(&self) {
        let next = self.shard.state.next_deadline();
        let expected = self.oracle.next_deadline();
        if next != expected {
            let is_early = next.filter(|next| expected.is_none_or(|expected| *next < expected));
            let is_of_settled = is_early.is_some_and(|next| self.oracle.ends_at(next));
            assert!(is_of_settled, "{next:?} instead of {expected:?}");
        }
    }

    fn check_dead(&self) {
        let runs = self.shard.state.logs.dead_after(None);
        let mut found = Vec::new();
        for dead in runs.into_iter().flat_map(|(_, runs)| runs) {
            let copies = dead.copied.len() as u64;
            assert!(dead.copied.iter().copied().eq((0..copies).map(copied_to)));
            let offsets = dead.run.offsets();
            found.extend(offsets.map(|at| (dead.run.partition, at, dead.reason, copies)));
        }
        found.sort_unstable();
        assert_eq!(found, self.oracle.dead());
    }

    /// Looks at the ledger page by page, for each state and for all.
    fn check_looks(&self) {
        let unsettled = self.oracle.unsettled();
        let states = [
            PeekState::Ready,
            PeekState::Leased,
            PeekState::Delayed,
            PeekState::Moving,
            PeekState::Dead,
        ];
        for state in states.into_iter().map(Some).chain([None]) {
            let wanted = |record: &&PeekedRecord| state.is_none_or(|state| record.state == state);
            let expected: Vec<_> = unsettled.iter().filter(wanted).copied().collect();
            for records_max in [3, 1_000] {
                assert_eq!(self.shard.peek_all(state, records_max), expected);
            }
        }
    }

    /// Compares the live state with one replayed from the journal, and with one from a snapshot and
    /// the rest of the journal: they are the same after one recovery and after two.
    fn check_recovery(&self) {
        let journal = &self.shard.journal;
        let live = recovered(loaded(&self.shard.state.store()), &[]);
        let replayed = recovered(State::default(), journal);
        let (snapshot, place) = &self.snapshot;
        let resumed = recovered(loaded(snapshot), &journal[*place..]);
        let expected = live.store();
        for state in [&replayed, &resumed] {
            assert_eq!(state.store(), expected);
            assert_eq!(state.next_deadline(), live.next_deadline());
            assert_eq!(state.bytes(), live.bytes());
            assert_eq!(state.logs.dead_after(None), live.logs.dead_after(None));
        }
        assert_eq!(recovered(replayed, &[]).store(), expected);
    }
}

/// The records that expire by a change.
fn expired(record: &Record) -> Option<Run> {
    match record {
        Record::Log(LOG, LogRecord::Ledger(_, LedgerRecord::LifeEnded(run))) => Some(*run),
        Record::Log(LOG, LogRecord::Ledger(_, LedgerRecord::Expired { partition, to })) => {
            Some(Run {
                partition: *partition,
                first: Offset::ZERO,
                count: to.0 as u32,
            })
        }
        _ => None,
    }
}

/// The log that gets a dead letter which so many have already, on the other shard.
fn copied_to(copies: u64) -> LogId {
    LogId(2 * copies + 2)
}

/// Loads a state from its parts, in reverse order.
fn loaded(parts: &[(StatePart, Vec<u8>)]) -> State {
    let mut state = State::default();
    for (part, bytes) in parts.iter().rev() {
        state.load_part(*part, bytes).expect("it decodes");
    }
    state
}

fn recovered(mut state: State, records: &[Record]) -> State {
    for record in records {
        state.replay(&record.store(Vec::new())).expect("it decodes");
    }
    state.apply(&Record::Started(ProcessEpoch(1)));
    while state.logs.has_leavings() {
        for record in state.clean_up(Timestamp::PAST).records {
            state.apply(&record);
        }
    }
    state
}
