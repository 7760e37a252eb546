//! Records that leave a queue without having been acknowledged.

use stele_base_types::ShardId;

use super::*;
use crate::{Overflow, Topology, Window};

fn queue(ledger: LedgerConfig) -> LogConfig {
    LogConfig {
        queue: Some(ledger),
        ..queue_config()
    }
}

/// A queue that has dead letters for all reasons.
fn with_dead_letters(ledger: LedgerConfig) -> Shard {
    Shard::with(queue(LedgerConfig {
        dead_letters: DeathReasons::ALL,
        ..ledger
    }))
}

/// What is to be moved: reason, first offset, number of records.
fn dead(shard: &Shard) -> Vec<(DeathReason, u64, u32)> {
    let Some((LOG, runs)) = shard.state.logs.dead_after(None) else {
        return Vec::new();
    };
    let runs = runs.into_iter();
    runs.map(|dead| (dead.reason, dead.run.first.0, dead.run.count))
        .collect()
}

fn shorten(shard: &mut Shard) {
    loop {
        let decision = shard.state.shorten();
        if decision.is_nothing() {
            return;
        }
        shard.carry_out(decision);
    }
}

fn remove_by(offset: u64, to: &[LogId], is_copied: bool) -> Move {
    Move {
        log: LOG,
        ledger: LedgerId::DEFAULT,
        item: SettleItem {
            partition: PartitionIndex(0),
            offset: Offset(offset),
            lease: None,
        },
        to: to.iter().copied().collect(),
        is_copied,
        run: MovedRun {
            size_bytes: 10,
            ..MovedRun::default()
        },
    }
}

#[test]
fn a_rejected_record_is_dead_where_dead_letters_are_wanted_and_otherwise_gone() {
    let only_expired = DeathReasons::only(DeathReason::Expired);
    for dead_letters in [DeathReasons::NONE, only_expired, DeathReasons::ALL] {
        let mut shard = Shard::with(queue(LedgerConfig {
            dead_letters,
            ..LedgerConfig::default()
        }));
        shard.append_many(3);
        shard.lease(request(1, 3));
        shard.settle(&[(0, 1)], Outcome::Reject);
        let is_dead = dead_letters.contains(DeathReason::Rejected);
        let expected = is_dead.then_some((DeathReason::Rejected, 1, 1));
        assert_eq!(dead(&shard), Vec::from_iter(expected));
        assert_eq!(shard.counts(), (0, 2, 0));
        shard.settle(&[(0, 0), (0, 2)], Outcome::Done);
        let floor = if is_dead { 1 } else { 3 };
        assert_eq!(shard.ledger().floor(PartitionIndex(0)), Some(Offset(floor)));
    }
}

#[test]
fn a_record_that_was_delivered_too_often_does_not_return() {
    let mut shard = with_dead_letters(LedgerConfig {
        deliveries_max: Some(2),
        ..LedgerConfig::default()
    });
    shard.append_many(2);
    shard.lease(request(1, 2));
    shard.settle(&[(0, 0), (0, 1)], Outcome::Return(0));
    assert_eq!(dead(&shard), []);
    shard.lease(request(1, 1));
    shard.settle(&[(0, 0)], Outcome::Return(0));
    assert_eq!(dead(&shard), [(DeathReason::Deliveries, 0, 1)]);
    assert_eq!(shard.counts(), (1, 0, 0));
    // The end of a lease and of a session count as well.
    shard.lease(LeaseRequest {
        lease_ms: Some(10),
        ..request(1, 1)
    });
    shard.pass(10);
    assert_eq!(dead(&shard), [(DeathReason::Deliveries, 0, 2)]);
}

#[test]
fn expired_records_are_dead_wherever_they_were() {
    let mut shard = with_dead_letters(LedgerConfig {
        expiry_ms: Some(1_000),
        ..LedgerConfig::default()
    });
    shard.append_many(6);
    shard.lease(request(1, 3));
    shard.settle(&[(0, 0)], Outcome::Return(0));
    shard.settle(&[(0, 1)], Outcome::Return(5_000));
    shard.settle(&[(0, 4)], Outcome::Done);
    shard.pass(2_000);
    // The one that is leased dies when it returns.
    let before = [
        (DeathReason::Expired, 0, 2),
        (DeathReason::Expired, 3, 1),
        (DeathReason::Expired, 5, 1),
    ];
    assert_eq!(dead(&shard), before);
    assert_eq!(shard.counts(), (0, 1, 0));
    shard.settle(&[(0, 2)], Outcome::Return(0));
    let after = [(DeathReason::Expired, 0, 4), (DeathReason::Expired, 5, 1)];
    assert_eq!(dead(&shard), after);
    shard.restart();
    assert_eq!(dead(&shard), after);
}

