//! Opening, appending, committing, trimming, closing.

use stele_base_types::{ProducerEpoch, ProducerId, Sequence};

use super::*;
use crate::{ProducerStamp, Window, command::Close, limits::DEDUPLICATION_MS};

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
    shard
        .run(Command::Log(LogId(2), LogCommand::Open(volatile)))
        .expect("it opens");
    let fan_out = Append {
        targets: [to(2, Some(1)), to(1, Some(0)), to(1, Some(0))]
            .into_iter()
            .collect(),
        count: 2,
        ..record()
    };
    let decision = shard.decide(Command::Append(fan_out));
    assert_eq!(decision.durability, Durability::Synced);
    let Some(Ok(Reply::Appended(appended))) = decision.reply else {
        panic!("refused")
    };
    let bases: Vec<u64> = appended.iter().map(|one| one.base.0).collect();
    assert_eq!(bases, [0, 0, 2]);
    let alone = Append {
        targets: [to(2, None)].into_iter().collect(),
        ..record()
    };
    let decision = shard.decide(Command::Append(alone));
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
    let scheduled_batch = Append {
        count: 2,
        ..scheduled(Schedule::default())
    };
    for malformed in [none, nowhere, scheduled_batch] {
        let refused = shard.append_only(malformed);
        assert!(matches!(refused, Err(Error::MalformedAppend(_))));
    }
    let elsewhere = |target| Append {
        targets: [target].into_iter().collect(),
        ..record()
    };
    assert_eq!(
        shard.append_only(elsewhere(to(9, None))),
        Err(Error::NoSuchLog)
    );
    assert_eq!(
        shard.append_only(elsewhere(to(1, Some(1)))),
        Err(Error::NoSuchPartition)
    );
}

#[test]
fn a_producers_repetition_is_answered_and_not_appended() {
    let mut shard = Shard::with(queue_config());
    let first = shard.append(stamped(0));
    shard.append(stamped(1));
    let again = shard.decide(Command::Append(stamped(0)));
    assert!(again.records.is_empty());
    assert_eq!(again.durability, Durability::Synced);
    let Some(Ok(Reply::Appended(appended))) = again.reply else {
        panic!("refused")
    };
    assert_eq!(appended[0].base, first[0].base);
    assert!(appended[0].duplicate);
    shard.restart();
    assert!(shard.append(stamped(1))[0].duplicate);
    let skipped = shard.append_only(stamped(3));
    assert!(matches!(skipped, Err(Error::OutOfOrderSequence { .. })));
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
    assert_eq!(shard.append_only(stamped(1)), Err(Error::UnknownProducer));
}

#[test]
fn a_log_opened_again_gains_partitions_and_never_loses_any() {
    let mut shard = Shard::with(queue_config());
    shard.append_many(1);
    let wider = LogConfig {
        partitions: 2,
        ..queue_config()
    };
    shard.log(LogCommand::Open(wider)).expect("it grows");
    assert!(
        shard
            .decide(Command::Log(LOG, LogCommand::Open(wider)))
            .records
            .is_empty()
    );
    let refused = shard
        .log(LogCommand::Open(queue_config()))
        .expect_err("too few");
    assert_eq!(
        refused,
        Error::Partitions {
            existing: 2,
            requested: 1
        }
    );
    let changed = shard.log(LogCommand::Open(LogConfig {
        partitions: 2,
        ..fifo_config()
    }));
    assert!(matches!(changed, Err(Error::Contradiction(_))));
    let none = shard.run(Command::Log(
        LogId(2),
        LogCommand::Open(LogConfig {
            partitions: 0,
            ..wider
        }),
    ));
    assert!(matches!(none, Err(Error::Partitions { .. })));
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
    let refused = shard.log(LogCommand::Lease(request(1, 1), Token(0)));
    assert_eq!(refused.expect_err("no queue yet"), Error::NoSuchLedger);
    shard
        .log(LogCommand::Open(queue_config()))
        .expect("it opens");
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
        shard.state.logs.keep_from(partition, Offset(from)).0
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
    let trim = |to, force| LogCommand::Trim {
        partition: PartitionIndex(0),
        to: Offset(to),
        force,
    };
    let start = |reply| match reply {
        Ok(Reply::Trimmed(start)) => start.0,
        other => panic!("{other:?}"),
    };
    assert_eq!(start(shard.log(trim(8, false))), 2);
    assert!(matches!(shard.effects.pop(), Some(Effect::Trimmed(_))));
    assert_eq!(start(shard.log(trim(1, false))), 2);
    assert_eq!(start(shard.log(trim(8, true))), 8);
    assert_eq!(shard.counts(), (2, 0, 0));
    assert_eq!(shard.lease(request(1, 10)), [(0, 8), (0, 9)]);
    let beyond = shard.log(trim(11, true));
    assert!(matches!(beyond, Err(Error::OffsetOutOfRange { .. })));
}

#[test]
fn closing_tells_those_who_used_the_log() {
    let mut shard = Shard::with(queue_config());
    shard
        .log(LogCommand::Subscribe(subscribe(consumer(1, 1))))
        .expect("subscribed");
    let waiting = LeaseRequest {
        wait_ms: Some(1_000_000),
        ..request(2, 1)
    };
    shard.decide(Command::Log(LOG, LogCommand::Lease(waiting, Token(5))));
    let unused = Close {
        if_unused: true,
        ..Close::default()
    };
    assert_eq!(
        shard.log(LogCommand::Close(unused)).expect_err("used"),
        Error::InUse
    );
    shard.append_many(2);
    let empty = Close {
        if_empty: true,
        ..Close::default()
    };
    assert_eq!(
        shard.log(LogCommand::Close(empty)).expect_err("full"),
        Error::NotEmpty
    );
    let closed = shard.log(LogCommand::Close(Close::default()));
    assert!(matches!(closed, Ok(Reply::Removed(2))));
    assert!(matches!(
        shard.effects[..],
        [
            Effect::ConsumerCancelled(_),
            Effect::Respond(Token(5), Err(Error::NoSuchLog)),
            Effect::Forget {
                log: LOG,
                partitions: 1
            }
        ]
    ));
    assert_eq!(shard.append_only(record()), Err(Error::NoSuchLog));
    assert_eq!(shard.state.next_deadline(), None);
    assert!(
        shard
            .decide(Command::SessionClosed(SessionId(1)))
            .is_nothing()
    );
}
