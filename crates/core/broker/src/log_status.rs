//! What a log holds, for operators and for protocols that count messages.

use stele_base_types::{LogId, Offset};
use stele_core_engine::{ConsumerRef, LogError};
use tokio::sync::oneshot;

use crate::{Broker, Error, Failure, request::Request};

/// Counts of a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogStatus {
    /// Its partitions.
    pub partitions: Vec<PartitionStatus>,
    /// Records of the default ledger that are ready. If the log has no default ledger yet, those
    /// that it would start with.
    pub ready: u64,
    /// The bytes of their bodies; `None` unless the queue limits them.
    pub ready_bytes: Option<u64>,
    /// Records of the default ledger that are leased.
    pub leased: u64,
    /// Records of the default ledger that are on their way to other shards' logs. One that isn't
    /// taken there returns to its place.
    pub moving: u64,
    /// Records of the default ledger that are delayed.
    pub delayed: u64,
    /// Consumers of the default ledger.
    pub consumers: u64,
    /// The consumer that is served, if the default ledger serves one at a time.
    pub active: Option<ConsumerRef>,
}

impl LogStatus {
    /// The records kept, whether or not they are settled.
    pub fn records(&self) -> u64 {
        self.partitions.iter().map(PartitionStatus::len).sum()
    }
}

/// Bounds of a partition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PartitionStatus {
    /// The first offset kept.
    pub start: Offset,
    /// One after the last committed record.
    pub committed: Offset,
    /// The size of the batches kept.
    pub size_bytes: u64,
}

impl PartitionStatus {
    /// The number of committed offsets.
    pub(crate) fn len(&self) -> u64 {
        self.committed.0.saturating_sub(self.start.0)
    }
}

impl Broker {
    /// Returns the counts of a log.
    pub async fn status(&self, log: LogId) -> Result<LogStatus, Error<LogError>> {
        let (reply, answer) = oneshot::channel();
        self.send(self.shard_of(log), Request::Status { log, reply })
            .await;
        let status = answer.await.map_err(|_| Failure::Stopping)?;
        status.map_err(Error::Refused)
    }

    /// Returns the counts of several logs, as [`Broker::status`] does of one. All are asked for
    /// before the first answer is awaited, so that a shard answers many in one turn.
    pub async fn statuses(
        &self,
        logs: &[LogId],
    ) -> Result<Vec<Result<LogStatus, LogError>>, Failure> {
        let mut answers = Vec::with_capacity(logs.len());
        for &log in logs {
            let (reply, answer) = oneshot::channel();
            self.send(self.shard_of(log), Request::Status { log, reply })
                .await;
            answers.push(answer);
        }
        let mut statuses = Vec::with_capacity(answers.len());
        for answer in answers {
            statuses.push(answer.await.map_err(|_| Failure::Stopping)?);
        }
        Ok(statuses)
    }
}