#[test]
fn expired_records_of_a_fifo_queue_are_dead_whether_or_not_they_were_delivered() {
    let mut shard = with_dead_letters(LedgerConfig {
        fifo: true,
        expiry_ms: Some(1_000),
        ..LedgerConfig::default()
    });
    shard.append_many(4);
    shard.lease(request(1, 2));
    shard.settle(&[(0, 0)], Outcome::Return(0));
    shard.settle(&[(0, 3)], Outcome::Done);
    shard.pass(2_000);
    let before = [(DeathReason::Expired, 0, 1), (DeathReason::Expired, 2, 1)];
    assert_eq!(dead(&shard), before);
    shard.settle(&[(0, 1)], Outcome::Return(0));
    assert_eq!(dead(&shard), [(DeathReason::Expired, 0, 3)]);
    assert_eq!(shard.counts(), (0, 0, 0));
    shard.restart();
    assert_eq!(dead(&shard), [(DeathReason::Expired, 0, 3)]);
}

#[test]
fn a_queue_that_is_too_long_loses_its_oldest_ready_records() {
    let mut shard = with_dead_letters(LedgerConfig {
        ready_max: Some(2),
        ..LedgerConfig::default()
    });
    shard.append_many(2);
    shard.lease(request(1, 1));
    shard.append_many(2);
    shard.settle(&[(0, 0)], Outcome::Return(0));
    shorten(&mut shard);
    assert_eq!(dead(&shard), [(DeathReason::Length, 0, 2)]);
    assert_eq!(shard.lease(request(1, 9)), [(0, 2), (0, 3)]);
}

#[test]
fn a_record_that_somebody_waits_for_is_never_too_many() {
    let mut shard = with_dead_letters(LedgerConfig {
        ready_max: Some(0),
        ..LedgerConfig::default()
    });
    let terms = subscribe(consumer(1, 1));
    shard.run(Subscribe { log: LOG, terms }).expect("a queue");
    shard.append_many(1);
    assert!(shard.state.shorten().is_nothing());
    assert_eq!(shard.delivered().len(), 1);
    assert_eq!(dead(&shard), []);
}

#[test]
fn a_long_queue_is_shortened_in_pieces() {
    let mut shard = Shard::with(queue(LedgerConfig {
        ready_max: Some(10),
        ..LedgerConfig::default()
    }));
    shard.append(Append {
        count: 1_000,
        ..record()
    });
    let decision = shard.state.shorten();
    assert!(decision.weight() <= 2 * crate::limits::RUN_RECORDS_MAX);
    shorten(&mut shard);
    assert_eq!(shard.counts(), (10, 0, 0));
    assert_eq!(shard.ledger().floor(PartitionIndex(0)), Some(Offset(990)));
}

#[test]
fn a_full_queue_refuses_new_records() {
    let mut shard = Shard::with(queue(LedgerConfig {
        ready_max: Some(3),
        overflow: Overflow::RefuseNew,
        ..LedgerConfig::default()
    }));
    // What can't be seen yet counts as well.
    shard.append_only(record()).expect("there is room");
    let three = Append {
        count: 3,
        ..record()
    };
    assert_eq!(shard.append_only(three), Err(AppendError::Divided(2)));
    shard.append_many(2);
    assert_eq!(shard.append_only(record()), Err(AppendError::TooLong));
    shard.lease(request(1, 1));
    shard.append_many(1);
    assert_eq!(shard.counts(), (3, 1, 0));
}

#[test]
fn what_a_full_queue_refuses_may_be_dead_letters() {
    let mut shard = with_dead_letters(LedgerConfig {
        ready_max: Some(1),
        overflow: Overflow::RefuseAsDead,
        ..LedgerConfig::default()
    });
    shard.append_many(1);
    let refused = shard.append_only(record()).expect("it is kept");
    assert!(refused[0].refused);
    assert_eq!(dead(&shard), [], "it isn't durable yet");
    shard.commit();
    assert_eq!(dead(&shard), [(DeathReason::Length, 1, 1)]);
    shard.lease(request(1, 1));
    // The dead one takes no room.
    let taken = shard.append(record());
    assert!(!taken[0].refused);
    assert_eq!(shard.counts(), (1, 1, 0));
}

