//! Opening, appending, committing, trimming, closing.

use stele_base_types::{ProducerEpoch, ProducerId, Sequence};

use super::*;
use crate::{
    DescribeProducers, ProducerStamp, Window,
    limits::{DEDUPLICATION_MS, DELAYED_RECORDS_MAX},
};

fn stamped(sequence: i32) -> Append {
    Append {
        producer: Some(ProducerStamp {
            id: ProducerId(1),
            epoch: ProducerEpoch(0),
            sequence: Sequence(sequence),
        }),
        ..record()
    }
}

fn to(log: u64, partition: Option<u32>) -> AppendTarget {
    AppendTarget {
        log: LogId(log),
        partition: partition.map(PartitionIndex),
    }
}

#[test]
fn offsets_are_dense() {
    let mut shard = Shard::with(queue_config());
    let mut expected = 0;
    for count in [1, 5, 2] {
        let append = Append { count, ..record() };
        let appended = shard.append(append);
        assert_eq!(appended[0].base, Offset(expected));
        expected += u64::from(count);
    }
    let partition = &shard.state.logs.log(LOG).expect("open").partitions[0];
    assert_eq!((partition.committed, partition.end), (Offset(8), Offset(8)));
}

/// Each delayed record is listed until it is due, and a batch of a few bytes may claim a million.
#[test]
fn a_batch_of_very_many_records_is_not_delayed() {
    let mut config = queue_config();
    config.queue.as_mut().expect("a queue").delay_ms = 1_000;
    let mut delayed = Shard::with(config);
    let mut shard = Shard::with(queue_config());
    let of = |count| Append { count, ..record() };
    let columns = |count: u32| {
        let schedule = Schedule {
            delay_ms: Some(1_000),
            ..Schedule::default()
        };
        Columns::of((0..count).map(|_| schedule))
    };
    delayed.append(of(DELAYED_RECORDS_MAX));
    let too_many = of(DELAYED_RECORDS_MAX + 1);
    let refused = delayed.decide(too_many.clone()).unwrap_err();
    assert_eq!(refused, AppendError::TooManyDelayed);
    shard.append(too_many.clone());
    let by_themselves = |count| Append {
        columns: columns(count),
        ..too_many.clone()
    };
    let refused = shard.decide(by_themselves(DELAYED_RECORDS_MAX + 1));
    assert_eq!(refused.unwrap_err(), AppendError::TooManyDelayed);
    shard.append(by_themselves(DELAYED_RECORDS_MAX));
}

#[test]
fn records_without_a_partition_are_spread_evenly() {
    let mut shard = Shard::with(LogConfig {
        partitions: 3,
        ..queue_config()
    });
    let mut chosen = Vec::new();
    for _ in 0..6 {
        chosen.push(shard.append(record())[0].partition.index.0);
    }
    assert_eq!(chosen, [0, 1, 2, 0, 1, 2]);
}

#[test]
fn a_fan_out_is_as_safe_as_the_safest_target_asks() {
    let mut shard = Shard::with(queue_config());
    let volatile = LogConfig {
        durability: Durability::Volatile,
        partitions: 2,
        ..queue_config()
    };
    shard.open(LogId(2), volatile).expect("it opens");
    let fan_out = Append {
        targets: [to(2, Some(1)), to(1, Some(0)), to(1, Some(0))]
            .into_iter()
            .collect(),
        count: 2,
        ..record()
    };
    let decision = shard.decide(fan_out).expect("appended");
    assert_eq!(decision.durability, Durability::Synced);
    let taken = decision.reply.into_iter().map(|one| one.expect("taken"));
    assert_eq!(taken.map(|one| one.base.0).collect::<Vec<_>>(), [0, 0, 2]);
    let alone = Append {
        targets: [to(2, None)].into_iter().collect(),
        ..record()
    };
    let decision = shard.decide(alone).expect("appended");
    assert_eq!(decision.durability, Durability::Volatile);
}

#[test]
fn malformed_appends_are_refused() {
    let mut shard = Shard::with(queue_config());
    let none = Append {
        count: 0,
        ..record()
    };
    let nowhere = Append {
        targets: SmallVec::new(),
        ..record()
    };
    let delayed = Schedule {
        delay_ms: Some(1),
        ..Schedule::default()
    };
    let scheduled_beyond = Append {
        columns: Columns::of([delayed, delayed]),
        ..record()
    };
    for malformed in [none, nowhere, scheduled_beyond] {
        let refused = shard.append_only(malformed);
        assert!(matches!(refused, Err(AppendError::Malformed(_))));
    }
    let elsewhere = |target| Append {
        targets: [target].into_iter().collect(),
        ..record()
    };
    assert_eq!(
        shard.append_only(elsewhere(to(9, None))),
        Err(AppendError::NoSuchLog)
    );
    assert_eq!(
        shard.append_only(elsewhere(to(1, Some(1)))),
        Err(AppendError::NoSuchPartition)
    );
}

