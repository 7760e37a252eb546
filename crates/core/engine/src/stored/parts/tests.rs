use stele_base_types::{
    ConsumerId, Offset, PartitionId, PartitionIndex, ProcessEpoch, ProducerId, SessionId, ShardId,
};

use super::*;
use crate::{
    Bind, CatalogueRecord, CommitOffset, ConsumerRef, Durability, GroupRecord, LeaseId, LedgerId,
    LedgerRecord, Lifetime, LinkCommand, LinkRecord, LogConfig, LogDefinition, LogRecord,
    QueueConfig, Retention, Run, StoredRecord,
};

const CONFIG: LogConfig = LogConfig {
    partitions: 1,
    durability: Durability::Synced,
    retention: Retention::QUEUE,
    lifetime: Lifetime {
        exclusive: None,
        auto_delete: false,
        unused_ms_max: None,
    },
    queue: Some(QueueConfig {
        fifo: false,
        delay_ms: 0,
        expiry_ms: Some(5_000),
    }),
};

const NOW: Timestamp = Timestamp(1_000);

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn partition(log: u64) -> PartitionId {
    PartitionId::new(LogId(log), PartitionIndex(0))
}

fn open(log: u64) -> Record {
    let record = LogRecord::Opened {
        config: CONFIG,
        at: NOW,
    };
    Record::Log(LogId(log), record)
}

fn append(logs: &[u64], base: u64) -> Record {
    let targets = logs.iter().map(|log| (partition(*log), Offset(base)));
    Record::Appended {
        targets: targets.collect(),
        count: 3,
        size_bytes: 300,
        timestamp: NOW,
        at: NOW.plus_ms(base),
        producer: None,
        schedule: None,
    }
}

fn run(first: u64) -> Run {
    Run {
        partition: PartitionIndex(0),
        first: Offset(first),
        count: 1,
    }
}

fn lease(log: u64, first: u64, session: u64) -> Record {
    let record = LedgerRecord::Leased {
        run: run(first),
        lease: LeaseId(first),
        holder: ConsumerRef {
            session: SessionId(session),
            consumer: ConsumerId(1),
        },
        until: None,
        at: NOW,
        attempt: None,
    };
    Record::Log(LogId(log), LogRecord::Ledger(LedgerId::DEFAULT, record))
}

fn settle(log: u64, first: u64) -> Record {
    let record = LedgerRecord::Settled(run(first));
    Record::Log(LogId(log), LogRecord::Ledger(LedgerId::DEFAULT, record))
}

fn commit(group: &str, offset: u64) -> Record {
    let offset = CommitOffset {
        partition: partition(1),
        offset: Offset(offset),
        leader_epoch: -1,
        metadata: "".into(),
    };
    let record = GroupRecord::Committed {
        offsets: vec![offset],
        at: NOW,
    };
    Record::Group(name(group), record)
}

fn define(log: u64) -> Record {
    let definition = LogDefinition {
        id: LogId(log),
        vhost: name("/"),
        name: name(&log.to_string()),
        config: CONFIG,
        facets: Default::default(),
        created: NOW,
        modified: NOW,
    };
    Record::Catalogue(CatalogueRecord::LogDefined(Box::new(definition)))
}

fn bind(source: &str, log: u64) -> Record {
    let bind = Bind {
        vhost: name("/"),
        source: name(source),
        target: BindingTarget::Log(LogId(log)),
        key: name("key"),
        arguments: Default::default(),
    };
    Record::Catalogue(CatalogueRecord::Bound(Box::new(bind)))
}

/// Something of every kind.
fn history() -> Vec<Record> {
    let link = LinkRecord::Sent {
        to: ShardId(1),
        command: LinkCommand::Undefine { log: LogId(3) },
    };
    vec![
        Record::Recovered(ProcessEpoch(1)),
        define(1),
        open(1),
        open(2),
        open(3),
        append(&[1], 0),
        append(&[1, 2, 3], 3),
        lease(1, 0, 7),
        lease(2, 3, 7),
        settle(2, 3),
        commit("a", 1),
        commit("b", 2),
        Record::ProducerIds(ProducerId(4)),
        Record::Recovered(ProcessEpoch(2)),
        append(&[2, 1], 6),
        Record::Log(LogId(3), LogRecord::Closed),
        Record::Link(link),
        commit("a", 3),
        Record::Group(name("b"), GroupRecord::Deleted),
        Record::Log(LogId(3), LogRecord::Undefined),
        define(200),
        bind("amq.fanout", 1),
        bind("amq.fanout", 200),
        Record::Catalogue(CatalogueRecord::LogDeleted(LogId(1))),
    ]
}

