//! Leased records with their bytes.

use stele_base_types::PartitionIndex;
use stele_core_engine::{LeasedRecord, LeasedRun};
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

    /// The records with their content, in order. Reads from the disk, on a thread for that, where
    /// they are no longer in memory.
    pub async fn resolve(mut self) -> Result<Vec<LeasedMessage>, Failure> {
        let stored = resolve(std::mem::take(&mut self.slices)).await?;
        self.messages(stored)
    }

    /// The same for a caller that may wait for the disk.
    pub fn resolve_blocking(self) -> Result<Vec<LeasedMessage>, Failure> {
        let stored = resolve_blocking(&self.slices).map_err(unreadable)?;
        self.messages(stored)
    }

    fn messages(self, stored: Vec<StoredBatch>) -> Result<Vec<LeasedMessage>, Failure> {
        let Some(first) = self.run.records.first().map(|record| record.offset) else {
            return Ok(Vec::new());
        };
        let last = self
            .run
            .records
            .last()
            .map_or(first, |record| record.offset);
        let mut leases = self.run.records.into_iter().peekable();
        let mut messages = Vec::with_capacity(leases.len());
        for record in records_of(stored, first, last)? {
            while leases
                .next_if(|lease| lease.offset < record.offset)
                .is_some()
            {}
            if let Some(lease) = leases.next_if(|lease| lease.offset == record.offset) {
                messages.push(LeasedMessage {
                    partition: self.run.partition,
                    lease,
                    record,
                });
            }
        }
        Ok(messages)
    }
}
