//! Records that are moved from one log to another.

use smallvec::smallvec;
use stele_base_types::{ConsumerId, Offset, PartitionId, PartitionIndex, SessionId};

use super::*;
use crate::{
    Append, AppendError, AppendTarget, Columns, ConsumerRef, DeathReasons, HeaderChange, Lease,
    LeaseId, LeaseRequest, LedgerId, Move, MoveError, MovedRun, Origin, Outcome, Overflow, Purge,
    Schedule, Settle, SettleItem, Trim, TrimReason, limits::MOVE_HEADERS_BYTES_MAX,
};

const FIRST: PartitionIndex = PartitionIndex(0);

const FIFO: LedgerConfig = LedgerConfig {
    fifo: true,
    delay_ms: 0,
    expiry_ms: None,
    ..LedgerConfig::PLAIN
};

pub(super) fn owner(log: LogId) -> usize {
    (log.0 % 2) as usize
}

fn moved() -> MovedRun {
    MovedRun {
        size_bytes: 100,
        timestamp: NOW,
        ..MovedRun::default()
    }
}

fn trim(log: LogId, to: u64, reason: TrimReason) -> Trim {
    Trim {
        partition: PartitionId::new(log, FIRST),
        to: Offset(to),
        reason,
    }
}

fn purge(log: LogId, leased: bool) -> Purge {
    Purge {
        log,
        ledger: LedgerId::DEFAULT,
        leased,
    }
}

impl Shard {
    pub(super) fn run<C: Command>(&mut self, command: C) -> Result<C::Reply, C::Error> {
        let decision = command.decide(&self.state, NOW)?;
        Ok(self.apply(decision))
    }

    /// Leases the first ready record, after making everything appended durable.
    pub(super) fn lease(&mut self, log: LogId) -> Option<SettleItem> {
        let end = self.state.logs.log(log)?.partitions[0].end;
        let shown = self.state.committed(&[(PartitionId::new(log, FIRST), end)]);
        self.apply(shown);
        let request = LeaseRequest {
            ledger: LedgerId::DEFAULT,
            holder: ConsumerRef {
                session: SessionId(1),
                consumer: ConsumerId(0),
            },
            records_max: 1,
            lease_ms: Some(1_000),
            settle: false,
            wait_ms: None,
            attempt: None,
            leased_max: None,
        };
        let lease = Lease { log, request };
        let decision = lease.decide(Token(0), &self.state, NOW).unwrap();
        let runs = self.apply(decision).unwrap();
        let leased = runs.first()?.records[0];
        Some(SettleItem {
            partition: FIRST,
            offset: leased.offset,
            lease: Some(leased.lease),
        })
    }
}

impl Pair {
    /// A log on each shard, the first of which has this many records.
    pub(super) fn with_records(count: u64) -> (Self, LogId, LogId) {
        let mut pair = Self::new();
        let (here, there) = (pair.declare("here"), pair.declare("there"));
        pair.deliver_all();
        for _ in 0..count {
            pair.append(here, Schedule::default());
        }
        (pair, here, there)
    }

    pub(super) fn shard(&mut self, log: LogId) -> &mut Shard {
        &mut self.shards[owner(log)]
    }

    pub(super) fn append(&mut self, log: LogId, schedule: Schedule) {
        let partition = None;
        let append = Append {
            targets: smallvec![AppendTarget { log, partition }],
            count: 1,
            size_bytes: 100,
            timestamp: NOW,
            producer: None,
            columns: Columns::of([schedule]),
        };
        self.shard(log).run(append).unwrap();
    }

    pub(super) fn lease(&mut self, log: LogId) -> Option<SettleItem> {
        self.shard(log).lease(log)
    }

    fn move_as(
        &mut self,
        log: LogId,
        item: SettleItem,
        to: LogId,
        run: MovedRun,
    ) -> Result<u32, MoveError> {
        self.shard(log).run(Move {
            log,
            ledger: LedgerId::DEFAULT,
            item,
            to: smallvec![to],
            is_copied: false,
            run,
        })
    }

