#![allow(
    clippy::unwrap_used,
    reason = "a test that can't go on says so by panicking"
)]

use std::collections::{BTreeMap, BTreeSet};

use stele_base_types::{Name, Timestamp};
use stele_core_engine::{
    CatalogueRecord, Durability, GroupRecord, LedgerConfig, Lifetime, LogConfig, LogDefinition,
    LogRecord, Record, Retention,
};

use super::*;

const HEADER_KEY: PartKey = PartKey {
    kind: HEADER,
    id: 0,
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
        expiry_ms: None,
        single_active: false,
        by_priority: false,
    }),
};

fn record(log: u64, record: LogRecord) -> Vec<u8> {
    Record::Log(LogId(log), record).store(Vec::new())
}

fn open(log: u64) -> Vec<u8> {
    let (config, at) = (CONFIG, Timestamp(1));
    record(log, LogRecord::Opened { config, at })
}

fn log_key(log: u64) -> PartKey {
    PartKey { kind: LOG, id: log }
}

/// Does what a checkpoint does with a snapshot's parts: loads those that the records touch, and
/// returns those that changed.
fn checkpoint(
    snapshot: &mut BTreeMap<PartKey, Vec<u8>>,
    records: &[Vec<u8>],
) -> BTreeMap<PartKey, Option<Vec<u8>>> {
    let mut replayed = Replayed::default();
    let mut loaded = BTreeSet::new();
    for record in records {
        let Parts { keys, kinds } = replayed.parts_of(record).unwrap();
        let of_kinds = snapshot.keys().filter(|key| kinds.contains(&key.kind));
        let wanted: Vec<_> = keys.into_iter().chain(of_kinds.copied()).collect();
        for key in wanted {
            if loaded.insert(key)
                && let Some(part) = snapshot.get(&key)
            {
                replayed.load(key, part).unwrap();
            }
        }
        replayed.control(record).unwrap();
    }
    let changed = replayed.take_changed().into_iter();
    let saved: BTreeMap<_, _> = changed
        .map(|key| (key, replayed.save(key).unwrap()))
        .collect();
    for (key, part) in saved.clone() {
        match part {
            Some(part) => snapshot.insert(key, part),
            None => snapshot.remove(&key),
        };
    }
    saved
}

#[test]
fn what_is_gone_has_no_part_any_more() {
    let mut snapshot = BTreeMap::new();
    let group = Name::new("group").unwrap();
    let committed = GroupRecord::Committed {
        offsets: Vec::new(),
        at: Timestamp(1),
    };
    let emptied = GroupRecord::Emptied {
        generation: 1,
        protocol_type: "consumer".into(),
        at: Timestamp(1),
    };
    let of_group = |record| Record::Group(group.clone(), record).store(Vec::new());
    let records = [open(1), open(2), of_group(committed), of_group(emptied)];
    checkpoint(&mut snapshot, &records);
    assert_eq!(snapshot.len(), 4);
    let gone = [record(1, LogRecord::Closed), of_group(GroupRecord::Deleted)];
    let saved = checkpoint(&mut snapshot, &gone);
    assert_eq!(saved.len(), 3);
    let left: Vec<_> = snapshot.into_keys().collect();
    assert_eq!(left, [HEADER_KEY, log_key(2)]);
}

#[test]
fn a_record_of_all_logs_changes_also_those_that_it_removes() {
    let mut snapshot = BTreeMap::new();
    let volatile = LogRecord::Opened {
        config: LogConfig {
            partitions: 1,
            durability: Durability::Volatile,
            retention: Retention::QUEUE,
            lifetime: Lifetime::default(),
            queue: None,
        },
        at: Timestamp(1),
    };
    checkpoint(&mut snapshot, &[open(1), record(2, volatile)]);
    // The start of a process, in the first form.
    let saved = checkpoint(&mut snapshot, &[vec![6]]);
    assert_eq!(saved[&log_key(2)], None);
    assert!(saved[&log_key(1)].is_some());
}

#[test]
fn a_catalogue_in_one_piece_becomes_parts_by_any_change() {
    let key = |kind, id| PartKey { kind, id };
    // Three changes, the next log is 500, no definitions, only the default virtual host.
    let whole = vec![0x82, 3, 0xf4, 3, 0, 1, 1, b'/', 0];
    let mut snapshot = BTreeMap::from([(key(WHOLE_CATALOGUE, 0), whole)]);
    checkpoint(&mut snapshot, &[open(1)]);
    assert!(snapshot.contains_key(&key(WHOLE_CATALOGUE, 0)));
    let definition = LogDefinition {
        id: LogId(500),
        vhost: Name::vhost_default(),
        name: Name::new("log").unwrap(),
        config: CONFIG,
        facets: BTreeMap::new(),
        created: Timestamp(1),
        modified: Timestamp(1),
    };
    let defined = CatalogueRecord::LogDefined(Box::new(definition));
    checkpoint(
        &mut snapshot,
        &[Record::Catalogue(defined).store(Vec::new())],
    );
    let kinds: Vec<_> = snapshot.keys().map(|key| (key.kind, key.id)).collect();
    let parts = [(CATALOGUE, 0), (EXCHANGES, 0), (DEFINITIONS, 500 / 64)];
    assert_eq!(kinds, [&[(HEADER, 0), (LOG, 1)], &parts[..]].concat());
}

#[test]
fn each_part_has_a_key_of_its_own() {
    let parts = [
        StatePart::Header,
        StatePart::WholeCatalogue,
        StatePart::Catalogue,
        StatePart::Exchanges,
        StatePart::Definitions(0),
        StatePart::Bindings(u64::MAX),
        StatePart::Log(LogId(0)),
        StatePart::Log(LogId(u64::MAX)),
        StatePart::Groups(0),
        StatePart::Groups(255),
    ];
    for part in parts {
        assert_eq!(part_at(key_of(part)).unwrap(), part);
    }
    let unknown = PartKey { kind: 9, id: 7 };
    let refused = Replayed::default().load(unknown, &[]).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the snapshot has a part 7 of kind 9, which this stele doesn't know"
    );
}
