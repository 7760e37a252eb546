//! Removing expired entries from logs that have many.

use stele_base_types::{ProducerEpoch, ProducerId, Sequence};

use super::*;
use crate::{
    ProducerStamp,
    limits::{DEDUPLICATION_MS, FORGET_MAX, PRODUCER_EXPIRY_MS},
};

const IDS: u64 = 2_000;
const PRODUCERS: i64 = 3_000;

/// The size of the log's entries, in stored form.
fn size_bytes(shard: &Shard) -> usize {
    let stored = shard.state.store_part(crate::StatePart::Log(LOG));
    stored.map_or(0, |part| part.len())
}

/// Does one step of removing entries. Returns how many bytes it removed.
fn forget_some(shard: &mut Shard) -> usize {
    let before = size_bytes(shard);
    let decision = shard.state.tick(shard.now);
    assert!(!decision.is_nothing());
    shard.carry_out(decision);
    before.saturating_sub(size_bytes(shard))
}

fn append_of(producer: i64) -> Append {
    Append {
        producer: Some(ProducerStamp {
            id: ProducerId(producer),
            epoch: ProducerEpoch(0),
            sequence: Sequence(0),
        }),
        ..record()
    }
}

fn with_much() -> Shard {
    let mut shard = Shard::with(fifo_config());
    for id in 0..IDS {
        shard
            .append_only(scheduled(Schedule {
                deduplication: Some(u128::from(id)),
                ..Schedule::default()
            }))
            .expect("it is appended");
    }
    for producer in 0..PRODUCERS {
        shard
            .append_only(append_of(producer))
            .expect("it is appended");
    }
    shard.commit();
    shard
}

#[test]
fn much_is_forgotten_in_pieces() {
    let mut shard = with_much();
    shard.now = shard.now.plus_ms(PRODUCER_EXPIRY_MS);
    let mut steps = 0;
    while shard
        .state
        .next_deadline()
        .is_some_and(|at| at <= shard.now)
    {
        let forgot = forget_some(&mut shard);
        // An id takes two hashes and a position, a producer about as much.
        assert!(forgot <= FORGET_MAX * 64, "{forgot} bytes at once");
        steps += 1;
    }
    let things = IDS as usize + PRODUCERS as usize;
    assert!(steps >= things / FORGET_MAX, "{steps} steps");
    assert!(steps <= things / FORGET_MAX + 3, "{steps} steps");
    assert_eq!(
        shard.state.next_deadline(),
        None,
        "nothing is left to forget"
    );
    let live = shard.state.store();
    shard.restart();
    let logs = |parts: Vec<(crate::StatePart, Vec<u8>)>| {
        let mut parts = parts.into_iter();
        parts.find(|(part, _)| *part == crate::StatePart::Log(LOG))
    };
    assert_eq!(logs(shard.state.store()), logs(live));
}

#[test]
fn what_is_current_stays_and_is_looked_at_again() {
    let mut shard = with_much();
    shard.pass(DEDUPLICATION_MS);
    let again = shard.append_only(append_of(7)).expect("it is known");
    assert!(again[0].duplicate);
    let id = Schedule {
        deduplication: Some(IDS as u128 - 1),
        ..Schedule::default()
    };
    assert!(!shard.append(scheduled(id))[0].duplicate);
    shard.pass(2 * PRODUCER_EXPIRY_MS);
    assert_eq!(shard.state.next_deadline(), None);
}

#[test]
fn a_new_process_goes_on_from_the_front() {
    let mut shard = with_much();
    shard.now = shard.now.plus_ms(PRODUCER_EXPIRY_MS);
    for _ in 0..10 {
        forget_some(&mut shard);
    }
    shard.restart();
    shard.pass(0);
    assert_eq!(shard.state.next_deadline(), None);
}
