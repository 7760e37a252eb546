//! Each law distinguishes a forged history from a lawful one: all laws judge both, and only the law
//! that the forged one breaks objects to it.

mod leaving;
mod moves;
mod retention;
mod retries;
mod serving;
mod sessions;
mod stop;
mod waits;

use std::collections::{BTreeMap, BTreeSet};

use stele_base_types::{
    LogId, Name, Offset, PartitionId, PartitionIndex, ProducerEpoch, ProducerId, Sequence,
    SessionId, ShardId, Timestamp,
};
use stele_core_engine::{
    AppendError, Appended, Durability, LeaseId, LedgerConfig, Lifetime, LinkNumber, LogConfig,
    LogDefinition, Outcome, ProducerStamp, Retention, Schedule, StatePart, Window,
    limits::DEDUPLICATION_MS,
};

use super::all;
use crate::{
    event::{
        Commit, Crash, Event, Found, Item, Leased, LeasedOne, LinkEnds, Publish, PublishId, Read,
        RecordId, Recovery, Settling, Target,
    },
    model::Model,
};

const PARTITION: PartitionId = PartitionId {
    log: LogId(1),
    index: PartitionIndex(0),
};

/// The numbers of the laws that object to a history.
fn broken_by(history: &[Event]) -> BTreeSet<u32> {
    let (mut laws, mut model) = (all(), Model::default());
    let mut broken = BTreeSet::new();
    for event in history {
        for law in &mut laws {
            if law.judge(event, &model).is_err() {
                broken.insert(law.number());
            }
        }
        model.note(event);
    }
    broken
}

/// Both histories share a beginning; `lawful` and `forged` are the continuations.
#[track_caller]
fn law_tells(law: u32, beginning: &[Event], lawful: &[Event], forged: &[Event]) {
    assert_eq!(broken_by(&[beginning, lawful].concat()), [].into());
    assert_eq!(broken_by(&[beginning, forged].concat()), [law].into());
}

fn log_of(id: u64, config: LogConfig) -> Event {
    Event::Defined(Box::new(LogDefinition {
        id: LogId(id),
        vhost: Name::vhost_default(),
        name: Name::new("log").unwrap(),
        config,
        facets: BTreeMap::new(),
        created: Timestamp(0),
        modified: Timestamp(0),
    }))
}

fn queue_config(fifo: bool) -> LogConfig {
    let queue = LedgerConfig {
        fifo,
        ..LedgerConfig::default()
    };
    LogConfig {
        partitions: 1,
        durability: Durability::Synced,
        retention: Retention::QUEUE,
        lifetime: Lifetime::default(),
        queue: Some(queue),
    }
}

fn queue() -> Event {
    log_of(1, queue_config(false))
}

fn topic(time_ms: Option<u64>, size_bytes: Option<u64>) -> Event {
    let window = Window {
        time_ms,
        size_bytes,
    };
    let retention = Retention {
        until_acknowledged: false,
        window: Some(window),
    };
    log_of(
        1,
        LogConfig {
            retention,
            queue: None,
            ..queue_config(false)
        },
    )
}

/// An append of these records at time 0, with the first record's number as its id.
fn publish(records: &[u64]) -> Publish {
    Publish {
        id: PublishId(records[0]),
        targets: vec![target(1)],
        records: records.iter().copied().map(RecordId).collect(),
        stamp: None,
        schedules: Vec::new(),
        size_bytes: 60,
        bodies_bytes: vec![20; records.len()],
        at: Timestamp(0),
    }
}

fn target(log: u64) -> Target {
    Target {
        log: LogId(log),
        partition: Some(PartitionIndex(0)),
        class: Durability::Synced,
    }
}

fn published(records: &[u64]) -> Event {
    Event::Published(publish(records))
}

fn acknowledged(publish: u64, base: u64) -> Event {
    acknowledged_as(publish, base, false)
}

