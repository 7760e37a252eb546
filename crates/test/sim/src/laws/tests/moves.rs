//! Law 12, with records moved from the first log to a second one.

use stele_core_engine::Outcome;

use super::*;
use crate::event::Moving;

const OTHER: PartitionId = PartitionId {
    log: LogId(2),
    index: PartitionIndex(0),
};

/// The id of the first log's first record in the other log.
const MOVED: RecordId = RecordId(100);

/// Two queues, and the first one's record, leased by session 7.
fn beginning() -> Vec<Event> {
    let queues = vec![queue(), log_of(2, queue_config(false))];
    [queues, filled(1), vec![leased(7, 0)]].concat()
}

fn moving() -> Event {
    let settling = settling(0, Outcome::Done, false);
    Event::Moving(Moving {
        log: LogId(1),
        item: settling.items[0],
        to: OTHER.log,
        record: MOVED,
    })
}

/// The record is moved, and the client is told that this is durable.
fn moved() -> Vec<Event> {
    [beginning(), vec![moving(), Event::Moved(MOVED)]].concat()
}

/// It is delivered in the target log.
fn arrived(offset: u64) -> Event {
    let one = LeasedOne {
        offset: Offset(offset),
        record: MOVED,
        lease: LeaseId(900 + offset),
        deliveries: 1,
        redelivered: true,
    };
    Event::Leased(Leased {
        consumer: None,
        partition: OTHER,
        session: SessionId(9),
        records: vec![one],
        until: None,
        is_taken: true,
        beside: Default::default(),
    })
}

fn at_rest(moving: &[u64]) -> Event {
    Event::AtRest {
        links: Vec::new(),
        defined: Vec::new(),
        open: Vec::new(),
        moving: moving.iter().copied().map(LogId).collect(),
    }
}

#[test]
fn a_moved_record_that_is_in_both_places_breaks_law_12() {
    let back = [leased(8, 0)];
    law_tells(12, &moved(), &back, &[arrived(0), leased(8, 0)]);
    law_tells(12, &moved(), &back, &[leased(8, 0), arrived(0)]);
    law_tells(12, &moved(), &[arrived(0)], &[arrived(0), arrived(1)]);
    // What a crash undoes in a volatile log may be back in its old place.
    let volatile = LogConfig {
        durability: Durability::Volatile,
        ..queue_config(false)
    };
    let of_class = |config| {
        let moved = [log_of(2, config), moving(), Event::Moved(MOVED), arrived(0)];
        [beginning(), moved.to_vec()].concat()
    };
    let crash = [Event::Crashed(Crash::Kill), leased(8, 0)];
    let lawful = [of_class(volatile), crash.to_vec()].concat();
    let forged = [of_class(queue_config(false)), crash.to_vec()].concat();
    law_tells(12, &[], &lawful, &forged);
}

#[test]
fn a_moved_record_that_is_nowhere_breaks_law_12() {
    let quiet = [at_rest(&[])];
    law_tells(12, &moved(), &[arrived(0), at_rest(&[])], &quiet);
    law_tells(12, &moved(), &[leased(8, 0), at_rest(&[])], &quiet);
    // A log may be deleted; and a crash may undo what the client wasn't told about.
    let gone = [Event::Deleting(OTHER.log), at_rest(&[])];
    law_tells(12, &moved(), &gone, &quiet);
    let untold = [beginning(), vec![moving()]].concat();
    let taken_back = [Event::Crashed(Crash::PowerCut), at_rest(&[])];
    law_tells(
        12,
        &untold,
        &taken_back,
        &[Event::Moved(MOVED), at_rest(&[])],
    );
}

#[test]
fn a_record_that_is_on_its_way_for_ever_breaks_law_12() {
    let arrived = [moved(), vec![arrived(0)]].concat();
    law_tells(12, &arrived, &[at_rest(&[])], &[at_rest(&[1])]);
}

#[test]
fn a_record_that_is_moved_although_somebody_else_has_it_breaks_law_12() {
    let passed_on = [settled(0, Outcome::Return(0)), leased(8, 0)];
    let returned = [beginning(), passed_on.to_vec()].concat();
    law_tells(12, &returned, &[], &[moving()]);
    law_tells(
        12,
        &beginning(),
        &[moving()],
        &[settled(0, Outcome::Done), moving()],
    );
}