#[test]
fn a_record_that_is_moved_waits_there_until_it_is_due() {
    let mut shard = with_dead_letters(LedgerConfig::default());
    shard.open(LogId(2), queue_config()).expect("it opens");
    shard.append_many(2);
    shard.lease(request(1, 2));
    shard.settle(&[(0, 0), (0, 1)], Outcome::Reject);
    let due = shard.now.plus_ms(1_000);
    let due_then = |offset| {
        let mut moved = remove_by(offset, &[LogId(2)], false);
        let schedule = Schedule {
            due: Some(due),
            ..Schedule::default()
        };
        moved.run.schedules = schedule.into();
        moved
    };
    shard.pass(400);
    shard.run(due_then(0)).expect("it is dead");
    assert_eq!(shard.state.next_deadline(), Some(due));
    shard.restart();
    assert_eq!(shard.state.next_deadline(), Some(due));
    shard.pass(700);
    // It is late already.
    shard.run(due_then(1)).expect("it is dead");
    assert_eq!(shard.state.next_deadline(), None);
}

#[test]
fn a_dead_record_is_settled_once_all_logs_have_it() {
    let mut shard = with_dead_letters(LedgerConfig::default());
    let (first, second) = (LogId(2), LogId(3));
    for log in [first, second] {
        shard.open(log, queue_config()).expect("it opens");
    }
    shard.append_many(2);
    shard.lease(request(1, 2));
    shard.settle(&[(0, 0), (0, 1)], Outcome::Reject);
    let copied = remove_by(0, &[first], true);
    shard.run(copied).expect("it is dead");
    let (_, runs) = shard.state.logs.dead_after(None).expect("it stays");
    assert_eq!(runs[0].copied[..], [first]);
    assert_eq!((runs[0].run.first, runs[0].run.count), (Offset(0), 1));
    assert_eq!(runs[1].run.first, Offset(1));
    shard.restart();
    shard.run(remove_by(0, &[second], false)).expect("it stays");
    assert_eq!(dead(&shard), [(DeathReason::Rejected, 1, 1)]);
    // Several logs of a shard at once, one of which is gone.
    let moved = remove_by(1, &[LogId(9), first, second], false);
    shard.run(moved).expect("one of them is there");
    assert_eq!(dead(&shard), []);
    assert_eq!(shard.state.logs.with_dead().count(), 0);
    for log in [first, second] {
        let log = shard.state.logs.log(log).expect("it is open");
        assert_eq!(log.partitions[0].end, Offset(2));
    }
    assert_eq!(shard.ledger().floor(PartitionIndex(0)), Some(Offset(2)));
}

/// The same for `count` records.
fn remove_run_by(first: u64, count: u32, to: &[LogId]) -> Move {
    let mut command = remove_by(first, to, false);
    command.run.count = count;
    command
}

/// A queue with rejected records, and two others.
fn with_rejected(count: usize, target: LedgerConfig) -> (Shard, [LogId; 2]) {
    let mut shard = with_dead_letters(LedgerConfig::default());
    let others = [LogId(2), LogId(3)];
    shard.open(others[0], queue(target)).expect("it opens");
    shard.open(others[1], queue_config()).expect("it opens");
    shard.append_many(count);
    let leased: Vec<_> = shard.lease(request(1, 100));
    shard.settle(&leased, Outcome::Reject);
    (shard, others)
}

fn end_of(shard: &Shard, log: LogId) -> Offset {
    shard.state.logs.log(log).expect("it is open").partitions[0].end
}

#[test]
fn dead_records_move_as_one_batch_and_are_settled_as_one_run() {
    let (mut shard, [other, _]) = with_rejected(5, LedgerConfig::default());
    let decision = remove_run_by(1, 3, &[other]).decide(&shard.state, shard.now);
    let decision = decision.expect("they are dead");
    assert_eq!((decision.reply, decision.records.len()), (3, 2));
    shard.carry_out(decision.answered(()));
    let left = [(DeathReason::Rejected, 0, 1), (DeathReason::Rejected, 4, 1)];
    assert_eq!(
        (dead(&shard), end_of(&shard, other)),
        (left.into(), Offset(3))
    );
    shard.restart();
    assert_eq!(
        (dead(&shard), end_of(&shard, other)),
        (left.into(), Offset(3))
    );
    // Those that aren't dead any more divide the rest.
    let gone = shard.run(remove_run_by(1, 4, &[other]));
    assert_eq!(gone, Err(MoveError::NotLeased));
    assert_eq!(
        shard.run(remove_run_by(0, 5, &[other])),
        Err(MoveError::Divided(1))
    );
    for count in [0, crate::limits::RUN_RECORDS_MAX + 1] {
        let refused = shard.run(remove_run_by(0, count, &[other]));
        assert_eq!(refused, Err(MoveError::Count(count)));
    }
    assert_eq!(end_of(&shard, other), Offset(3));
}

