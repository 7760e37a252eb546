//! Messages that are due much later.
//!
//! ```text
//!  publish ─► log of the virtual host's name in `stele.internal`
//!               partition 0    33 s ─► expires ─┐
//!               partition 1    66 s ─► expires ─┤  moved by the task of dead letters:
//!               …                               │   still far: to the partition for what is left
//!               partition 27   139 y ─► expires ┘   near: to its queues, with a delay for the rest
//! ```
//!
//! Queues list each message that they hold back, in memory and until it is due, and keep the disk
//! space behind it. So they hold messages back for a minute at most. Before that, a message waits
//! in a log of its own, where nothing is known of a single message: all messages of a partition
//! live equally long, so they expire in the order in which they arrived, a hundred stretches
//! describe them all, and none of them holds the disk space of another. A message may expire a
//! hundredth of its time too late, so each stay ends well before the message is due. A stay takes
//! at least half of the time that is left: a day needs five stays on average, a year ten.
//!
//! When a message is due is a time, which moves don't change; so it isn't late after many of them,
//! and a restart changes nothing.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use stele_base_types::{LogId, Name, Timestamp, VHOST_INTERNAL};
use stele_core_engine::{
    Adopt, Catalogue, CatalogueError, DeathReason, DeathReasons, DeclareLog, Durability,
    HeaderChange, LedgerConfig, Lifetime, LogConfig, LogDefinition, Retention, Schedule,
};
use stele_wire_batch::Record;

use crate::{Broker, DeadLetterRoutes, Error, Letter};

/// The header that says when a scheduled message is due, as JSON.
pub const SCHEDULED_HEADER: &str = "stele.scheduled";

/// The longest time for which queues hold a message back by themselves, in milliseconds.
pub const HELD_MS_MAX: u64 = 60_000;

/// The longest time after which a message may be due, in milliseconds: a hundred years.
pub const SCHEDULED_MS_MAX: u64 = 100 * 365 * 24 * 60 * 60 * 1_000;

/// How long before a message is due its last stay ends at the latest, in milliseconds: the time for
/// moving it to its queues.
const MARGIN_MS: u64 = 10_000;

/// The duration of the shortest stay is 2 to the power of this, in milliseconds. Each next one
/// takes twice as long.
const SHORTEST_LOG2: u32 = 15;

/// The number of different stays, each with a partition of its own.
const STAYS: u32 = 28;

/// The facet of the logs that hold scheduled messages.
const FACET: &str = "scheduled";

/// When a scheduled message is due, and where it goes then besides its exchange and its key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Scheduled {
    /// When it is due, in milliseconds since 1970.
    pub due_ms: i64,
    /// Further keys that it is routed by.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub more_keys: Vec<String>,
    /// Whether it goes to all queues that it is routed to, not only to those behind an exchange
    /// that delays.
    #[serde(default)]
    pub delays_all: bool,
    /// The logs that have got it already, while others were full.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub taken: Vec<LogId>,
}

impl Scheduled {
    /// What a record of the log says.
    fn of(record: &Record) -> Option<Self> {
        serde_json::from_slice(record.headers.last(SCHEDULED_HEADER)?).ok()
    }

