//! The memory usage of a queue.

use super::*;

fn size_bytes(shard: &Shard) -> usize {
    let parts = shard.state.store().into_iter();
    parts.map(|(_, bytes)| bytes.len()).sum()
}

fn append_million(shard: &mut Shard) {
    for _ in 0..1_000 {
        let append = Append {
            count: 1_000,
            size_bytes: 1_000_000,
            ..record()
        };
        shard.append_only(append).expect("it is appended");
    }
    shard.commit();
}

#[test]
fn a_million_ready_records_cost_nothing_of_their_own() {
    let mut shard = Shard::with(queue_config());
    shard.append_many(1);
    let one = size_bytes(&shard);
    append_million(&mut shard);
    assert_eq!(shard.counts(), (1_000_001, 0, 0));
    let million = size_bytes(&shard);
    assert!(million <= one + 32, "{one} bytes became {million}");
}

#[test]
fn ten_million_ready_records_of_ten_priorities_cost_nothing_of_their_own() {
    let mut shard = Shard::with(LogConfig {
        partitions: 10,
        queue: Some(LedgerConfig {
            by_priority: true,
            ..LedgerConfig::default()
        }),
        ..queue_config()
    });
    let of_priority = |priority, count: u32| {
        let schedule = Schedule {
            priority: Some(priority),
            ..Schedule::default()
        };
        Append {
            count,
            size_bytes: 1_000 * count,
            columns: Columns::of(std::iter::repeat_n(schedule, count as usize)),
            ..record()
        }
    };
    for priority in 0..10 {
        shard
            .append_only(of_priority(priority, 1))
            .expect("appended");
    }
    let ten = size_bytes(&shard);
    for place in 0..10_000_u32 {
        let priority = u8::try_from(place % 10).expect("it is below 10");
        shard
            .append_only(of_priority(priority, 1_000))
            .expect("appended");
    }
    shard.commit();
    assert_eq!(shard.counts(), (10_000_010, 0, 0));
    let many = size_bytes(&shard);
    assert!(many <= ten + 10 * 32, "{ten} bytes became {many}");
}

#[test]
fn settled_records_cost_nothing_even_behind_an_unsettled_one() {
    let mut shard = Shard::with(queue_config());
    append_million(&mut shard);
    shard.lease(request(1, 1));
    for _ in 0..4_000 {
        let leased = shard.lease(request(1, 250));
        shard.settle(&leased, Outcome::Done);
    }
    assert_eq!(shard.counts(), (0, 1, 0));
    assert!(size_bytes(&shard) < 200);
}

#[test]
fn an_idle_queue_takes_less_than_two_kibibytes() {
    let inline = size_of::<Log>() + size_of::<Partition>() + size_of::<Ledger>();
    let part = Ledger::PART_BYTES;
    assert!(inline + part < 1_200, "{inline} and {part}");
    let marks = 32 * 16;
    assert!(inline + part + marks < 2_048);
}