#[test]
fn a_target_that_is_gone_takes_nothing_from_the_others() {
    let mut shard = Shard::with(queue_config());
    let append = |targets: &[AppendTarget]| Append {
        targets: targets.iter().copied().collect(),
        ..record()
    };
    let decision = shard
        .decide(append(&[to(9, None), to(1, None), to(1, Some(7))]))
        .expect("one takes it");
    let [gone, taken, beyond] = &decision.reply[..] else {
        panic!("{:?}", decision.reply);
    };
    assert_eq!(*gone, Err(AppendError::NoSuchLog));
    assert_eq!(taken.as_ref().expect("taken").base, Offset(0));
    assert_eq!(*beyond, Err(AppendError::NoSuchPartition));
    shard.commit();
    assert_eq!(shard.counts(), (1, 0, 0));
    let refused = shard.decide(append(&[to(9, None), to(8, None)]));
    assert_eq!(refused.expect_err("none takes it"), AppendError::NoSuchLog);
}

#[test]
fn a_producers_repetition_is_answered_and_not_appended() {
    let mut shard = Shard::with(queue_config());
    let first = shard.append(stamped(0));
    shard.append(stamped(1));
    let again = shard.decide(stamped(0)).expect("appended");
    assert!(again.records.is_empty());
    assert_eq!(again.durability, Durability::Synced);
    let appended = again.reply[0].expect("taken");
    assert_eq!(appended.base, first[0].base);
    assert!(appended.duplicate);
    shard.restart();
    assert!(shard.append(stamped(1))[0].duplicate);
    let skipped = shard.append_only(stamped(3));
    assert!(matches!(
        skipped,
        Err(AppendError::OutOfOrderSequence { .. })
    ));
}

#[test]
fn the_producers_of_a_partition_are_told_until_they_have_been_silent_for_long() {
    let mut shard = Shard::with(queue_config());
    let partition = PartitionId::new(LOG, PartitionIndex(0));
    let describe = DescribeProducers { partition };
    assert_eq!(shard.decide(describe).expect("known").reply, []);
    shard.append(stamped(0));
    shard.append(stamped(1));
    shard.restart();
    let told = shard.decide(describe).expect("known").reply;
    let [producer] = told[..] else {
        panic!("{told:?}");
    };
    assert_eq!(producer.sequence_last, Sequence(1));
    shard.pass(crate::limits::PRODUCER_EXPIRY_MS);
    assert_eq!(shard.decide(describe).expect("known").reply, []);
    let partition = PartitionId::new(LOG, PartitionIndex(1));
    let unknown = shard.decide(DescribeProducers { partition });
    assert_eq!(unknown.expect_err("no such"), LogError::NoSuchPartition);
}

#[test]
fn silent_producers_and_old_ids_are_forgotten_in_time() {
    let mut shard = Shard::with(fifo_config());
    let id = Schedule {
        deduplication: Some(5),
        ..Schedule::default()
    };
    shard.append(stamped(0));
    shard.append(scheduled(id));
    assert!(shard.append(scheduled(id))[0].duplicate);
    shard.restart();
    assert!(shard.append(scheduled(id))[0].duplicate);
    shard.pass(DEDUPLICATION_MS);
    assert!(!shard.append(scheduled(id))[0].duplicate);
    shard.pass(2 * crate::limits::PRODUCER_EXPIRY_MS);
    assert_eq!(shard.state.next_deadline(), None);
    assert!(!shard.append(stamped(7))[0].duplicate);
}

#[test]
fn a_log_opened_again_gains_partitions_and_never_loses_any() {
    let mut shard = Shard::with(queue_config());
    shard.append_many(1);
    let wider = LogConfig {
        partitions: 2,
        ..queue_config()
    };
    shard.open(LOG, wider).expect("it grows");
    assert!(
        shard
            .decide(OpenLog {
                log: LOG,
                config: wider
            })
            .expect("it is open")
            .records
            .is_empty()
    );
    let refused = shard.open(LOG, queue_config()).expect_err("too few");
    assert_eq!(
        refused,
        OpenError::Partitions {
            existing: 2,
            requested: 1
        }
    );
    let changed = shard.open(
        LOG,
        LogConfig {
            partitions: 2,
            ..fifo_config()
        },
    );
    assert!(matches!(changed, Err(OpenError::Contradiction(_))));
    let none = shard.open(
        LogId(2),
        LogConfig {
            partitions: 0,
            ..wider
        },
    );
    assert!(matches!(none, Err(OpenError::Partitions { .. })));
    shard.append_many(2);
    assert_eq!(shard.lease(request(1, 10)), [(0, 0), (0, 1), (1, 0)]);
}