fn acknowledged_as(publish: u64, base: u64, duplicate: bool) -> Event {
    let place = Appended {
        partition: PARTITION,
        base: Offset(base),
        start: Offset(0),
        duplicate,
        refused: false,
    };
    Event::Acknowledged {
        publish: PublishId(publish),
        places: vec![place],
        full: Vec::new(),
    }
}

/// Records 1, 2, … at offsets 0, 1, …, each in a batch of its own.
fn filled(count: u64) -> Vec<Event> {
    let records = 1..=count;
    records
        .flat_map(|record| [published(&[record]), acknowledged(record, record - 1)])
        .collect()
}

fn read(start: u64, committed: u64, records: &[(u64, u64)]) -> Read {
    let records = records.iter();
    let records = records.map(|(offset, record)| (Offset(*offset), RecordId(*record)));
    Read {
        partition: PARTITION,
        start: Offset(start),
        committed: Offset(committed),
        records: records.collect(),
        at: Timestamp(0),
    }
}

fn was_read(start: u64, committed: u64, records: &[(u64, u64)]) -> Event {
    Event::Read(read(start, committed, records))
}

fn audited(start: u64, committed: u64, records: &[(u64, u64)]) -> Event {
    Event::Audited(read(start, committed, records))
}

/// Offset `offset`, with the record of [`filled`] there, leased as `100 * session + offset`.
fn leased_by(session: u64, offset: u64, until: Option<Timestamp>) -> Event {
    let one = LeasedOne {
        offset: Offset(offset),
        record: RecordId(offset + 1),
        lease: LeaseId(100 * session + offset),
        deliveries: 1,
        redelivered: true,
    };
    Event::Leased(Leased {
        consumer: None,
        partition: PARTITION,
        session: SessionId(session),
        records: vec![one],
        until,
        is_taken: false,
        beside: Default::default(),
    })
}

fn leased(session: u64, offset: u64) -> Event {
    leased_by(session, offset, None)
}

/// Session 7 settles its lease of an offset.
fn settling(offset: u64, outcome: Outcome, is_durable: bool) -> Settling {
    let item = Item {
        partition: PartitionIndex(0),
        offset: Offset(offset),
        lease: Some(LeaseId(700 + offset)),
    };
    Settling {
        log: LogId(1),
        items: vec![item],
        outcome,
        is_durable,
        at: Timestamp(0),
    }
}

fn settled(offset: u64, outcome: Outcome) -> Event {
    Event::Settling(settling(offset, outcome, false))
}

#[test]
fn an_acknowledged_record_that_is_gone_breaks_law_1() {
    let beginning = [vec![queue()], filled(2)].concat();
    let whole = [audited(0, 2, &[(0, 1), (1, 2)])];
    law_tells(1, &beginning, &whole, &[audited(0, 1, &[(0, 1)])]);
    law_tells(1, &beginning, &whole, &[audited(0, 2, &[(0, 1)])]);
    let other = [was_read(0, 2, &[(0, 9), (1, 2)])];
    let other = broken_by(&[beginning.as_slice(), &other].concat());
    assert!(other.contains(&1), "{other:?}");
    law_tells(1, &[], &[], &[Event::Unreadable("damaged".into())]);
}

#[test]
fn a_commit_that_is_gone_breaks_law_1() {
    let commit = Commit {
        group: Name::new("group").unwrap(),
        partition: PARTITION,
        offset: Offset(5),
    };
    let found = |offset| Event::OffsetRead {
        group: commit.group.clone(),
        partition: PARTITION,
        offset,
    };
    let asked = Event::Committing(commit.clone());
    let beginning = [asked.clone(), Event::Committed(commit.clone())];
    law_tells(1, &beginning, &[found(Some(Offset(5)))], &[found(None)]);
    law_tells(1, &[asked], &[found(None)], &[found(Some(Offset(6)))]);
}

