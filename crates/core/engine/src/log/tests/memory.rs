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