    fn begin_move(&mut self, log: LogId, item: SettleItem, to: LogId) -> Result<u32, MoveError> {
        self.move_as(log, item, to, moved())
    }

    fn log(&self, log: LogId) -> &crate::Log {
        self.shards[owner(log)].state.logs.log(log).unwrap()
    }

    /// A log's ready, leased and moving records.
    fn counts(&self, log: LogId) -> (u64, u64, u64) {
        let ledger = self.log(log).ledger(LedgerId::DEFAULT).unwrap();
        (ledger.ready(), ledger.leased(), ledger.moving())
    }

    /// How many records were appended to a log.
    pub(super) fn end(&self, log: LogId) -> u64 {
        self.log(log).partitions[0].end.0
    }

    pub(super) fn floor(&self, log: LogId) -> u64 {
        let ledger = self.log(log).ledger(LedgerId::DEFAULT).unwrap();
        ledger.floor(FIRST).unwrap().0
    }

    pub(super) fn backlog_bytes(&self) -> u64 {
        self.shards[0].state.links.backlog_bytes()
    }
}

#[test]
fn a_record_moves_on_its_own_shard_by_one_decision() {
    let (mut pair, here, _) = Pair::with_records(2);
    let near = pair.declare("near");
    assert_eq!(owner(near), owner(here));
    let item = pair.lease(here).unwrap();
    assert_eq!(pair.begin_move(here, item, near), Ok(1));
    assert_eq!((pair.counts(here), pair.end(near)), ((1, 0, 0), 1));
    assert_eq!(pair.begin_move(here, item, near), Err(MoveError::NotLeased));
    assert_eq!(pair.shards[0].state.links.backlog(), 0);
}

#[test]
fn a_refused_move_changes_nothing() {
    let (mut pair, here, there) = Pair::with_records(1);
    let item = pair.lease(here).unwrap();
    let journalled = pair.shard(here).journal.len();
    let nowhere = LogId(1_000);
    let gone = Err(MoveError::Target(AppendError::NoSuchLog));
    assert_eq!(pair.begin_move(here, item, nowhere), gone);
    let of_another = SettleItem {
        lease: Some(LeaseId(9)),
        ..item
    };
    let beyond = SettleItem {
        offset: Offset(1),
        lease: None,
        ..item
    };
    for item in [of_another, beyond] {
        let moved = pair.begin_move(here, item, there);
        assert_eq!(moved, Err(MoveError::NotLeased));
    }
    let headers = vec![HeaderChange {
        key: b"key".as_slice().into(),
        value: Some(vec![0; MOVE_HEADERS_BYTES_MAX].into()),
    }];
    let wordy = MovedRun {
        headers: headers.into(),
        ..moved()
    };
    let refused = pair.move_as(here, item, there, wordy);
    assert!(matches!(refused, Err(MoveError::Headers { .. })));
    let moved = pair.begin_move(nowhere, item, there);
    assert_eq!(moved, Err(MoveError::Log(LogError::NoSuchLog)));
    assert_eq!(pair.shard(here).journal.len(), journalled);
    assert_eq!(pair.counts(here), (0, 1, 0));
}

