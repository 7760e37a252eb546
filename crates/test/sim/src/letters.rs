//! Queues that records leave by themselves, where their dead letters go, and what a dead letter
//! looks like on its way.
//!
//! ```text
//!  mortal ───────┐
//!  by-bytes ─────┼──────────► graves
//!  burying ──────┤                        round-a ──► round-b
//!   └► refusing ─┘                           ▲           │
//!  short, fading ──► nowhere                 └───────────┘
//! ```

use std::hash::{DefaultHasher, Hash, Hasher};

use stele_base_types::{LogId, Offset, PartitionId, Timestamp};
use stele_core_broker::{Deaths, Died, name_of};
use stele_core_engine::{Catalogue, DeathReason, DeathReasons, LedgerConfig, Overflow};
use stele_wire_batch::Record;

use crate::event::{Death, Event, Letter, RecordId};

/// The names of these queues, and of the one where most of their letters end.
pub(crate) const NAMES: [&str; 9] = [
    "mortal", "round-a", "round-b", "short", "refusing", "burying", "by-bytes", "fading", "graves",
];

/// How a queue of this name schedules records.
pub(crate) fn config(name: &str) -> Option<LedgerConfig> {
    let plain = LedgerConfig::PLAIN;
    let all = LedgerConfig {
        dead_letters: DeathReasons::ALL,
        ..plain
    };
    Some(match name {
        "mortal" => LedgerConfig {
            deliveries_max: Some(2),
            ..all
        },
        "round-a" => LedgerConfig {
            expiry_ms: Some(6_000),
            ..all
        },
        "round-b" => LedgerConfig {
            ready_max: Some(3),
            ..all
        },
        "short" => LedgerConfig {
            ready_max: Some(4),
            ..plain
        },
        "refusing" => LedgerConfig {
            ready_max: Some(4),
            overflow: Overflow::RefuseNew,
            dead_letters: DeathReasons::only(DeathReason::Rejected),
            ..plain
        },
        "burying" => LedgerConfig {
            expiry_ms: Some(8_000),
            ready_max: Some(3),
            overflow: Overflow::RefuseAsDead,
            ..all
        },
        "by-bytes" => LedgerConfig {
            ready_bytes_max: Some(300),
            dead_letters: DeathReasons::only(DeathReason::Length),
            ..plain
        },
        "fading" => LedgerConfig {
            expiry_ms: Some(5_000),
            ..plain
        },
        "graves" => plain,
        _ => return None,
    })
}

/// The queues that get the dead letters of a queue.
pub(crate) fn addressees(name: &str) -> &'static [&'static str] {
    match name {
        "mortal" | "by-bytes" | "refusing" => &["graves"],
        "burying" => &["graves", "refusing"],
        "round-a" => &["round-b"],
        "round-b" => &["round-a"],
        _ => &[],
    }
}

/// Why records may leave a queue without anybody's settling them; none for most queues.
pub(crate) fn leaves_by_itself(queue: &LedgerConfig) -> DeathReasons {
    let mut reasons = DeathReasons::NONE;
    if queue.expiry_ms.is_some() {
        reasons = reasons.and(DeathReason::Expired);
    }
    if queue.deliveries_max.is_some() {
        reasons = reasons.and(DeathReason::Deliveries);
    }
    if queue.overflow == Overflow::DropOldest && is_limited(queue) {
        reasons = reasons.and(DeathReason::Length);
    }
    reasons
}

/// Whether a queue limits what is ready.
pub(crate) fn is_limited(queue: &LedgerConfig) -> bool {
    queue.ready_max.or(queue.ready_bytes_max).is_some()
}

/// Whether a queue may refuse new records for its length.
pub(crate) fn may_refuse(queue: &LedgerConfig) -> bool {
    queue.overflow != Overflow::DropOldest && is_limited(queue)
}

