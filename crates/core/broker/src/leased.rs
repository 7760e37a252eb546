//! Leased records with their bytes.

use smallvec::SmallVec;
use stele_base_types::PartitionIndex;
use stele_core_engine::{LeasedRecord, LeasedRun, Run};
use stele_wire_batch::Record;

use stele_core_storage::{Slice, StoredBatch};

use crate::{
    Failure,
    read::{Broken, records_of, resolve, resolve_blocking, unreadable},
};

/// A run of leased records, with where its bytes are.
#[derive(Debug)]
pub struct LeasedBatch {
    pub(crate) run: LeasedRun,
    pub(crate) slices: Vec<Slice>,
}

/// What leased records turn out to be.
#[derive(Debug, Default)]
pub(crate) struct Resolved {
    pub(crate) messages: Vec<LeasedMessage>,
    /// Those that are no messages, or can't be read.
    pub(crate) absent: SmallVec<[Run; 2]>,
    /// What of their batches can't be read.
    pub(crate) broken: Vec<Broken>,
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

    /// What the records are. Reads from the disk, on a thread for that, where they are no longer in
    /// memory.
    pub(crate) async fn resolve(mut self) -> Result<Resolved, Failure> {
        let stored = resolve(std::mem::take(&mut self.slices)).await?;
        Ok(self.resolved(stored))
    }

    /// The records with their content, in order, for a caller that may wait for the disk. Fails
    /// where one can't be read.
    pub fn resolve_blocking(self) -> Result<Vec<LeasedMessage>, Failure> {
        let stored = resolve_blocking(&self.slices).map_err(unreadable)?;
        let resolved = self.resolved(stored);
        match resolved.broken.first() {
            Some(broken) => Err(unreadable(&broken.error)),
            None => Ok(resolved.messages),
        }
    }

    fn resolved(self, stored: Vec<StoredBatch>) -> Resolved {
        let records = &self.run.records;
        let Some((first, last)) = records.first().zip(records.last()) else {
            return Resolved::default();
        };
        let held = records_of(stored, first.offset, last.offset);
        let mut resolved = Resolved {
            messages: Vec::with_capacity(held.messages.len()),
            broken: held.broken,
            ..Resolved::default()
        };
        let mut messages = held.messages.into_iter().peekable();
        for lease in self.run.records {
            while messages
                .next_if(|record| record.offset < lease.offset)
                .is_some()
            {}
            let partition = self.run.partition;
            match messages.next_if(|record| record.offset == lease.offset) {
                Some(record) => resolved.messages.push(LeasedMessage {
                    partition,
                    lease,
                    record,
                }),
                None => Run::push(&mut resolved.absent, partition, lease.offset),
            }
        }
        resolved
    }
}