#[test]
fn as_many_dead_records_move_as_there_is_room_for() {
    let full_at_two = LedgerConfig {
        ready_max: Some(2),
        overflow: Overflow::RefuseNew,
        ..LedgerConfig::default()
    };
    let (mut shard, [full, other]) = with_rejected(3, full_at_two);
    assert_eq!(
        shard.run(remove_run_by(0, 3, &[full])),
        Err(MoveError::Divided(2))
    );
    // A log that is gone changes nothing about that.
    let refused = shard.run(remove_run_by(0, 3, &[LogId(9), full]));
    assert_eq!(refused, Err(MoveError::Divided(2)));
    assert_eq!(shard.run(remove_run_by(0, 2, &[full])), Ok(2));
    let too_long = Err(MoveError::Target(AppendError::TooLong));
    assert_eq!(shard.run(remove_run_by(2, 1, &[full])), too_long);
    // The log with room has it, and the other one gets it later.
    assert_eq!(shard.run(remove_run_by(2, 1, &[full, other])), Ok(0));
    let (_, runs) = shard.state.logs.dead_after(None).expect("it stays");
    assert_eq!(
        (runs[0].run.first, &runs[0].copied[..]),
        (Offset(2), &[other][..])
    );
    assert_eq!(
        (end_of(&shard, full), end_of(&shard, other)),
        (Offset(2), Offset(1))
    );
}

#[test]
fn dead_records_that_the_same_logs_have_are_one_run() {
    let (mut shard, [first, second]) = with_rejected(4, LedgerConfig::default());
    let mut copy = remove_run_by(1, 2, &[first]);
    copy.is_copied = true;
    assert_eq!(shard.run(copy), Ok(2));
    let (_, runs) = shard.state.logs.dead_after(None).expect("they stay");
    let runs = runs.iter();
    let runs: Vec<_> = runs
        .map(|dead| (dead.run.first.0, dead.run.count, dead.copied.len()))
        .collect();
    assert_eq!(runs, [(0, 1, 0), (1, 2, 1), (3, 1, 0)]);
    assert_eq!(shard.run(remove_run_by(1, 2, &[second])), Ok(2));
    assert_eq!(shard.ledger().dead(), 2);
}

#[test]
fn only_dead_records_are_copied() {
    let mut shard = with_dead_letters(LedgerConfig::default());
    shard.open(LogId(2), queue_config()).expect("it opens");
    shard.append_many(1);
    let copied = shard.run(remove_by(0, &[LogId(2)], true));
    assert_eq!(copied, Err(MoveError::NotLeased));
}

#[test]
fn dead_records_go_with_a_trim_and_stay_with_a_purge() {
    let mut shard = with_dead_letters(LedgerConfig::default());
    shard.append_many(3);
    shard.lease(request(1, 2));
    shard.settle(&[(0, 0), (0, 1)], Outcome::Reject);
    let purge = Purge {
        log: LOG,
        ledger: LedgerId::DEFAULT,
        leased: false,
    };
    assert_eq!(shard.run(purge), Ok(1));
    assert_eq!(dead(&shard), [(DeathReason::Rejected, 0, 2)]);
    let trim = Trim {
        partition: PartitionId::new(LOG, PartitionIndex(0)),
        to: Offset(1),
        reason: TrimReason::Asked,
    };
    shard.run(trim).expect("it is there");
    shard.clean_up();
    assert_eq!(dead(&shard), [(DeathReason::Rejected, 1, 1)]);
}

#[test]
fn a_dead_record_on_its_way_holds_nobody_up_in_a_ledger_that_becomes_fifo() {
    let mut shard = with_dead_letters(LedgerConfig::default());
    shard.state.set_topology(Topology {
        own: ShardId(1),
        shards: 2,
    });
    shard.append_many(3);
    assert_eq!(shard.lease(request(1, 1)), [(0, 0)]);
    shard.settle(&[(0, 0)], Outcome::Reject);
    shard.run(remove_by(0, &[LogId(2)], false)).unwrap();
    let window = Some(Window::default());
    let topic = Retention {
        until_acknowledged: false,
        window,
    };
    let no_queue = LogConfig {
        retention: topic,
        ..shard.state.logs.log(LOG).unwrap().config
    };
    shard.open(LOG, no_queue).unwrap();
    shard.open(LOG, fifo_config()).unwrap();
    let from = Origin {
        log: LOG,
        ledger: LedgerId::DEFAULT,
        partition: PartitionIndex(0),
        offset: Offset(0),
    };
    let end = MoveEnd::of_one(from, TakenBy::None);
    let refused = shard.state.logs.end_move(&end);
    shard.carry_out(refused);
    assert_eq!(dead(&shard), [(DeathReason::Rejected, 0, 1)]);
    assert_eq!(shard.lease(request(1, 5)), [(0, 1), (0, 2)]);
}

