//! Leased records with their bytes.

use smallvec::SmallVec;
use stele_base_types::PartitionIndex;
use stele_core_engine::{LeasedRecord, LeasedRun, Run};
use stele_wire_batch::Record;

use stele_core_storage::{Slice, StoredBatch};

use crate::{
    Failure,
    read::{records_of, resolve, resolve_blocking, unreadable},
};

/// A run of leased records, with where its bytes are.
#[derive(Debug)]
pub struct LeasedBatch {
    pub(crate) run: LeasedRun,
    pub(crate) slices: Vec<Slice>,
}

/// Leased records that are no messages.
pub(crate) type Absent = SmallVec<[Run; 2]>;

/// A leased record with its content.
#[derive(Clone, Debug)]
pub struct LeasedMessage {
    /// The partition.
    pub partition: PartitionIndex,
    /// Offset, lease, how often delivered.
    pub lease: LeasedRecord,
    /// The record.
    pub record: Record,
}

impl LeasedBatch {
    /// Which records.
    pub fn run(&self) -> &LeasedRun {
        &self.run
    }

    /// The records with their content, in order, and those that are no messages. Reads from the
    /// disk, on a thread for that, where they are no longer in memory.
    pub(crate) async fn resolve(mut self) -> Result<(Vec<LeasedMessage>, Absent), Failure> {
        let stored = resolve(std::mem::take(&mut self.slices)).await?;
        self.messages(stored)
    }

    /// The records with their content, for a caller that may wait for the disk.
    pub fn resolve_blocking(self) -> Result<Vec<LeasedMessage>, Failure> {
        let stored = resolve_blocking(&self.slices).map_err(unreadable)?;
        Ok(self.messages(stored)?.0)
    }

    fn messages(self, stored: Vec<StoredBatch>) -> Result<(Vec<LeasedMessage>, Absent), Failure> {
        let mut absent = Absent::new();
        let Some(first) = self.run.records.first().map(|record| record.offset) else {
            return Ok((Vec::new(), absent));
        };
        let last = self
            .run
            .records
            .last()
            .map_or(first, |record| record.offset);
        let mut leases = self.run.records.into_iter().peekable();
        let mut messages = Vec::with_capacity(leases.len());
        let mut skip =
            |lease: LeasedRecord| Run::push(&mut absent, self.run.partition, lease.offset);
        for record in records_of(stored, first, last)? {
            while let Some(lease) = leases.next_if(|lease| lease.offset < record.offset) {
                skip(lease);
            }
            if let Some(lease) = leases.next_if(|lease| lease.offset == record.offset) {
                messages.push(LeasedMessage {
                    partition: self.run.partition,
                    lease,
                    record,
                });
            }
        }
        leases.for_each(skip);
        Ok((messages, absent))
    }
}
