use stele_base_types::ConsumerId;
use stele_core_engine::ConsumerRef;

use super::*;

fn queue_of(partitions: u32, queue: LedgerConfig) -> Event {
    log_of(
        1,
        LogConfig {
            partitions,
            queue: Some(queue),
            ..queue_config(false)
        },
    )
}

/// Record 1 at priority 0 and record 2 at priority 1, acknowledged.
fn two_priorities() -> [Event; 5] {
    let by_priority = LedgerConfig {
        by_priority: true,
        ..LedgerConfig::default()
    };
    let urgent = Event::Acknowledged {
        publish: PublishId(2),
        places: vec![Appended {
            partition: PartitionId::new(LogId(1), PartitionIndex(1)),
            base: Offset(0),
            start: Offset(0),
            duplicate: false,
            refused: false,
        }],
        full: Vec::new(),
    };
    [
        queue_of(2, by_priority),
        published(&[1]),
        acknowledged(1, 0),
        Event::Published(Publish {
            targets: vec![Target {
                partition: Some(PartitionIndex(1)),
                ..target(1)
            }],
            ..publish(&[2])
        }),
        urgent,
    ]
}

fn with(leased: Event, change: impl FnOnce(&mut Leased)) -> Event {
    let Event::Leased(mut leased) = leased else {
        panic!("{leased:?}");
    };
    change(&mut leased);
    Event::Leased(leased)
}

#[test]
fn l03_a_higher_priority_comes_first() {
    let urgent = with(leased(7, 0), |leased| {
        leased.partition.index = PartitionIndex(1);
        leased.records[0].record = RecordId(2);
    });
    let usual = leased(8, 0);
    let history = two_priorities();
    law_tells(3, &history, &[urgent, usual.clone()], &[usual]);
}

#[test]
fn l04_one_consumer_is_served_until_it_ends() {
    let single = LedgerConfig {
        single_active: true,
        ..LedgerConfig::default()
    };
    let beginning = [&[queue_of(1, single)][..], &filled(2)].concat();
    let to = |consumer, leased| {
        with(leased, |leased| {
            leased.consumer = Some(ConsumerId(consumer));
        })
    };
    let first = to(1, leased(7, 0));
    let second = to(2, leased(8, 1));
    let cancelled = Event::Cancelled(ConsumerRef {
        session: SessionId(7),
        consumer: ConsumerId(1),
    });
    let lawful = [first.clone(), cancelled, second.clone()];
    law_tells(4, &beginning, &lawful, &[first, second]);
}
