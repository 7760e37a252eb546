//! Counts, for operators.

use stele_base_types::LogId;
use stele_core_engine::{LedgerId, LogError, Record};
use stele_core_storage::Usage;

use super::Shard;
use crate::{LogStatus, PartitionStatus};

/// Totals of a shard since the process started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counters {
    appended_records: u64,
    appended_bytes: u64,
    journalled_records: u64,
}

/// How a shard does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShardStatus {
    /// Records appended since the process started; one appended to several logs counts once for
    /// each.
    pub appended_records: u64,
    /// Bytes of batches appended since the process started, likewise.
    pub appended_bytes: u64,
    /// Changes journalled since the process started.
    pub journalled_records: u64,
    /// Logs.
    pub logs: u64,
    /// Sessions.
    pub sessions: u64,
    /// Records of default ledgers that may be leased now.
    pub ready: u64,
    /// Records of default ledgers that are leased.
    pub leased: u64,
    /// Records of default ledgers that are hidden until later.
    pub delayed: u64,
    /// Bytes that wait for the writer.
    pub backlog_bytes: u64,
    /// Whether publishing is refused for want of space.
    pub is_blocked: bool,
    /// What the storage holds.
    pub usage: Usage,
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
    pub(super) fn log_status(&self, log: LogId) -> Result<LogStatus, LogError> {
        let log = self.state.logs.log(log).ok_or(LogError::NoSuchLog)?;
        let partitions = log
            .partitions
            .iter()
            .map(|partition| PartitionStatus {
                start: partition.start,
                committed: partition.committed,
            })
            .collect();
        let mut status = LogStatus {
            partitions,
            ..LogStatus::default()
        };
        if let Some(ledger) = log.ledger(LedgerId::DEFAULT) {
            status.ready = ledger.ready();
            status.leased = ledger.leased();
            status.delayed = ledger.delayed();
            status.consumers = ledger.consumers();
        }
        Ok(status)
    }

    pub(super) fn shard_status(&self) -> ShardStatus {
        let ledgers = || {
            let logs = self.state.logs.iter();
            logs.filter_map(|(_, log)| log.ledger(LedgerId::DEFAULT))
        };
        ShardStatus {
            ready: ledgers().map(|ledger| ledger.ready()).sum(),
            leased: ledgers().map(|ledger| ledger.leased()).sum(),
            delayed: ledgers().map(|ledger| ledger.delayed()).sum(),
            appended_records: self.counters.appended_records,
            appended_bytes: self.counters.appended_bytes,
            journalled_records: self.counters.journalled_records,
            logs: self.state.logs.iter().count() as u64,
            sessions: self.sessions.len() as u64,
            backlog_bytes: self.backlog_bytes() as u64,
            is_blocked: self.is_blocked,
            usage: self.index.usage(),
        }
    }
}