#[test]
fn a_gap_and_a_reused_offset_break_law_2() {
    let beginning = [queue(), was_read(0, 3, &[(0, 1), (1, 2)])];
    let lawful = [was_read(0, 3, &[(1, 2), (2, 3)])];
    law_tells(2, &beginning, &lawful, &[was_read(0, 3, &[(1, 9)])]);
    law_tells(2, &beginning, &lawful, &[was_read(0, 3, &[(0, 1), (2, 3)])]);
    // Offsets that a crash may undo can be assigned again; others can't.
    let volatile = LogConfig {
        durability: Durability::Volatile,
        ..queue_config(false)
    };
    let of = |config| [log_of(1, config), was_read(0, 1, &[(0, 1)])];
    let again = [Event::Crashed(Crash::PowerCut), was_read(0, 1, &[(0, 2)])];
    assert_eq!(
        broken_by(&[of(volatile), again.clone()].concat()),
        [].into()
    );
    let synced = of(queue_config(false));
    assert_eq!(broken_by(&[synced, again].concat()), [2].into());
}

#[test]
fn a_record_that_is_passed_over_breaks_law_3() {
    let beginning = [vec![queue()], filled(2)].concat();
    law_tells(
        3,
        &beginning,
        &[leased(7, 0), leased(7, 1)],
        &[leased(7, 1)],
    );
    let returned = [leased(7, 0), settled(0, Outcome::Return(0))];
    let beginning = [beginning, returned.to_vec()].concat();
    law_tells(3, &beginning, &[leased(8, 0)], &[leased(8, 1)]);
}

#[test]
fn a_fifo_queue_keeps_the_order_of_each_group_by_law_3() {
    let of_group = |record, group| {
        let schedules = vec![Schedule {
            group: Some(group),
            ..Schedule::default()
        }];
        let publish = Publish {
            schedules,
            ..publish(&[record])
        };
        [Event::Published(publish), acknowledged(record, record - 1)]
    };
    let fifo = || vec![log_of(1, queue_config(true))];
    let apart = [fifo(), of_group(1, 5).into(), of_group(2, 6).into()].concat();
    assert_eq!(broken_by(&[apart, vec![leased(7, 1)]].concat()), [].into());
    let together = [fifo(), of_group(1, 5).into(), of_group(2, 5).into()].concat();
    law_tells(3, &together, &[leased(7, 0)], &[leased(7, 1)]);
}

#[test]
fn a_second_holder_breaks_law_4() {
    let beginning = [vec![queue()], filled(1), vec![leased(7, 0)]].concat();
    let gone = Event::SessionClosed(SessionId(7));
    law_tells(4, &beginning, &[gone, leased(8, 0)], &[leased(8, 0)]);
    let until = Some(Timestamp(50));
    let beginning = [vec![queue()], filled(1), vec![leased_by(7, 0, until)]].concat();
    let at = |now| [Event::Ticked(Timestamp(now)), leased(8, 0)];
    law_tells(4, &beginning, &at(50), &at(49));
}

#[test]
fn a_settled_record_that_comes_again_breaks_law_4() {
    let held = [vec![queue()], filled(1), vec![leased(7, 0)]].concat();
    let settled_by = |outcome| [settled(0, outcome), leased(8, 0)];
    let back = settled_by(Outcome::Return(0));
    law_tells(4, &held, &back, &settled_by(Outcome::Done));
    let too_soon = settled_by(Outcome::Return(10));
    law_tells(4, &held, &back, &too_soon);
    // A crash undoes only what no client was told about.
    let done = settling(0, Outcome::Done, true);
    let told = Event::Settled {
        asked: done.clone(),
        missing: Vec::new(),
    };
    let crash = [Event::Crashed(Crash::PowerCut), leased(8, 0)];
    let untold = [vec![Event::Settling(done.clone())], crash.to_vec()].concat();
    let told = [vec![Event::Settling(done), told], crash.to_vec()].concat();
    law_tells(4, &held, &untold, &told);
}