#[test]
fn a_record_on_its_way_is_nobodys_and_needed() {
    let (mut pair, here, there) = Pair::with_records(2);
    let item = pair.lease(here).unwrap();
    assert_eq!(pair.begin_move(here, item, there), Ok(1));
    assert_eq!(pair.counts(here), (1, 0, 1));
    assert_eq!((pair.floor(here), pair.backlog_bytes()), (0, 100));
    // Neither its former holder can settle it, nor anyone who knows its offset.
    for lease in [item.lease, None] {
        let settle = Settle {
            log: here,
            ledger: LedgerId::DEFAULT,
            items: smallvec![SettleItem { lease, ..item }],
            outcome: Outcome::Done,
            durable: false,
        };
        assert_eq!(pair.shard(here).run(settle).unwrap().len(), 1);
    }
    assert_eq!(pair.shard(here).run(purge(here, false)), Ok(1));
    assert_eq!(pair.counts(here), (0, 0, 1));
    let held_from = Offset::ZERO;
    let retention = trim(here, 2, TrimReason::Retention { held_from });
    assert_eq!(pair.shard(here).run(retention), Ok(Offset(0)));
    pair.deliver_all();
    assert_eq!((pair.counts(here), pair.end(there)), ((0, 0, 0), 1));
    assert_eq!((pair.floor(here), pair.backlog_bytes()), (2, 0));
    assert_eq!(pair.shard(here).run(retention), Ok(Offset(2)));
}

#[test]
fn what_the_other_log_does_not_take_returns_to_its_place() {
    let (mut pair, here, there) = Pair::with_records(2);
    let item = pair.lease(here).unwrap();
    pair.begin_move(here, item, there).unwrap();
    pair.delete(there).unwrap();
    pair.deliver_all();
    assert_eq!(pair.counts(here), (2, 0, 0));
    let again = pair.lease(here).unwrap();
    assert_eq!(again.offset, item.offset);
    assert_ne!(again.lease, item.lease);
}

#[test]
fn a_move_without_a_body_is_refused_and_taken_no_second_time() {
    let (mut pair, here, there) = Pair::with_records(1);
    let item = pair.lease(here).unwrap();
    pair.begin_move(here, item, there).unwrap();
    pair.send();
    let (from, _, number, command) = pair.on_way[0].clone();
    let LinkCommand::Move(moving) = command else {
        panic!("{command:?}");
    };
    let taker = pair.shard(there);
    let refusal = taker.state.refuse(from, number, &moving, NOW);
    taker.apply(refusal);
    assert!(taker.state.refuse(from, number, &moving, NOW).is_nothing());
    pair.deliver_all();
    assert_eq!((pair.counts(here), pair.end(there)), ((1, 0, 0), 0));
}

#[test]
fn a_record_is_in_one_of_two_logs_whichever_shard_crashes_after_whichever_step() {
    let cases = [(true, 0), (true, 1), (false, 0), (false, 1)];
    for ((is_taken, crashing), steps) in cases
        .into_iter()
        .flat_map(|it| (0..9).map(move |n| (it, n)))
    {
        let (mut pair, here, there) = Pair::with_records(1);
        let item = pair.lease(here).unwrap();
        pair.begin_move(here, item, there).unwrap();
        if !is_taken {
            pair.delete(there).unwrap();
        }
        for step in 0..steps {
            match step % 3 {
                0 => pair.send(),
                1 => while pair.take() {},
                _ => pair.acknowledge(),
            }
        }
        pair.crash(crashing);
        pair.deliver_all();
        let case = format!("{is_taken}: {crashing} after {steps}");
        assert_eq!(pair.counts(here).2, 0, "{case}");
        assert_eq!(pair.floor(here), u64::from(is_taken), "{case}");
        if is_taken {
            assert_eq!(pair.end(there), 1, "{case}");
        }
    }
}

/// Dead records of a log on the first shard, being moved to one on the second.
fn with_dead_on_their_way(count: u32, target: LedgerConfig) -> (Pair, LogId, LogId) {
    let mut pair = Pair::new();
    let dying = LedgerConfig {
        dead_letters: DeathReasons::ALL,
        ..LedgerConfig::default()
    };
    let (here, there) = (
        pair.declare_as("here", dying),
        pair.declare_as("there", target),
    );
    pair.deliver_all();
    for _ in 0..count {
        pair.append(here, Schedule::default());
        let item = pair.lease(here).unwrap();
        let settle = Settle {
            log: here,
            ledger: LedgerId::DEFAULT,
            items: smallvec![item],
            outcome: Outcome::Reject,
            durable: false,
        };
        assert!(pair.shard(here).run(settle).unwrap().is_empty());
    }
    let first = SettleItem {
        partition: FIRST,
        offset: Offset::ZERO,
        lease: None,
    };
    let run = MovedRun { count, ..moved() };
    assert_eq!(pair.move_as(here, first, there, run), Ok(count));
    assert_eq!(pair.shards[0].state.links.backlog(), 1);
    (pair, here, there)
}

