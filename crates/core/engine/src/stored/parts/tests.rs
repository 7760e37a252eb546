use stele_base_types::{
    ConsumerId, Offset, PartitionId, PartitionIndex, ProcessEpoch, ProducerEpoch, ProducerId,
    Sequence, SessionId, ShardId,
};

use super::*;
use crate::{
    Bind, CatalogueRecord, Columns, CommitOffset, ConsumerRef, Durability, GroupRecord, LeaseId,
    LedgerConfig, LedgerId, LedgerRecord, Lifetime, LinkCommand, LinkRecord, LogConfig,
    LogDefinition, LogRecord, ProducerStamp, Retention, Run, Schedule, StoredRecord,
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
    queue: Some(LedgerConfig {
        fifo: false,
        delay_ms: 0,
        expiry_ms: Some(5_000),
        single_active: false,
        by_priority: false,
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
        columns: Columns::default(),
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

/// Records with something of every kind.
fn history() -> Vec<Record> {
    let link = LinkRecord::Sent {
        to: ShardId(1),
        command: LinkCommand::Undefine { log: LogId(3) },
    };
    vec![
        Record::Started(ProcessEpoch(1)),
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
        Record::Started(ProcessEpoch(2)),
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

/// Applies a record to a state that has only the parts it touches. These must become the same as in
/// the whole state, which must not change elsewhere.
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
    // For the session that holds leases on two logs, and for the start of a process.
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

/// What [`history`] leaves out: groups, delays, deduplication, producers, attempts.
fn more_history() -> Vec<Record> {
    let fifo = LogRecord::Opened {
        config: LogConfig {
            queue: Some(LedgerConfig {
                fifo: true,
                ..LedgerConfig::default()
            }),
            ..CONFIG
        },
        at: NOW,
    };
    let schedules = [(1, None), (2, Some(50)), (1, None)].map(|(group, delay_ms)| Schedule {
        group: Some(group),
        delay_ms,
        deduplication: Some(u128::from(group) << 100),
        ..Schedule::default()
    });
    let appended = Record::Appended {
        targets: [(partition(5), Offset(0))].into_iter().collect(),
        count: 3,
        size_bytes: 90,
        timestamp: NOW,
        at: NOW,
        producer: Some(ProducerStamp {
            id: ProducerId(3),
            epoch: ProducerEpoch(1),
            sequence: Sequence(0),
        }),
        columns: Columns::of(schedules),
    };
    let leased = LedgerRecord::Leased {
        run: run(0),
        lease: LeaseId(9),
        holder: ConsumerRef {
            session: SessionId(8),
            consumer: ConsumerId(2),
        },
        until: Some(NOW.plus_ms(30)),
        at: NOW,
        attempt: Some(77),
    };
    let returned = LedgerRecord::Returned {
        run: run(4),
        until: None,
    };
    let to_ledger = |log, record| {
        let record = LogRecord::Ledger(LedgerId::DEFAULT, record);
        Record::Log(LogId(log), record)
    };
    vec![
        Record::Log(LogId(5), fifo),
        appended,
        to_ledger(5, leased),
        lease(1, 4, 7),
        to_ledger(1, returned),
        lease(1, 5, 7),
    ]
}

/// The parts of a state after [`history`] and [`more_history`], as form 2 stored them.
const SECOND: [(StatePart, &str); 5] = [
    (StatePart::Header, "82020a0008dc0f01010001010300"),
    (
        StatePart::Log(LogId(1)),
        "8204000101020207010288270100096400010001028827010102000007010001d00f05050701\
         0001d00f010401d00f0001040602000100d00f09dc0f00000000000000",
    ),
    (
        StatePart::Log(LogId(2)),
        "8204000101020207010288270100090b00010001028827010000000001030401000103d60f09\
         dc0f00000000000000",
    ),
    (
        StatePart::Log(LogId(5)),
        "820400010102020701000100031e01060201000300d00f0100010001030100090802018c1001\
         d00f000101b41000000000010201010102010101020001020101010001010000020101020201\
         010100010102030100d00f03d00f0000014dd00f010000010900028080808080808080808080\
         808080040002d00f8080808080808080808080808080080001d00f0280808080808080808080\
         80808080048080808080808080808080808080080190b907",
    ),
    (StatePart::Groups(162), "820101610101000301000000000000d00f"),
];

#[test]
fn the_state_is_read_as_the_second_form_stored_it() {
    let mut state = State::default();
    for (part, hex) in SECOND {
        let pairs = hex
            .as_bytes()
            .chunks(2)
            .map(|pair| std::str::from_utf8(pair).unwrap());
        let bytes: Vec<_> = pairs
            .map(|pair| u8::from_str_radix(pair, 16).unwrap())
            .collect();
        state.load_part(part, &bytes).unwrap();
    }
    let mut expected = State::default();
    for record in [history(), more_history()].concat() {
        expected.apply(&record);
        // It contains neither what a process had when it crashed, nor the records' sizes except
        // their average.
        expected.logs.load_end(Timestamp::default(), false);
    }
    for (log, average_bytes) in [(1, 100), (2, 11), (5, 30)] {
        expected
            .logs
            .tell_sizes_by_average(LogId(log), average_bytes);
    }
    let mut expected = expected.store();
    let is_given = |part: &StatePart| SECOND.iter().any(|(given, _)| given == part);
    expected.retain(|(part, _)| is_given(part));
    let mut found = state.store();
    found.retain(|(part, _)| is_given(part));
    assert_eq!(found, expected);
}