#[test]
fn a_ledger_opened_later_begins_at_the_logs_start() {
    let topic = LogConfig {
        queue: None,
        ..queue_config()
    };
    let mut shard = Shard::with(topic);
    shard.append_many(3);
    let refused = shard.ask(request(1, 1), 0);
    assert_eq!(refused.expect_err("no queue yet"), LogError::NoSuchLedger);
    shard.open(LOG, queue_config()).expect("it opens");
    assert_eq!(shard.lease(request(1, 10)), [(0, 0), (0, 1), (0, 2)]);
}

#[test]
fn what_is_kept_is_the_union_of_its_retentions() {
    let window = Some(Window {
        time_ms: Some(1),
        size_bytes: None,
    });
    let kept = |until_acknowledged, window, from| {
        let mut shard = Shard::with(LogConfig {
            retention: Retention {
                until_acknowledged,
                window,
            },
            ..queue_config()
        });
        shard.append_many(10);
        shard.lease(request(1, 6));
        shard.settle(&[(0, 0), (0, 1), (0, 2), (0, 3), (0, 5)], Outcome::Done);
        let partition = PartitionId::new(LOG, PartitionIndex(0));
        shard
            .state
            .logs
            .keep_from(partition, Offset(from), Offset::ZERO)
            .0
    };
    assert_eq!(kept(true, None, 7), 4);
    assert_eq!(kept(true, window, 7), 4);
    assert_eq!(kept(true, window, 2), 2);
    assert_eq!(kept(false, window, 7), 7);
    assert_eq!(kept(false, window, 70), 10);
    assert_eq!(kept(false, None, 7), 10);
}

#[test]
fn trimming_stops_at_what_is_needed_unless_forced() {
    let mut shard = Shard::with(queue_config());
    shard.append_many(10);
    shard.lease(request(1, 4));
    shard.settle(&[(0, 0), (0, 1), (0, 3)], Outcome::Done);
    let trim = |to, force| Trim {
        partition: PartitionId::new(LOG, PartitionIndex(0)),
        to: Offset(to),
        reason: trim_reason(force),
    };
    assert_eq!(shard.run(trim(8, false)), Ok(Offset(2)));
    assert!(matches!(shard.effects.pop(), Some(Effect::Trimmed(_))));
    assert_eq!(shard.run(trim(1, false)), Ok(Offset(2)));
    assert_eq!(shard.run(trim(8, true)), Ok(Offset(8)));
    assert_eq!(shard.counts(), (2, 0, 0));
    assert_eq!(shard.lease(request(1, 10)), [(0, 8), (0, 9)]);
    let beyond = shard.run(trim(11, true));
    assert!(matches!(beyond, Err(LogError::OffsetOutOfRange { .. })));
}

#[test]
fn closing_tells_those_who_used_the_log() {
    let mut shard = Shard::with(queue_config());
    shard
        .run(Subscribe {
            log: LOG,
            terms: subscribe(consumer(1, 1)),
        })
        .expect("subscribed");
    let waiting = LeaseRequest {
        wait_ms: Some(1_000_000),
        ..request(2, 1)
    };
    shard.wait(waiting, 5);
    let unused = DeleteLog {
        if_unused: true,
        ..DeleteLog::anyway(LOG)
    };
    assert_eq!(shard.delete(unused).expect_err("used"), LogError::InUse);
    shard.append_many(2);
    let empty = DeleteLog {
        if_empty: true,
        ..DeleteLog::anyway(LOG)
    };
    assert_eq!(shard.delete(empty).expect_err("full"), LogError::NotEmpty);
    assert_eq!(shard.delete(DeleteLog::anyway(LOG)), Ok(Some(2)));
    shard.sweep();
    assert!(matches!(
        shard.effects[..],
        [
            Effect::Forget {
                log: LOG,
                partitions: 1
            },
            Effect::Leased(Token(5), Err(LogError::NoSuchLog)),
            Effect::ConsumerCancelled(_),
        ]
    ));
    assert_eq!(shard.append_only(record()), Err(AppendError::NoSuchLog));
    assert_eq!(shard.state.next_deadline(), None);
    assert!(shard.begin_to_close(1).is_nothing());
}