#[test]
fn nothing_is_left_to_do_for_a_deleted_queue() {
    let mut shard = with_dead_letters(LedgerConfig {
        ready_max: Some(1),
        ..LedgerConfig::default()
    });
    shard.append_many(3);
    shard.lease(request(1, 1));
    shard.settle(&[(0, 0)], Outcome::Reject);
    shard.delete(DeleteLog::anyway(LOG)).expect("it is there");
    assert_eq!(shard.state.logs.with_dead().count(), 0);
    assert_eq!(shard.state.logs.dead_after(None), None);
    assert!(shard.state.shorten().is_nothing());
}

#[test]
fn a_delayed_record_that_is_dead_from_the_start_is_not_handed_out() {
    let mut shard = with_dead_letters(LedgerConfig {
        ready_max: Some(1),
        overflow: Overflow::RefuseAsDead,
        ..LedgerConfig::default()
    });
    shard.append_many(2);
    let delayed = scheduled(Schedule {
        delay_ms: Some(1_000),
        ..Schedule::default()
    });
    assert!(shard.append(delayed)[0].refused);
    assert_eq!(dead(&shard), [(DeathReason::Length, 1, 2)]);
    shard.pass(1_000);
    assert_eq!(shard.counts(), (1, 0, 0));
    assert_eq!(shard.lease(request(1, 5)), [(0, 0)]);
}

#[test]
fn settled_records_do_not_die_when_their_time_is_over() {
    let mut shard = with_dead_letters(LedgerConfig::default());
    shard.append_many(2);
    let living = Schedule {
        expiry_ms: Some(1_000),
        ..Schedule::default()
    };
    let three = Append {
        count: 3,
        columns: Columns::of([living; 3]),
        ..record()
    };
    shard.append(three);
    let all = [(0, 1), (0, 2), (0, 3), (0, 4)];
    shard.settle(&all, Outcome::Done);
    shard.pass(1_000);
    assert_eq!(dead(&shard), []);
    assert_eq!(shard.counts(), (1, 0, 0));
}

/// A record that is moved to another shard by its lease, and refused there after `passed_ms`.
fn refused(ledger: LedgerConfig, append: Append, passed_ms: u64) -> Shard {
    refused_after(ledger, append, 0, passed_ms)
}

/// The same, moved when it has been leased for `leased_ms`.
fn refused_after(ledger: LedgerConfig, append: Append, leased_ms: u64, passed_ms: u64) -> Shard {
    let mut shard = with_dead_letters(ledger);
    shard.state.set_topology(Topology {
        own: ShardId(1),
        shards: 2,
    });
    shard.append(append);
    shard.lease(request(1, 1));
    shard.pass(leased_ms);
    shard.run(remove_by(0, &[LogId(2)], false)).expect("leased");
    shard.pass(passed_ms);
    let from = Origin {
        log: LOG,
        ledger: LedgerId::DEFAULT,
        partition: PartitionIndex(0),
        offset: Offset(0),
    };
    let ended = shard
        .state
        .logs
        .end_move(&MoveEnd::of_one(from, TakenBy::None));
    shard.carry_out(ended);
    shard
}

#[test]
fn a_record_that_may_not_return_is_dead_when_its_move_is_refused() {
    let often = LedgerConfig {
        deliveries_max: Some(1),
        ..LedgerConfig::default()
    };
    let old = LedgerConfig {
        expiry_ms: Some(1_000),
        ..LedgerConfig::default()
    };
    let living = || {
        scheduled(Schedule {
            expiry_ms: Some(1_000),
            ..Schedule::default()
        })
    };
    let plain = LedgerConfig::default();
    for (ledger, append, reason) in [
        (often, record(), DeathReason::Deliveries),
        (old, record(), DeathReason::Expired),
        (plain, living(), DeathReason::Expired),
    ] {
        let shard = refused(ledger, append, 1_000);
        assert_eq!(dead(&shard), [(reason, 0, 1)]);
        assert_eq!(shard.counts(), (0, 0, 0));
    }
    let shard = refused(plain, record(), 1_000);
    assert_eq!((dead(&shard), shard.counts()), (vec![], (1, 0, 0)));
    // Its time may be over before it begins to move.
    let overdue = refused_after(plain, living(), 1_000, 0);
    assert_eq!(dead(&overdue), [(DeathReason::Expired, 0, 1)]);
    assert_eq!(overdue.counts(), (0, 0, 0));
}
