//! Counts for operators.

use std::mem;

use stele_base_types::{LogId, PartitionId, PartitionIndex};
use stele_core_engine::{LedgerId, LogError, Record, StateBytes};
use stele_core_storage::Usage;
use tokio::sync::oneshot::Sender;

use super::Shard;
use crate::{LogStatus, PartitionStatus, limits::COUNTED_LOGS_MAX};

/// Totals of a shard since the process started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counters {
    appended_records: u64,
    appended_bytes: u64,
    journalled_records: u64,
}

/// The status of a shard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShardStatus {
    /// Records appended since the process started; counted once for each log.
    pub appended_records: u64,
    /// Bytes of batches appended since the process started, counted likewise.
    pub appended_bytes: u64,
    /// Changes journalled since the process started.
    pub journalled_records: u64,
    /// Logs.
    pub logs: u64,
    /// Sessions.
    pub sessions: u64,
    /// Ready records of default ledgers.
    pub ready: u64,
    /// Leased records of default ledgers.
    pub leased: u64,
    /// Delayed records of default ledgers.
    pub delayed: u64,
    /// Bytes that wait for the writer.
    pub backlog_bytes: u64,
    /// Whether publishes are refused because disk space is short.
    pub is_blocked: bool,
    /// Memory used by groups, for their members and offsets.
    pub groups_bytes: u64,
    /// Bytes that the rest of the state holds in memory.
    pub state_bytes: StateBytes,
    /// And what it may; 0 where there is no bound.
    pub state_bytes_max: StateBytes,
    /// Usage of the storage.
    pub usage: Usage,
}

/// A count of a shard's logs, done in pieces.
#[derive(Debug, Default)]
pub(super) struct Counting {
    /// Requests that arrived after this count began: they get the next one.
    asked: Vec<Sender<ShardStatus>>,
    /// Requests that get this count.
    answered: Vec<Sender<ShardStatus>>,
    sums: ShardStatus,
    /// The last log counted; `None` if no count is in progress.
    last: Option<LogId>,
}

impl Counters {
    pub(super) fn note(&mut self, record: &Record) {
        self.journalled_records += u64::from(record.is_journalled());
        if let Record::Appended {
            targets,
            count,
            size_bytes,
            ..
        } = record
        {
            let targets = targets.len() as u64;
            self.appended_records += targets * u64::from(*count);
            self.appended_bytes += targets * u64::from(*size_bytes);
        }
    }
}

impl Shard {
    pub(super) fn log_status(&self, id: LogId) -> Result<LogStatus, LogError> {
        let log = self.state.logs.log(id).ok_or(LogError::NoSuchLog)?;
        let partitions = (0..).map(PartitionIndex).zip(&log.partitions);
        let partitions = partitions.map(|(index, partition)| {
            let extent = self.index.extent(PartitionId::new(id, index));
            PartitionStatus {
                start: partition.start,
                committed: partition.committed,
                size_bytes: extent.map_or(0, |extent| extent.size_bytes),
            }
        });
        let partitions: Vec<_> = partitions.collect();
        Ok(match log.ledger(LedgerId::DEFAULT) {
            Some(ledger) => LogStatus {
                partitions,
                ready: ledger.ready(),
                ready_bytes: ledger.ready_bytes(),
                leased: ledger.leased(),
                moving: ledger.moving(),
                delayed: ledger.delayed(),
                consumers: ledger.consumers(),
                active: ledger.active_consumer(),
            },
            None => LogStatus {
                ready: partitions.iter().map(PartitionStatus::len).sum(),
                partitions,
                ..LogStatus::default()
            },
        })
    }

    /// Answers with the shard's counts, now or after some pieces of work.
    pub(super) fn count(&mut self, reply: Sender<ShardStatus>) {
        self.counting.asked.push(reply);
        if self.counting.last.is_none() {
            self.count_piece();
        }
    }

    /// Whether [`Shard::count_piece`] has work to do.
    pub fn has_count_piece(&self) -> bool {
        !self.counting.asked.is_empty() || self.counting.last.is_some()
    }

    /// Counts some more logs, and answers after the last one.
    pub fn count_piece(&mut self) {
        let counting = &mut self.counting;
        if counting.last.is_none() {
            counting.sums = ShardStatus::default();
            counting.answered = mem::take(&mut counting.asked);
        }
        let mut counted = 0;
        for (id, log) in self.state.logs.after(counting.last).take(COUNTED_LOGS_MAX) {
            counted += 1;
            counting.last = Some(id);
            counting.sums.logs += 1;
            if let Some(ledger) = log.ledger(LedgerId::DEFAULT) {
                counting.sums.ready += ledger.ready();
                counting.sums.leased += ledger.leased();
                counting.sums.delayed += ledger.delayed();
            }
        }
        if counted == COUNTED_LOGS_MAX {
            return;
        }
        counting.last = None;
        let asked = mem::take(&mut counting.answered);
        let status = self.status_with(self.counting.sums);
        for reply in asked {
            // The caller may have gone.
            let _ = reply.send(status);
        }
    }

    fn status_with(&self, sums: ShardStatus) -> ShardStatus {
        let groups = self.state.groups.bytes();
        ShardStatus {
            appended_records: self.counters.appended_records,
            appended_bytes: self.counters.appended_bytes,
            journalled_records: self.counters.journalled_records,
            sessions: self.sessions.len() as u64,
            backlog_bytes: self.backlog_bytes() as u64,
            is_blocked: self.is_blocked,
            groups_bytes: (groups.members + groups.offsets) as u64,
            state_bytes: self.state.bytes(),
            state_bytes_max: self.state.bounds(),
            usage: self.index.usage(),
            ..sums
        }
    }
}