fn keyed(key: Option<u32>) -> Schedule {
    Schedule {
        key,
        ..Schedule::default()
    }
}

fn identified(id: u128) -> Schedule {
    Schedule {
        deduplication: Some(id),
        ..Schedule::default()
    }
}

fn batch(schedules: impl IntoIterator<Item = Schedule>) -> Append {
    let schedules: Vec<_> = schedules.into_iter().collect();
    Append {
        count: schedules.len() as u32,
        columns: Columns::of(schedules),
        ..record()
    }
}

#[test]
fn the_engine_chooses_the_partition_of_keys_as_kafkas_clients_do() {
    let mut shard = Shard::with(LogConfig {
        partitions: 3,
        ..queue_config()
    });
    // The sign bit is dropped, as in Utils.toPositive.
    for (key, partition) in [(0, 0), (4, 1), (5, 2), (0x8000_0001, 1)] {
        let appended = shard.append(batch([keyed(Some(key))]));
        assert_eq!(appended[0].partition.index, PartitionIndex(partition));
    }
    // Records without a key go with those that have one.
    let appended = shard.append(batch([None, Some(5), None, Some(2)].map(keyed)));
    assert_eq!(appended[0].partition.index, PartitionIndex(2));
    // A partition chosen by the publisher is used.
    let chosen = Append {
        targets: [to(1, Some(0))].into_iter().collect(),
        ..batch([keyed(Some(5))])
    };
    assert_eq!(shard.append(chosen)[0].partition.index, PartitionIndex(0));
}

#[test]
fn a_batch_of_several_partitions_is_refused_from_the_first_record_that_differs() {
    let mut shard = Shard::with(LogConfig {
        partitions: 2,
        ..queue_config()
    });
    let mixed = batch([Some(2), None, Some(4), Some(1), Some(2)].map(keyed));
    assert_eq!(shard.append_only(mixed), Err(AppendError::Divided(3)));
    // In other logs the same batch goes to one partition.
    let mut shard = Shard::with(queue_config());
    shard.append(batch([Some(2), Some(1)].map(keyed)));
}

#[test]
fn a_batch_is_known_where_all_its_ids_are_in_their_order() {
    let mut shard = Shard::with(fifo_config());
    shard.append(batch([1, 2, 3].map(identified)));
    shard.append(batch([4].map(identified)));
    for (ids, base) in [(1..4, 0), (2..5, 1), (3..4, 2)] {
        let again = shard.append(batch(ids.map(identified)));
        assert_eq!((again[0].base, again[0].duplicate), (Offset(base), true));
    }
    shard.restart();
    let again = shard.append(batch([1, 2, 3, 4].map(identified)));
    assert_eq!((again[0].base, again[0].duplicate), (Offset(0), true));
}

#[test]
fn a_batch_that_is_known_in_part_is_refused_from_where_that_changes() {
    let mut shard = Shard::with(fifo_config());
    shard.append(batch([1, 2].map(identified)));
    let cases: [(&[u128], u32); 5] = [
        (&[5, 6, 1], 2),
        (&[1, 5], 1),
        (&[1, 2, 5], 2),
        (&[2, 1], 1),
        (&[5, 6, 5], 2),
    ];
    for (ids, place) in cases {
        let refused = shard.append_only(batch(ids.iter().copied().map(identified)));
        assert_eq!(refused, Err(AppendError::Divided(place)), "{ids:?}");
    }
    // A record without an id is never a duplicate.
    let mixed = batch([identified(1), Schedule::default()]);
    assert_eq!(shard.append_only(mixed), Err(AppendError::Divided(1)));
    let new = batch([Schedule::default(), identified(7), Schedule::default()]);
    assert_eq!(shard.append(new)[0].base, Offset(2));
}

#[test]
fn each_record_of_a_batch_has_its_own_delay() {
    let mut shard = Shard::with(queue_config());
    let delays = [None, Some(50), Some(50), None, Some(20)];
    let delayed = |delay_ms| Schedule {
        delay_ms,
        ..Schedule::default()
    };
    shard.append(batch(delays.map(delayed)));
    shard.commit();
    assert_eq!(places(&shard.lease_runs(request(1, 9))), [(0, 0), (0, 3)]);
    shard.pass(20);
    assert_eq!(places(&shard.lease_runs(request(1, 9))), [(0, 4)]);
    shard.pass(30);
    assert_eq!(places(&shard.lease_runs(request(1, 9))), [(0, 1), (0, 2)]);
}