    /// The value of the header.
    pub fn value(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// The change of the headers that records it.
    pub fn header(&self) -> HeaderChange {
        HeaderChange {
            key: SCHEDULED_HEADER.as_bytes().into(),
            value: Some(self.value().into()),
        }
    }

    /// When it is due.
    pub fn due(&self) -> Timestamp {
        Timestamp(self.due_ms)
    }
}

/// The next stay of a message that is due in this time: its partition, as a priority, and how long
/// it lives there. `None` if its queues hold it back until then.
pub fn next_stay(left_ms: u64) -> Option<Schedule> {
    if left_ms <= HELD_MS_MAX {
        return None;
    }
    // It lives up to a hundredth longer.
    let longest_ms = (left_ms - MARGIN_MS) / 101 * 100;
    let stay = longest_ms.ilog2().saturating_sub(SHORTEST_LOG2);
    let stay = stay.min(STAYS - 1);
    Some(Schedule {
        priority: u8::try_from(stay).ok(),
        expiry_ms: Some(1 << (SHORTEST_LOG2 + stay)),
        ..Schedule::default()
    })
}

impl Broker {
    /// The log for the scheduled messages of a virtual host. It is created with the first one.
    pub async fn scheduled_log(&self, vhost: &Name) -> Result<LogId, Error<CatalogueError>> {
        if let Some(log) = scheduled_log(&self.catalogue(), vhost) {
            return Ok(log);
        }
        let declared = self.declare_log(declaration(vhost)).await?;
        Ok(declared.definition().id)
    }
}

/// The log for the scheduled messages of a virtual host, if it exists.
pub fn scheduled_log(catalogue: &Catalogue, vhost: &str) -> Option<LogId> {
    Some(catalogue.log(VHOST_INTERNAL, vhost)?.id)
}

/// Whether a log holds scheduled messages.
pub(crate) fn is_scheduled(log: &LogDefinition) -> bool {
    &*log.vhost == VHOST_INTERNAL
}

/// Where a message goes whose stay has ended. `None` if nothing takes it any more.
pub(crate) fn onward(
    catalogue: &Catalogue,
    log: &LogDefinition,
    record: &Record,
    now: Timestamp,
    routes: &[Box<dyn DeadLetterRoutes>],
) -> Option<Letter> {
    let scheduled = Scheduled::of(record)?;
    let left_ms = scheduled.due().since_ms(now);
    if let Some(schedule) = next_stay(left_ms) {
        return Some(Letter {
            schedule,
            ..Letter::back_to(log.id)
        });
    }
    let mut routes = routes.iter();
    let letter = routes.find_map(|it| it.release(catalogue, &log.name, record, &scheduled));
    letter.map(|mut letter| {
        letter.targets.retain(|log| !scheduled.taken.contains(log));
        letter.schedule.due = Some(scheduled.due());
        letter.headers.push(HeaderChange {
            key: SCHEDULED_HEADER.as_bytes().into(),
            value: None,
        });
        letter
    })
}

/// Whether a letter is due later than its targets would hold it back.
pub(crate) fn is_far(letter: &Letter, now: Timestamp) -> bool {
    let left_ms = letter.schedule.due.map_or(0, |due| due.since_ms(now));
    left_ms > HELD_MS_MAX && !letter.targets.is_empty()
}

/// Another stay, as short as any, in the log for scheduled messages, of a message for full queues.
/// Notes the logs that have got it in this stay.
pub(crate) fn shortly(log: LogId, record: &Record, copied: &[LogId]) -> Letter {
    let mut letter = Letter {
        schedule: next_stay(HELD_MS_MAX + 1).unwrap_or_default(),
        ..Letter::back_to(log)
    };
    if !copied.is_empty()
        && let Some(mut scheduled) = Scheduled::of(record)
    {
        scheduled.taken.extend(copied);
        letter.headers.push(scheduled.header());
    }
    letter
}

/// The letter through the log for scheduled messages, from which it is routed again.
pub(crate) fn through(log: LogId, mut letter: Letter, now: Timestamp) -> Letter {
    let due = letter.schedule.due.unwrap_or(now);
    let scheduled = Scheduled {
        due_ms: due.0,
        delays_all: true,
        ..Scheduled::default()
    };
    letter.headers.push(scheduled.header());
    Letter {
        targets: vec![log],
        schedule: next_stay(due.since_ms(now)).unwrap_or_default(),
        ..letter
    }
}

fn declaration(vhost: &Name) -> DeclareLog {
    let queue = LedgerConfig {
        dead_letters: DeathReasons::only(DeathReason::Expired),
        by_priority: true,
        ..LedgerConfig::PLAIN
    };
    DeclareLog {
        vhost: Name::vhost_internal(),
        name: vhost.clone(),
        config: LogConfig {
            partitions: STAYS,
            durability: Durability::Synced,
            retention: Retention::QUEUE,
            lifetime: Lifetime::default(),
            queue: Some(queue),
        },
        adopt: Adopt::default(),
        facet: FACET.into(),
        settings: BTreeMap::new(),
    }
}

#[cfg(test)]
mod tests;