#[test]
fn a_record_that_never_comes_again_breaks_law_4() {
    let beginning = [vec![queue()], filled(1), vec![leased(7, 0)]].concat();
    let drained = Event::Drained(LogId(1));
    let done = [settled(0, Outcome::Done), drained.clone()];
    let gone = [Event::SessionClosed(SessionId(7)), drained.clone()];
    law_tells(4, &beginning, &done, &gone);
    law_tells(4, &beginning, &done, &[drained]);
}

#[test]
fn a_holder_who_is_told_wrongly_breaks_law_4() {
    let beginning = [vec![queue()], filled(1), vec![leased(7, 0)]].concat();
    // It names a lease other than the current one.
    let mut asked = settling(0, Outcome::Done, true);
    asked.items[0].lease = Some(LeaseId(1));
    let told = |missing| {
        let asked = asked.clone();
        [
            Event::Settling(asked.clone()),
            Event::Settled { asked, missing },
        ]
    };
    law_tells(4, &beginning, &told(vec![0]), &told(vec![]));
}

#[test]
fn a_lease_that_is_given_again_breaks_law_4() {
    let returned = [leased(7, 0), settled(0, Outcome::Return(0))];
    let beginning = [vec![queue()], filled(1), returned.to_vec()].concat();
    law_tells(4, &beginning, &[leased(8, 0)], &[leased(7, 0)]);
}

#[test]
fn a_process_that_begins_before_what_was_acknowledged_breaks_law_4() {
    let late = Event::Published(Publish {
        at: Timestamp(50),
        ..publish(&[1])
    });
    let crash = Event::Crashed(Crash::PowerCut);
    let beginning = [queue(), late, acknowledged(1, 0), crash];
    let begun_at = |now| [Event::Time(Timestamp(now))];
    law_tells(4, &beginning, &begun_at(50), &begun_at(49));
}

#[test]
fn a_confirm_that_leaves_out_a_target_breaks_law_1() {
    let beginning = [queue(), published(&[1])];
    let nowhere = Event::Acknowledged {
        publish: PublishId(1),
        places: Vec::new(),
        full: Vec::new(),
    };
    law_tells(1, &beginning, &[acknowledged(1, 0)], &[nowhere]);
    let refused = Event::Refused(PublishId(1), Some(AppendError::NoSuchLog));
    law_tells(1, &beginning, &[acknowledged(1, 0)], &[refused]);
}

#[test]
fn a_part_of_an_append_breaks_law_6() {
    let beginning = [queue(), published(&[1]), published(&[2, 3])];
    let whole = [audited(0, 3, &[(0, 1), (1, 2), (2, 3)])];
    law_tells(6, &beginning, &whole, &[audited(0, 2, &[(0, 1), (1, 2)])]);
    let shown = [was_read(0, 1, &[(0, 1)])];
    law_tells(6, &beginning, &shown, &[was_read(0, 0, &[(0, 1)])]);
}

#[test]
fn an_append_that_is_in_one_of_its_logs_breaks_law_6() {
    let both = Publish {
        targets: vec![target(1), target(2)],
        ..publish(&[1])
    };
    let other = |records: &[(u64, u64)]| {
        Event::Audited(Read {
            partition: PartitionId::new(LogId(2), PartitionIndex(0)),
            ..read(0, records.len() as u64, records)
        })
    };
    let swept = Event::Swept {
        on_disk: Vec::new(),
        read: Vec::new(),
        segment_bytes_max: 0,
    };
    let second = log_of(2, queue_config(false));
    let beginning = [
        queue(),
        second,
        Event::Published(both),
        audited(0, 1, &[(0, 1)]),
    ];
    let lawful = [other(&[(0, 1)]), swept.clone()];
    law_tells(6, &beginning, &lawful, &[other(&[]), swept]);
}

