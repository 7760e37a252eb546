//! Retention: where partitions start.

use stele_base_types::{LogId, Offset, PartitionId, PartitionIndex, Timestamp};

use super::{
    Log, LogError, Logs, Partition,
    clear::{Clearing, Scope},
    ledger::Site,
};
use crate::{Command, Decision, State};

/// Removes the records before `to`; for retention, only as far as it allows. Returns the
/// partition's new start.
#[derive(Clone, Copy, Debug)]
pub struct Trim {
    /// The partition.
    pub partition: PartitionId,
    /// The first offset to keep.
    pub to: Offset,
    /// The reason.
    pub reason: TrimReason,
}

/// Why records are removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrimReason {
    /// Requested (Kafka DeleteRecords): the records before are settled, whether or not they are
    /// needed.
    Asked,
    /// Retention, which stops at the oldest record that is still needed.
    Retention {
        /// Groups hold back nothing before this offset.
        held_from: Offset,
    },
}

impl Command for Trim {
    type Reply = Offset;
    type Error = LogError;

    fn decide(self, state: &State, _now: Timestamp) -> Result<Decision<Offset>, LogError> {
        let PartitionId { log, index, .. } = self.partition;
        let known = state.logs.known(log)?;
        let partition = known.partition(index).ok_or(LogError::NoSuchPartition)?;
        if self.to > partition.committed {
            return Err(LogError::OffsetOutOfRange {
                offset: self.to,
                start: partition.start,
                end: partition.committed,
            });
        }
        let needed = match self.reason {
            TrimReason::Asked => None,
            TrimReason::Retention { held_from } => known.needed_from(index, held_from),
        };
        let to = needed.map_or(self.to, |needed| self.to.min(needed));
        if to <= partition.start {
            return Ok(Decision::reply(partition.start));
        }
        let clearing = Clearing {
            scope: Scope::Trim,
            ends: [(index, to)].into_iter().collect(),
        };
        let decision = state.logs.begin_to_clear(log, known, clearing);
        Ok(decision.answered(to))
    }

    fn clears(&self) -> Option<LogId> {
        Some(self.partition.log)
    }
}

impl Logs {
    /// The first offset of a partition that must be kept, given the start of its retention window
    /// (`Offset::ZERO` keeps everything; ignored if the log has no window) and the offset before
    /// which groups hold back nothing.
    pub fn keep_from(&self, partition: PartitionId, window: Offset, held_from: Offset) -> Offset {
        let Some(log) = self.log(partition.log) else {
            return Offset::ZERO;
        };
        let known = log.partition(partition.index);
        known.map_or(Offset::ZERO, |known| {
            log.keep_from(partition.index, known, window, held_from)
        })
    }

    pub(super) fn apply_cleared(&mut self, id: LogId, index: PartitionIndex, to: Offset) {
        let Some(log) = self.logs.get_mut(&id) else {
            return;
        };
        if let Some(partition) = log.partition_mut(index) {
            partition.start = partition.start.max(to);
            partition.sizes.forget_before(partition.start);
        }
        for ledger in &mut log.ledgers {
            let mut site = Site {
                log: id,
                ledger: ledger.id(),
                indexes: &mut self.indexes,
            };
            ledger.apply_trimmed(index, to, &mut site);
        }
    }
}

impl Log {
    fn keep_from(
        &self,
        index: PartitionIndex,
        partition: &Partition,
        window: Offset,
        held_from: Offset,
    ) -> Offset {
        let windowed = self.config.retention.window.map(|_| window);
        let kept = [windowed, self.needed_from(index, held_from)];
        let first = kept.into_iter().flatten().min();
        // Never removes what isn't durable, and never moves the start back.
        first
            .unwrap_or(partition.committed)
            .clamp(partition.start, partition.committed.max(partition.start))
    }

    /// The oldest record that a ledger or a group needs, if records are kept until acknowledged. As
    /// long as no ledger has been opened, all are needed.
    fn needed_from(&self, index: PartitionIndex, held_from: Offset) -> Option<Offset> {
        if !self.config.retention.until_acknowledged {
            return None;
        }
        let floors = self.ledgers.iter().filter_map(|ledger| ledger.floor(index));
        let start = self.partition(index).map(|partition| partition.start);
        let settled = floors.min().or(start)?;
        let unread = self.first_unread(index);
        Some(unread.map_or(settled, |unread| settled.min(unread.max(held_from))))
    }
}