/// Where a dead letter goes, with its history; `None` if nowhere. It isn't sent round in a circle.
pub(crate) fn letter_of(
    catalogue: &Catalogue,
    log: LogId,
    reason: DeathReason,
    record: &Record,
    at: Timestamp,
) -> Option<stele_core_broker::Letter> {
    let queue = catalogue.log_by_id(log)?;
    let mut deaths = Deaths::of(record).unwrap_or_default();
    let died = Died {
        queue: queue.name.as_str().to_owned(),
        reason: name_of(reason).to_owned(),
        exchange: String::new(),
    };
    deaths.add(stele_core_broker::Death::new(died, Vec::new(), at));
    let names = addressees(queue.name.as_str()).iter();
    let names = names.filter(|name| deaths.may_go_to(name));
    let targets = names.filter_map(|name| catalogue.log(queue.vhost.as_str(), name));
    let targets: Vec<LogId> = targets.map(|target| target.id).collect();
    (!targets.is_empty()).then_some(stele_core_broker::Letter {
        targets,
        deaths,
        ..Default::default()
    })
}

/// The body of a record: its id, and bytes that only this record has in this order.
pub(crate) fn body_of(record: RecordId, padding: usize) -> Vec<u8> {
    let mut body = record.0.to_le_bytes().to_vec();
    body.extend((0..padding).map(|at| filler(record, at)));
    body
}

fn filler(record: RecordId, at: usize) -> u8 {
    (record.0 as usize).wrapping_mul(31).wrapping_add(at) as u8
}

/// Whether a body is that of the record which it begins with, as far as it goes.
fn is_own_body(body: &[u8]) -> bool {
    let Some((id, padding)) = body.split_first_chunk::<8>() else {
        return false;
    };
    let record = RecordId(u64::from_le_bytes(*id));
    let mut padding = padding.iter().enumerate();
    padding.all(|(at, byte)| *byte == filler(record, at))
}

/// The header with the id of a record that a client has moved.
pub(crate) const MOVED_AS: &[u8] = b"moved as";

/// The id of a record: in a header if a client has moved it, else in its value.
fn published_as(record: &Record) -> RecordId {
    let mut headers = record.headers.iter();
    let moved = headers.find(|header| header.key == MOVED_AS);
    let said = moved.map_or(record.value.as_deref(), |header| header.value);
    let bytes = said.and_then(|said| said.first_chunk::<8>());
    RecordId(bytes.map_or(u64::MAX, |bytes| u64::from_le_bytes(*bytes)))
}

/// The id of a record: as it was published or moved by a client or, if it has died since, one that
/// its history gives it.
pub(crate) fn record_of(record: &Record) -> RecordId {
    match deaths_of(record) {
        deaths if deaths.is_empty() => published_as(record),
        deaths => id_of(published_as(record), &deaths),
    }
}

/// The sight of a record that has died before, for the laws.
pub(crate) fn sight_of(record: &Record, partition: PartitionId, offset: Offset) -> Option<Event> {
    let deaths = deaths_of(record);
    if deaths.is_empty() {
        return None;
    }
    let body = record.value.as_deref().unwrap_or_default();
    let original = published_as(record);
    Some(Event::Letter(Letter {
        record: id_of(original, &deaths),
        original,
        deaths,
        partition,
        offset,
        is_own_body: is_own_body(body),
        body_bytes: body.len() as u64,
        timestamp: record.timestamp,
    }))
}

fn deaths_of(record: &Record) -> Vec<Death> {
    let known = Deaths::of(record).unwrap_or_default().deaths.into_iter();
    let deaths = known.map(|death| Death {
        queue: death.died.queue.into(),
        reason: death.died.reason.into(),
        count: death.count,
    });
    deaths.collect()
}

/// The id of a record that has died this often, in any order: it ascends no further than half of
/// all numbers, which are for records that never died.
pub(crate) fn id_of(original: RecordId, deaths: &[Death]) -> RecordId {
    if deaths.is_empty() {
        return original;
    }
    let mut deaths: Vec<&Death> = deaths.iter().collect();
    deaths.sort_unstable();
    let mut hasher = DefaultHasher::new();
    (original.0, deaths).hash(&mut hasher);
    RecordId(hasher.finish() | 1 << 63)
}

/// The reason of a death.
pub(crate) fn reason_of(death: &Death) -> Option<DeathReason> {
    let mut all = DeathReason::ALL.into_iter();
    all.find(|reason| name_of(*reason) == &*death.reason)
}
