//! Settling many listed records without a lease, in pieces.
//!
//! ```text
//!  Purge, Trim ── little is listed ─► Purged, Cleared or Trimmed, up to the end
//!              └─ much ─► a piece, and Clearing: what is left ── a piece … ── Clearing: nothing
//! ```
//!
//! Records that were never handed out aren't listed, so most of a purge costs nothing. While a log
//! is being cleared, none of its records are handed out, and requests for it wait: see
//! [`Logs::is_owed`]. If the process ends before that, the request is unanswered and the rest stays
//! as it was.

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use stele_base_types::{LogId, Offset, PartitionId, PartitionIndex};

use super::{LedgerId, Log, LogRecord, Logs, ledger::ledger_record};
use crate::{Decision, Effect, LedgerRecord, Record, limits::SWEEP_MAX};

/// Partitions, each with the first record that isn't affected.
pub(crate) type Ends = SmallVec<[(PartitionIndex, Offset); 1]>;

/// What is to be settled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Clearing {
    pub(crate) scope: Scope,
    pub(crate) ends: Ends,
}

/// Which of the records before the ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Scope {
    /// Those that a ledger hasn't leased.
    Unleased(LedgerId),
    /// All of a ledger.
    Ledger(LedgerId),
    /// All of all ledgers; the records before the ends are also removed.
    Trim,
}

impl Log {
    /// Settles this, or a piece of it; returns what is left.
    fn clear(&self, log: LogId, clearing: &Clearing) -> (Decision, Option<Clearing>) {
        let (ends, left) = self.piece(clearing);
        let mut decision = clearing.scope.settle(log, ends);
        decision.durability = self.config.durability;
        (decision, left)
    }

    /// How far one piece goes, and what is left after it.
    fn piece(&self, clearing: &Clearing) -> (Ends, Option<Clearing>) {
        let Clearing { scope, ends } = clearing;
        let mut listed = SWEEP_MAX;
        let mut piece = Ends::new();
        for (done, (partition, to)) in ends.iter().enumerate() {
            let ledgers = self.ledgers.iter();
            let cleared = ledgers.filter(|ledger| scope.holds(ledger.id()));
            let reached = cleared.fold(*to, |to, ledger| {
                ledger.reach(*partition, to, scope.is_of_leased(), &mut listed)
            });
            piece.push((*partition, reached));
            if reached < *to {
                let left = Clearing {
                    scope: *scope,
                    ends: ends.iter().skip(done).copied().collect(),
                };
                return (piece, Some(left));
            }
        }
        (piece, None)
    }

    /// Forgets the deduplication ids of messages that a purge of the queue removed, so that a
    /// message sent again is delivered.
    pub(super) fn forget_purged(&mut self, ends: &Ends) {
        for (index, to) in ends {
            let queue = self.ledger(LedgerId::DEFAULT);
            let kept = queue.and_then(|queue| queue.kept_before(*index, *to));
            if let Some(partition) = self.partition_mut(*index) {
                partition.purged = partition.purged.max(kept.unwrap_or(*to));
            }
        }
    }
}

impl Scope {
    fn holds(self, ledger: LedgerId) -> bool {
        match self {
            Self::Unleased(cleared) | Self::Ledger(cleared) => cleared == ledger,
            Self::Trim => true,
        }
    }

    fn is_of_leased(self) -> bool {
        !matches!(self, Self::Unleased(_))
    }

    fn settle(self, log: LogId, ends: Ends) -> Decision {
        match self {
            Self::Unleased(ledger) => settled(log, ledger, &ends, LedgerRecord::Purged),
            Self::Ledger(ledger) => settled(log, ledger, &ends, LedgerRecord::Cleared),
            Self::Trim => {
                let mut decision = Decision::nothing();
                for (partition, to) in ends {
                    let trimmed = LogRecord::Trimmed { partition, to };
                    decision.records.push(Record::Log(log, trimmed));
                    let partition = PartitionId {
                        log,
                        index: partition,
                    };
                    decision.effects.push(Effect::Trimmed(partition));
                }
                decision
            }
        }
    }
}

fn settled(
    log: LogId,
    ledger: LedgerId,
    ends: &Ends,
    record: fn(Ends) -> LedgerRecord,
) -> Decision {
    let mut decision = Decision::record(ledger_record(log, ledger, record(ends.clone())));
    let partitions = ends.iter().map(|(index, _)| PartitionId::new(log, *index));
    decision.effects.extend(partitions.map(Effect::Purged));
    decision
}

impl Logs {
    /// Settles this, in pieces if it is much, and after what is already being cleared.
    pub(super) fn begin_to_clear(&self, log: LogId, known: &Log, clearing: Clearing) -> Decision {
        if let Some(begun) = self.clearing.get(&log) {
            let all = begun.iter().chain([&clearing]);
            let record = to_clear(log, all.cloned().collect());
            return Decision::change(record, (), known.config.durability);
        }
        let (mut decision, left) = known.clear(log, &clearing);
        let left = left.map(|left| to_clear(log, vec![left]));
        decision.records.extend(left);
        decision
    }

    /// A log that is being cleared.
    pub(super) fn cleared_log(&self) -> Option<LogId> {
        self.clearing.keys().next().copied()
    }

    pub(super) fn is_cleared(&self, log: LogId) -> bool {
        self.clearing.contains_key(&log)
    }

    /// The next piece of clearing a log.
    pub(super) fn clear_some(&self, log: LogId) -> Decision {
        let clearing = self.clearing.get(&log).and_then(|all| all.split_first());
        let Some((known, (first, later))) = self.log(log).zip(clearing) else {
            return Decision::nothing();
        };
        let (mut decision, left) = known.clear(log, first);
        let left = left.into_iter().chain(later.iter().cloned());
        decision.records.push(to_clear(log, left.collect()));
        decision
    }

    pub(super) fn apply_clearing(&mut self, id: LogId, left: &[Clearing]) {
        if left.is_empty() {
            self.clearing.remove(&id);
        } else {
            self.clearing.insert(id, left.to_vec());
        }
    }
}

fn to_clear(log: LogId, left: Vec<Clearing>) -> Record {
    Record::Log(log, LogRecord::Clearing(left))
}
