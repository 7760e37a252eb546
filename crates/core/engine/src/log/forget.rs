//! Removing expired entries (deduplication ids, producers, attempts), piece by piece.
//!
//! ```text
//!   deduplication ids, oldest first ► producers of each partition, by id ► attempts of each ledger
//!   └── ForgottenSome ──┘└── ForgottenSome ──┘ …                      all examined: reschedule
//! ```
//!
//! The start of the next piece isn't stored: each record contains its own start, and a new process
//! begins at the front. Lookups ignore expired entries, whether or not they were removed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use stele_base_types::{LogId, PartitionIndex, ProducerId, Timestamp};

use super::{LedgerId, Log, LogRecord, Logs};
use crate::{Decision, Record, limits::FORGET_MAX};

/// A position among these entries, in the order in which they are examined.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Remembered {
    /// The oldest deduplication id.
    #[default]
    Ids,
    /// The first producer of a partition at or after this one.
    Producer(PartitionIndex, ProducerId),
    /// The first attempt on a ledger at or after this one.
    Attempt(LedgerId, u128),
}

impl Logs {
    /// Examines some of a log's entries.
    pub(super) fn forget_some(&self, log: LogId, now: Timestamp) -> Decision {
        let from = self.log(log).map(|known| known.forget_from);
        let record = LogRecord::ForgottenSome {
            at: now,
            from: from.unwrap_or_default(),
        };
        Decision::record(Record::Log(log, record))
    }

    pub(super) fn apply_forgotten_some(&mut self, id: LogId, at: Timestamp, from: Remembered) {
        let Some(log) = self.logs.get_mut(&id) else {
            return;
        };
        let rest = log.forget(at, from);
        log.forget_from = rest.unwrap_or_default();
        log.unplan_forgetting(id, &mut self.indexes);
        let period_ms = match rest {
            Some(_) => Some(0),
            None => log.forgetting_period_ms(),
        };
        log.plan_forgetting(id, at, period_ms, &mut self.indexes);
    }
}

impl Log {
    /// Examines a bounded number of entries from a position on. Returns the next position; `None`
    /// after the last one.
    fn forget(&mut self, at: Timestamp, mut from: Remembered) -> Option<Remembered> {
        let mut left = FORGET_MAX;
        while left > 0 {
            from = self.forget_from(at, from, &mut left)?;
        }
        Some(from)
    }

    /// Examines one kind of entries, in one partition or ledger.
    fn forget_from(
        &mut self,
        at: Timestamp,
        from: Remembered,
        left: &mut usize,
    ) -> Option<Remembered> {
        match from {
            Remembered::Ids => {
                self.deduplication.forget_some(at, left);
                let first = Remembered::Producer(PartitionIndex(0), ProducerId(0));
                Some(if *left > 0 { first } else { from })
            }
            Remembered::Producer(index, first) => {
                let Some(partition) = self.partition_mut(index) else {
                    return Some(Remembered::Attempt(LedgerId(0), 0));
                };
                *left -= 1;
                let rest = partition.producers.forget_some(at, first, left);
                let next = PartitionIndex(index.0 + 1);
                Some(match rest {
                    Some(rest) => Remembered::Producer(index, rest),
                    None => Remembered::Producer(next, ProducerId(0)),
                })
            }
            Remembered::Attempt(id, first) => {
                let ledgers = self.ledgers.iter_mut();
                let ledger = ledgers
                    .filter(|ledger| ledger.id() >= id)
                    .min_by_key(|ledger| ledger.id())?;
                let first = if ledger.id() == id { first } else { 0 };
                let rest = ledger.attempts.forget_some(at, first, left);
                Some(match rest {
                    Some(rest) => Remembered::Attempt(ledger.id(), rest),
                    None => Remembered::Attempt(LedgerId(ledger.id().0.checked_add(1)?), 0),
                })
            }
        }
    }
}

/// If there are more than `max` entries, removes the oldest tenth of them.
pub(super) fn drop_oldest<K: Ord + Copy, V>(
    map: &mut BTreeMap<K, V>,
    max: usize,
    at: impl Fn(&V) -> Timestamp,
) {
    if map.len() <= max {
        return;
    }
    let mut by_age: Vec<(Timestamp, K)> = map.iter().map(|(key, it)| (at(it), *key)).collect();
    let count = max / 10 + 1;
    by_age.select_nth_unstable(count - 1);
    for (_, key) in &by_age[..count] {
        map.remove(key);
    }
}

/// Removes expired entries among up to `left` entries from `first` on. Returns where to continue,
/// with an entry that exists; `None` if there are no others.
pub(super) fn look_through<K: Ord + Copy, V>(
    map: &mut BTreeMap<K, V>,
    first: K,
    left: &mut usize,
    is_old: impl Fn(&V) -> bool,
) -> Option<K> {
    let entries = map.range(first..).take(*left);
    let looked_at: Vec<(K, bool)> = entries.map(|(key, it)| (*key, is_old(it))).collect();
    *left -= looked_at.len();
    for (key, _) in looked_at.iter().filter(|(_, is_old)| *is_old) {
        map.remove(key);
    }
    let last = looked_at.last().map_or(first, |(key, _)| *key);
    (*left == 0).then_some(last)
}
