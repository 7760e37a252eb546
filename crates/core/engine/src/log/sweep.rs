//! Removes what a closed log or ledger leaves, piece by piece: waiters are notified, and index
//! entries are removed.
//!
//! ```text
//!  Closed ─► closing ── Swept: waits … ── Swept: leases, delays … ── Swept: consumers … ─► dropped
//! ```
//!
//! The log itself is removed by `Closed`. What is left isn't in snapshots, and only affects what
//! other logs of the same pools may hand out: sweeping the leases frees room in the pools.
//! Consumers are swept last, since this frees the room through them. A deadline of a swept log is
//! handled by sweeping.

use std::collections::BTreeMap;

use stele_base_types::LogId;

use super::{Log, LogError, LogRecord, Logs, index::Indexes, ledger::Site};
use crate::{Decision, Record, limits::SWEEP_MAX};

impl Logs {
    /// Whether something is left of closed logs. Constant time.
    pub fn has_closing(&self) -> bool {
        !self.closing.is_empty()
    }

    /// Sweeps a piece of what is left of a log.
    pub(crate) fn sweep(&self) -> Decision {
        let closing = self.closing.keys().next();
        let sweep = closing.and_then(|log| self.sweep_log(*log));
        sweep.unwrap_or_else(Decision::nothing)
    }

    /// Sweeps a piece of what is left of this log, if anything is.
    pub(super) fn sweep_log(&self, id: LogId) -> Option<Decision> {
        let log = self.closing.get(&id)?;
        let ledger = log.ledgers.last();
        let error = match self.log(id) {
            Some(_) => LogError::NoSuchLedger,
            None => LogError::NoSuchLog,
        };
        Some(Decision {
            effects: ledger
                .map(|ledger| ledger.to_tell(error))
                .unwrap_or_default(),
            ..Decision::record(Record::Log(id, LogRecord::Swept))
        })
    }

    pub(super) fn apply_swept(&mut self, id: LogId) {
        if let Some(log) = self.closing.get_mut(&id)
            && log.sweep(id, &mut self.indexes)
        {
            self.closing.remove(&id);
        }
    }

    /// Sweeps everything that is left of a log, because its id is opened again.
    pub(super) fn sweep_all(&mut self, id: LogId) {
        while self.closing.contains_key(&id) {
            self.apply_swept(id);
        }
    }
}

impl Log {
    /// Returns whether nothing is left.
    fn sweep(&mut self, id: LogId, indexes: &mut Indexes) -> bool {
        let mut left = SWEEP_MAX;
        if let Some(ledger) = self.ledgers.last_mut() {
            let mut site = Site {
                log: id,
                ledger: ledger.id(),
                indexes,
            };
            if ledger.sweep(&mut left, &mut site) {
                self.ledgers.pop();
            } else {
                left = 0;
            }
            self.count_bodies(indexes);
        }
        if left == 0 || !self.ledgers.is_empty() {
            return false;
        }
        self.deduplication.shed(&mut left);
        self.count_ids(indexes);
        while left > 0
            && let Some(partition) = self.partitions.last_mut()
        {
            partition.producers.shed(&mut left);
            if left > 0 {
                self.partitions.pop();
                left -= 1;
            }
        }
        left > 0
    }
}

/// Removes up to `left` entries, in order: even freeing a million entries at once takes long.
pub(super) fn shed<K: Ord, V>(map: &mut BTreeMap<K, V>, left: &mut usize) {
    while *left > 0 && map.pop_first().is_some() {
        *left -= 1;
    }
}
