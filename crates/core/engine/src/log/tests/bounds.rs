//! What is known of single records takes memory, and is bounded.

use super::*;
use crate::StateBytes;

/// A shard that may know of about twenty records.
fn bounded(config: LogConfig) -> Shard {
    let mut shard = Shard::with(config);
    shard.state.set_bounds(StateBytes {
        definitions: usize::MAX,
        records: 20 * 160,
    });
    shard
}

fn delayed() -> Append {
    scheduled(Schedule {
        delay_ms: Some(1_000),
        ..Schedule::default()
    })
}

fn identified(id: u128) -> Append {
    scheduled(Schedule {
        deduplication: Some(id),
        ..Schedule::default()
    })
}

#[test]
fn delayed_records_are_refused_where_there_is_no_room_for_more() {
    let mut shard = bounded(queue_config());
    for _ in 0..10 {
        shard.append(delayed());
    }
    assert_eq!(shard.append_only(delayed()), Err(AppendError::Full));
    // Others aren't listed, and those that are can still be handed out once they are due.
    shard.append_many(100);
    shard.pass(1_000);
    shard.append(delayed());
    assert_eq!(shard.lease(request(1, 5)).len(), 5);
}

#[test]
fn deduplication_ids_are_refused_where_there_is_no_room_for_more() {
    let mut shard = bounded(fifo_config());
    let refused = (0..100u128).find(|id| shard.append_only(identified(*id)).is_err());
    let known = refused.expect("one was refused");
    assert!((10..20).contains(&known), "after {known}");
    // One that is known adds nothing, and is found.
    let again = shard.append_only(identified(0)).expect("it is known");
    assert!(again[0].duplicate);
    shard.pass(600_000);
    shard.append(identified(1_000));
}

#[test]
fn what_is_counted_is_what_there_is_after_a_restart_and_a_deletion() {
    let mut shard = Shard::with(fifo_config());
    let empty = shard.state.bytes();
    for id in 0..50 {
        shard.append(identified(id));
    }
    shard.append(delayed());
    let before = shard.state.bytes();
    assert!(before.records > 51 * 100);
    shard.restart();
    assert_eq!(shard.state.bytes(), before);
    shard.delete(DeleteLog::anyway(LOG)).expect("it is deleted");
    shard.sweep();
    assert_eq!(shard.state.bytes(), empty);
}

#[test]
fn nobody_is_handed_more_while_leases_take_all_there_is() {
    let mut shard = bounded(queue_config());
    shard.append_many(100);
    let first = shard.lease(request(1, 50));
    assert_eq!(first.len(), 50, "a run is handed out whole");
    assert_eq!(shard.lease(request(2, 1)), []);
    shard
        .run(Subscribe {
            log: LOG,
            terms: subscribe(consumer(3, 0)),
        })
        .expect("subscribed");
    assert_eq!(shard.state.logs.dispatchable(None), None);
    // Once some are settled, all goes on.
    shard.settle(&first, Outcome::Done);
    assert_eq!(shard.state.logs.dispatchable(None), Some(LOG));
}