/// A message of group 5 with deduplication id 9.
fn fifo_message(record: u64, at: u64) -> Event {
    let schedule = Schedule {
        group: Some(5),
        deduplication: Some(9),
        ..Schedule::default()
    };
    Event::Published(Publish {
        schedules: vec![schedule],
        at: Timestamp(at as i64),
        ..publish(&[record])
    })
}

#[test]
fn two_messages_of_a_group_at_a_time_break_law_7() {
    let late = DEDUPLICATION_MS;
    let beginning = [
        log_of(1, queue_config(true)),
        fifo_message(1, 0),
        acknowledged(1, 0),
        fifo_message(2, late),
        acknowledged(2, 1),
        leased(7, 0),
    ];
    let lawful = [settled(0, Outcome::Done), leased(8, 1)];
    law_tells(7, &beginning, &lawful, &[leased(8, 1)]);
}

#[test]
fn a_second_message_of_an_id_breaks_law_7() {
    let again_at = |at| {
        [
            log_of(1, queue_config(true)),
            fifo_message(1, 0),
            acknowledged(1, 0),
            fifo_message(2, at),
        ]
    };
    let (within, after) = (again_at(DEDUPLICATION_MS - 1), again_at(DEDUPLICATION_MS));
    let (taken, known) = ([acknowledged(2, 1)], [acknowledged_as(2, 0, true)]);
    law_tells(7, &within, &known, &taken);
    law_tells(7, &after, &taken, &known);
}

#[test]
fn recoveries_that_differ_break_law_8() {
    let found = |state: u8, reads_back| Found {
        state: vec![(StatePart::Header, vec![state])],
        reads_back,
    };
    let recovered = |last: u8, second: u8, alone: Option<u8>| {
        let recovery = Recovery {
            last: found(last, true),
            undisturbed: [found(1, true), found(second, true)],
            journal_alone: alone.map(|state| found(state, true)),
        };
        [Event::Recovered(vec![recovery])]
    };
    let lawful = recovered(1, 1, Some(1));
    law_tells(8, &[], &lawful, &recovered(2, 1, None));
    law_tells(8, &[], &lawful, &recovered(1, 2, None));
    law_tells(8, &[], &lawful, &recovered(1, 1, Some(2)));
    let lossy = Recovery {
        last: found(1, false),
        undisturbed: [found(1, false), found(1, false)],
        journal_alone: None,
    };
    law_tells(8, &[], &lawful, &[Event::Recovered(vec![lossy])]);
}

#[test]
fn a_panic_breaks_law_10() {
    law_tells(
        10,
        &[],
        &[],
        &[Event::Panicked("index out of bounds".into())],
    );
}

#[test]
fn law_11_wants_what_was_sent_to_be_taken_once() {
    let at = |acknowledged, taken, sent| {
        let link = LinkEnds {
            from: ShardId(0),
            to: ShardId(1),
            sent: LinkNumber(sent),
            taken: LinkNumber(taken),
            acknowledged: LinkNumber(acknowledged),
        };
        vec![link]
    };
    law_tells(
        11,
        &[],
        &[Event::Linked(at(1, 2, 3))],
        &[Event::Linked(at(2, 1, 3))],
    );
    law_tells(
        11,
        &[],
        &[Event::Linked(at(1, 2, 2))],
        &[Event::Linked(at(1, 3, 2))],
    );
    let rest = |links, open: &[u64]| Event::AtRest {
        links,
        defined: vec![LogId(1), LogId(4)],
        open: open.iter().copied().map(LogId).collect(),
        moving: Vec::new(),
    };
    let lawful = || [rest(at(3, 3, 3), &[1, 4])];
    law_tells(11, &[], &lawful(), &[rest(at(2, 3, 3), &[1, 4])]);
    law_tells(11, &[], &lawful(), &[rest(at(3, 3, 3), &[1])]);
}
