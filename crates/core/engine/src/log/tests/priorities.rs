//! Records by priority: a partition for each, served from the highest down.

use super::*;

/// Priorities 0 to `max`.
fn by_priority(max: u32) -> LogConfig {
    LogConfig {
        partitions: max + 1,
        queue: Some(LedgerConfig {
            by_priority: true,
            ..LedgerConfig::default()
        }),
        ..queue_config()
    }
}

fn of_priority(priority: impl Into<Option<u8>>) -> Append {
    scheduled(Schedule {
        priority: priority.into(),
        ..Schedule::default()
    })
}

fn append_all(shard: &mut Shard, priorities: &[u8]) {
    for priority in priorities {
        shard.append(of_priority(*priority));
    }
}

#[test]
fn a_record_belongs_to_the_partition_of_its_priority() {
    let mut shard = Shard::with(by_priority(3));
    let cases = [
        (None, 0),
        (Some(0), 0),
        (Some(2), 2),
        (Some(3), 3),
        (Some(255), 3),
    ];
    for (priority, partition) in cases {
        let appended = shard.append(of_priority(priority));
        assert_eq!(appended[0].partition.index, PartitionIndex(partition));
    }
    assert_eq!(shard.append(record())[0].partition.index, PartitionIndex(0));
}

#[test]
fn a_batch_of_several_priorities_is_divided_where_they_change() {
    let mut shard = Shard::with(by_priority(3));
    for (priorities, at) in [(&[1, 1, 2][..], 2), (&[0, 1], 1), (&[1, 0], 1)] {
        let schedules = priorities.iter().map(|priority| Schedule {
            priority: (*priority > 0).then_some(*priority),
            ..Schedule::default()
        });
        let mixed = Append {
            count: u32::try_from(priorities.len()).unwrap(),
            columns: Columns::of(schedules),
            ..record()
        };
        assert_eq!(shard.append_only(mixed), Err(AppendError::Divided(at)));
    }
    let highest = [5, 9, 3].map(|priority| Schedule {
        priority: Some(priority),
        ..Schedule::default()
    });
    let highest = Append {
        count: 3,
        columns: Columns::of(highest),
        ..record()
    };
    assert_eq!(shard.append(highest)[0].partition.index, PartitionIndex(3));
}

#[test]
fn the_highest_priority_comes_first_then_the_earliest() {
    let mut shard = Shard::with(by_priority(9));
    append_all(&mut shard, &[0, 5, 9, 5, 0, 9]);
    let leased = shard.lease(request(1, 4));
    assert_eq!(leased, [(9, 0), (9, 1), (5, 0), (5, 1)]);
    append_all(&mut shard, &[1]);
    assert_eq!(shard.lease(request(1, 9)), [(1, 0), (0, 0), (0, 1)]);
}

#[test]
fn a_returned_record_goes_back_to_its_place() {
    let mut shard = Shard::with(by_priority(9));
    append_all(&mut shard, &[5, 5, 9, 1]);
    assert_eq!(shard.lease(request(1, 2)), [(9, 0), (5, 0)]);
    shard.settle(&[(5, 0)], Outcome::Return(0));
    append_all(&mut shard, &[7]);
    let all = [(7, 0), (5, 0), (5, 1), (1, 0)];
    assert_eq!(shard.lease(request(1, 9)), all);
    shard.close_session(1);
    assert_eq!(shard.lease(request(2, 1)), [(9, 0)]);
}

#[test]
fn consumers_get_the_highest_first_and_share_each_priority() {
    let mut shard = Shard::with(by_priority(2));
    let two = [1, 2].map(|session| consumer(session, 1));
    for each in two {
        let terms = Subscription {
            prefetch: Some(4),
            ..subscribe(each)
        };
        shard
            .run(Subscribe { log: LOG, terms })
            .expect("subscribed");
    }
    for priority in [0, 2] {
        let append = of_priority(priority);
        let many = Append {
            count: 4,
            columns: Columns::of([append.columns.schedules(1).next().unwrap(); 4]),
            ..append
        };
        shard.append_only(many).expect("appended");
    }
    shard.commit();
    let delivered = shard.dispatch();
    let delivered: Vec<_> = delivered
        .iter()
        .map(|it| (it.consumer, it.run.partition.0, it.run.records.len()))
        .collect();
    let [one, two] = two;
    assert_eq!(
        delivered,
        [(one, 2, 2), (two, 2, 2), (one, 0, 2), (two, 0, 2)]
    );
}

#[test]
fn the_order_survives_a_restart() {
    let mut shard = Shard::with(by_priority(9));
    append_all(&mut shard, &[3, 8, 3]);
    assert_eq!(shard.lease(request(1, 1)), [(8, 0)]);
    shard.restart();
    assert_eq!(shard.lease(request(1, 9)), [(8, 0), (3, 0), (3, 1)]);
}

#[test]
fn a_purge_takes_all_priorities() {
    let mut shard = Shard::with(by_priority(9));
    append_all(&mut shard, &[3, 8, 3]);
    let purge = Purge {
        log: LOG,
        ledger: LedgerId::DEFAULT,
        leased: false,
    };
    assert_eq!(shard.run(purge), Ok(3));
    assert_eq!(shard.counts(), (0, 0, 0));
}

#[test]
fn a_named_ledger_may_serve_the_last_partition_first() {
    let mut shard = Shard::with(LogConfig {
        partitions: 3,
        ..queue_config()
    });
    let opened = shard.run(OpenLedger {
        log: LOG,
        name: stele_base_types::Name::new("last first").unwrap(),
        config: LedgerConfig {
            by_priority: true,
            ..LedgerConfig::default()
        },
        start: LedgerStart::Earliest,
    });
    shard.append_many(3);
    let asked = LeaseRequest {
        ledger: opened.expect("it opens"),
        ..request(1, 3)
    };
    assert_eq!(shard.lease(asked), [(2, 0), (1, 0), (0, 0)]);
    assert_eq!(shard.lease(request(1, 3)), [(0, 0), (1, 0), (2, 0)]);
}