#[test]
fn a_run_is_in_one_of_two_logs_whichever_shard_crashes_after_whichever_step() {
    let cases = [(3, 0), (3, 1), (2, 0), (2, 1), (0, 0), (0, 1)];
    for ((room, crashing), steps) in cases
        .into_iter()
        .flat_map(|it| (0..9).map(move |n| (it, n)))
    {
        let (mut pair, here, there) = with_dead_on_their_way(
            3,
            LedgerConfig {
                ready_max: Some(room),
                overflow: Overflow::RefuseNew,
                ..LedgerConfig::default()
            },
        );
        for step in 0..steps {
            match step % 3 {
                0 => pair.send(),
                1 => while pair.take() {},
                _ => pair.acknowledge(),
            }
        }
        pair.crash(crashing);
        pair.deliver_all();
        let case = format!("room for {room}: {crashing} after {steps}");
        let ledger = pair.log(here).ledger(LedgerId::DEFAULT).unwrap();
        let (moving, dead) = (ledger.moving(), ledger.dead());
        assert_eq!(
            (moving, dead, pair.end(there)),
            (0, 3 - room, room),
            "{case}"
        );
        assert_eq!(pair.floor(here), room, "{case}");
    }
}

#[test]
fn those_of_a_run_that_were_cleared_meanwhile_do_not_come_back() {
    let (mut pair, here, there) = with_dead_on_their_way(3, LedgerConfig::default());
    pair.delete(there).unwrap();
    let trimmed = pair.shard(here).run(trim(here, 2, TrimReason::Asked));
    assert_eq!(trimmed, Ok(Offset(2)));
    pair.deliver_all();
    let ledger = pair.log(here).ledger(LedgerId::DEFAULT).unwrap();
    assert_eq!((ledger.moving(), ledger.dead()), (0, 1));
}

#[test]
fn the_end_of_a_move_that_an_earlier_program_sent_is_understood() {
    for is_taken in [true, false] {
        let (mut pair, here, there) = Pair::with_records(2);
        let item = pair.lease(here).unwrap();
        pair.begin_move(here, item, there).unwrap();
        let from = Origin {
            log: here,
            ledger: LedgerId::DEFAULT,
            partition: FIRST,
            offset: item.offset,
        };
        let sender = ShardId(1);
        let number = pair.shards[0].state.links.taken(sender).next();
        let command = match is_taken {
            true => LinkCommand::Moved(from),
            false => LinkCommand::MoveRefused(from),
        };
        let decision = pair.shards[0].state.take(sender, number, command, NOW);
        pair.shards[0].apply(decision);
        assert_eq!(pair.counts(here), (2 - u64::from(is_taken), 0, 0));
    }
}

#[test]
fn a_snapshot_keeps_what_is_on_its_way() {
    let (mut pair, here, there) = Pair::with_records(3);
    let item = pair.lease(here).unwrap();
    let headers = vec![HeaderChange {
        key: b"key".as_slice().into(),
        value: None,
    }];
    let schedule = Schedule {
        key: Some(3),
        delay_ms: Some(5),
        ..Schedule::default()
    };
    let run = MovedRun {
        headers: headers.into(),
        schedules: schedule.into(),
        ..moved()
    };
    pair.move_as(here, item, there, run).unwrap();
    let shard = pair.shard(here);
    let parts = shard.state.store();
    let before = std::mem::take(&mut shard.state);
    for (part, bytes) in &parts {
        shard.state.load_part(*part, bytes).unwrap();
    }
    shard.set_topology(owner(here) as u16);
    assert_eq!(shard.state.links, before.links);
    assert_eq!((pair.counts(here).2, pair.backlog_bytes()), (1, 100));
    pair.deliver_all();
    assert_eq!((pair.counts(here).2, pair.end(there)), (0, 1));
}