fn after(history: &[Record]) -> State {
    let mut state = State::default();
    history.iter().for_each(|record| state.apply(record));
    state
}

fn loaded<'a>(parts: impl Iterator<Item = &'a (StatePart, Vec<u8>)>) -> State {
    let mut state = State::default();
    for (part, bytes) in parts {
        state.load_part(*part, bytes).unwrap();
    }
    state
}

/// Has a state of no more than the parts that it touches take a record. Those must become what they
/// become in the whole state, which must not change elsewhere.
fn check(before: &[(StatePart, Vec<u8>)], after: &State, record: &[u8]) {
    let record = StoredRecord::read(record).unwrap();
    let touched = record.touched();
    let is_touched = |part: &StatePart| {
        let kind = match part {
            StatePart::Log(_) => Some(PartKind::Logs),
            StatePart::Definitions(_) => Some(PartKind::Definitions),
            StatePart::Bindings(_) => Some(PartKind::Bindings),
            _ => None,
        };
        touched.parts.contains(part) || kind.is_some_and(|kind| touched.kinds.contains(&kind))
    };
    let mut part_of_it = loaded(before.iter().filter(|(part, _)| is_touched(part)));
    record.apply_to(&mut part_of_it);
    let parts_before = before.iter().map(|(part, _)| *part);
    for part in parts_before.chain(after.parts()) {
        let stored = if is_touched(&part) {
            part_of_it.store_part(part)
        } else {
            let mut before = before.iter();
            let found = before.find(|(it, _)| *it == part);
            found.map(|(_, bytes)| bytes.clone())
        };
        assert_eq!(stored, after.store_part(part), "{part:?}, {touched:?}");
    }
}

#[test]
fn every_part_is_loaded_as_it_was_stored() {
    let history = history();
    for length in 0..=history.len() {
        let parts = after(&history[..length]).store();
        assert_eq!(loaded(parts.iter()).store(), parts);
        assert_eq!(loaded(parts.iter().rev()).store(), parts);
    }
}

#[test]
fn a_record_needs_and_changes_no_parts_but_those_that_it_touches() {
    let history = history();
    for (length, record) in history.iter().enumerate() {
        let before = after(&history[..length]).store();
        let after = after(&history[..=length]);
        check(&before, &after, &record.store(Vec::new()));
    }
}

#[test]
fn so_does_a_record_of_the_first_form() {
    // Of the session that holds leases of two logs, and of a process that has begun.
    let (session_closed, recovered) = (&[5, 7], &[6]);
    let before = after(&history()[..10]);
    for record in [&session_closed[..], &recovered[..]] {
        let parts = before.store();
        let mut after = loaded(parts.iter());
        after.replay(record).unwrap();
        let log = StatePart::Log(LogId(1));
        assert_ne!(after.store_part(log), before.store_part(log));
        check(&parts, &after, record);
    }
}

#[test]
fn a_part_that_is_gone_is_not_stored() {
    let state = after(&history());
    assert_eq!(state.store_part(StatePart::Log(LogId(3))), None);
    let bucket = StatePart::Groups(bucket_of("b"));
    assert_eq!(state.store_part(bucket), None);
    assert!(!state.parts().any(|part| part == bucket));
}

#[test]
fn what_a_definition_touches_is_small_however_many_there_are() {
    let mut state = State::default();
    for log in 0..10_000 {
        state.apply(&define(log));
        state.apply(&bind("amq.topic", log));
    }
    for record in [define(10_000), bind("amq.topic", 10_000), define(5_000)] {
        state.apply(&record);
        let touched = record.touched();
        assert!(touched.kinds.is_empty(), "{touched:?}");
        let stored = touched.parts.iter();
        let stored = stored.filter_map(|part| state.store_part(*part));
        let size_bytes: usize = stored.map(|part| part.len()).sum();
        assert!(size_bytes < 4 << 10, "{size_bytes} bytes by {touched:?}");
    }
}