#[test]
fn a_record_waits_on_the_other_shard_for_what_is_left_when_it_arrives() {
    let (mut pair, here, there) = Pair::with_records(2);
    for (due, delayed) in [(NOW.plus_ms(5), 1), (NOW, 1)] {
        let item = pair.lease(here).unwrap();
        let schedule = Schedule {
            due: Some(due),
            ..Schedule::default()
        };
        let run = MovedRun {
            schedules: schedule.into(),
            ..moved()
        };
        pair.move_as(here, item, there, run).unwrap();
        pair.deliver_all();
        let log = pair.shard(there).state.logs.log(there).unwrap();
        let ledger = log.ledger(LedgerId::DEFAULT).unwrap();
        assert_eq!(ledger.delayed(), delayed);
    }
    assert_eq!(pair.end(there), 2);
}

#[test]
fn a_group_waits_for_its_record_that_is_on_its_way() {
    for is_taken in [true, false] {
        let mut pair = Pair::new();
        let here = pair.declare_as("here", FIFO);
        let there = pair.declare("there");
        pair.deliver_all();
        let schedule = Schedule {
            group: Some(7),
            ..Schedule::default()
        };
        pair.append(here, schedule);
        pair.append(here, schedule);
        let item = pair.lease(here).unwrap();
        pair.begin_move(here, item, there).unwrap();
        assert_eq!(pair.lease(here), None);
        if !is_taken {
            pair.delete(there).unwrap();
        }
        pair.deliver_all();
        let next = pair.lease(here).unwrap().offset;
        assert_eq!(next, Offset(u64::from(is_taken)));
    }
}

#[test]
fn a_queue_that_knows_the_deduplication_id_has_the_record_already() {
    let mut pair = Pair::new();
    let here = pair.declare("here");
    let there = pair.declare_as("there", FIFO);
    pair.deliver_all();
    let schedule = Schedule {
        group: Some(1),
        deduplication: Some(5),
        ..Schedule::default()
    };
    pair.append(there, schedule);
    pair.append(here, Schedule::default());
    let item = pair.lease(here).unwrap();
    let run = MovedRun {
        schedules: schedule.into(),
        ..moved()
    };
    pair.move_as(here, item, there, run).unwrap();
    pair.deliver_all();
    assert_eq!((pair.counts(here), pair.end(there)), ((0, 0, 0), 1));
}

#[test]
fn a_log_that_is_deleted_or_cleared_takes_nothing_back() {
    type End = fn(&mut Pair, LogId);
    let delete: End = |pair, log| assert!(pair.delete(log).is_ok());
    let cut: End = |pair, log| {
        let trimmed = pair.shard(log).run(trim(log, 1, TrimReason::Asked));
        assert_eq!(trimmed, Ok(Offset(1)));
    };
    let clear: End = |pair, log| {
        assert_eq!(pair.shard(log).run(purge(log, true)), Ok(2));
    };
    for (end, left) in [(delete, None), (cut, Some(1)), (clear, Some(0))] {
        let (mut pair, here, there) = Pair::with_records(2);
        let item = pair.lease(here).unwrap();
        pair.begin_move(here, item, there).unwrap();
        pair.delete(there).unwrap();
        end(&mut pair, here);
        pair.deliver_all();
        match left {
            Some(left) => assert_eq!(pair.counts(here), (left, 0, 0)),
            None => assert_eq!(pair.has(here), (false, false)),
        }
    }
}
