//! Reading partitions.

use std::sync::Arc;

use stele_base_types::{Offset, PartitionId, Timestamp};
use stele_core_storage::{Slice, StoredBatch, TimeLookup};
use stele_wire_batch::{Batch, DECOMPRESSED_SIZE_BYTES_MAX, Error, Record};
use tokio::sync::Notify;

use crate::{Broker, Failure};

/// The epoch in which this process leads every partition, as stored in batches. Always the same,
/// because there is no failover.
pub const LEADER_EPOCH: i32 = 0;

/// A read request.
#[derive(Clone, Copy, Debug)]
pub struct Read {
    /// The partition.
    pub partition: PartitionId,
    /// The first record wanted.
    pub from: Offset,
    /// The most bytes of batches to read; the first batch is returned whole even if it is larger. 0
    /// reads no batches, only the bounds.
    pub bytes_max: usize,
}

/// Why a partition can't be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The log doesn't exist (any more). The caller looks up the name again.
    #[error("no such log")]
    NoSuchLog,
    /// The log has fewer partitions.
    #[error("no such partition")]
    NoSuchPartition,
    /// The offset is before the partition's start or past the last committed record.
    #[error("offset {offset} is outside {start}..={end}")]
    OffsetOutOfRange {
        /// The requested offset.
        offset: Offset,
        /// The first one kept.
        start: Offset,
        /// One after the last committed one.
        end: Offset,
    },
}

/// The answer to a read: the bounds of the partition, and where the batches are.
#[derive(Debug)]
pub struct ReadReply {
    /// The first offset kept.
    pub start: Offset,
    /// One after the last committed record.
    pub committed: Offset,
    /// Where the batches are. The first may begin before the requested offset.
    pub(crate) slices: Vec<Slice>,
}

/// A record found by its timestamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its offset.
    pub offset: Offset,
    /// Its timestamp.
    pub timestamp: Timestamp,
}

/// Where to search for a record by its timestamp.
#[derive(Debug)]
pub struct TimeReply {
    pub(crate) lookup: TimeLookup,
    pub(crate) committed: Offset,
}

impl TimeReply {
    /// Finds the record; reads the disk, and opens the batch that holds it.
    pub(crate) async fn resolve(self, broker: &Broker) -> Result<Option<Found>, Failure> {
        let lookup = self.lookup;
        let resolve = move |limit| match lookup.resolve(limit) {
            Err(error) if is_too_little(&error) => None,
            found => Some(found),
        };
        let (found, _) = broker.opening().run(broker.memory(), 0, resolve).await?;
        let found = found.map_err(unreadable)?;
        Ok(found
            .filter(|found| found.offset < self.committed)
            .map(|found| Found {
                offset: found.offset,
                timestamp: found.timestamp,
            }))
    }
}

/// Whether a lookup failed because a batch opens to more bytes than the limit.
fn is_too_little(error: &stele_core_storage::Error) -> bool {
    use stele_core_storage::Error::Batch;
    matches!(error, Batch(Error::DecompressedTooLarge { .. }))
}

impl ReadReply {
    /// Whether there is nothing to resolve.
    pub fn is_empty(&self) -> bool {
        self.slices.is_empty()
    }

    /// How many bytes the batches have at most, unless a single one is larger.
    pub fn size_bytes_max(&self) -> usize {
        let sizes = self.slices.iter().map(Slice::size_bytes_max);
        sizes.fold(0, usize::saturating_add)
    }

    /// Keeps only the bounds.
    #[must_use]
    pub fn without_batches(mut self) -> Self {
        self.slices.clear();
        self
    }

    /// Limits the batches to this many bytes, plus the first batch.
    #[must_use]
    pub fn limited(mut self, bytes_max: usize) -> Self {
        let mut left = bytes_max;
        let mut is_first = true;
        self.slices.retain_mut(|slice| {
            let is_wanted = is_first || left > 0;
            slice.limit(left);
            left = left.saturating_sub(slice.size_bytes_max());
            is_first = false;
            is_wanted
        });
        self
    }

    /// Returns the batches in order, each with its own base offset in its header. Reads those no
    /// longer in memory from disk, on a blocking thread.
    pub async fn resolve(self) -> Result<Vec<Batch>, Failure> {
        placed(resolve(self.slices).await?)
    }

    /// The same for a caller that may block.
    pub fn resolve_blocking(self) -> Result<Vec<Batch>, Failure> {
        placed(resolve_blocking(&self.slices).map_err(unreadable)?)
    }
}

/// Sets each batch's own base offset in its header.
fn placed(stored: Vec<StoredBatch>) -> Result<Vec<Batch>, Failure> {
    let place = |stored: StoredBatch| {
        let base_offset = stored.base_offset;
        let batch = Batch::new(stored.bytes).map_err(unreadable)?;
        Ok(if batch.header().base_offset() == base_offset {
            batch
        } else {
            batch.placed_at(base_offset, LEADER_EPOCH)
        })
    };
    stored.into_iter().map(place).collect()
}

/// Wakes when a partition has more records. Dropping it ends the watch.
#[derive(Debug)]
pub struct Watch {
    pub(crate) notify: Arc<Notify>,
}

impl Watch {
    /// Returns once one of the partitions has got past its offset, or is gone, even if that
    /// happened before the call. A second call waits for the next one that was registered.
    pub async fn changed(&self) {
        self.notify.notified().await;
    }
}

/// The requested records as found in batches.
#[derive(Debug, Default)]
pub(crate) struct Held {
    /// The messages, in order.
    pub(crate) messages: Vec<Record>,
    pub(crate) broken: Vec<Broken>,
}

/// Records that can't be read: a producer's batch is stored as sent, and may be damaged or hold
/// fewer records than its header says.
#[derive(Debug)]
pub(crate) struct Broken {
    /// The first unreadable record.
    pub(crate) first: Offset,
    /// The end of its batch, since the records after a broken one can't be found.
    pub(crate) end: Offset,
    pub(crate) error: Error,
}

/// The messages from `first` to `last` in these batches, leaving out those of control batches.
pub(crate) fn records_of(batches: Vec<StoredBatch>, first: Offset, last: Offset) -> Held {
    let mut held = Held::default();
    for stored in batches {
        let end = stored.next_offset();
        let mut next = stored.base_offset;
        if let Err(error) = read_batch(stored, first, last, &mut next, &mut held.messages) {
            held.broken.push(Broken {
                first: next,
                end,
                error,
            });
        }
    }
    held
}

/// Sets `next` to the offset after the last record that could be read.
fn read_batch(
    stored: StoredBatch,
    first: Offset,
    last: Offset,
    next: &mut Offset,
    messages: &mut Vec<Record>,
) -> Result<(), Error> {
    let batch = Batch::new(stored.bytes)?;
    if batch.header().is_control() {
        return Ok(());
    }
    let written = batch.header().base_offset();
    for record in batch.records(DECOMPRESSED_SIZE_BYTES_MAX)? {
        let mut record = record?;
        record.offset = stored.base_offset.plus(record.offset.since(written));
        if record.offset > last {
            break;
        }
        *next = record.offset.next();
        if record.offset >= first {
            messages.push(record);
        }
    }
    Ok(())
}

/// The batches of all slices. Those in memory are used as they are; the disk is read on a blocking
/// thread.
pub(crate) async fn resolve(slices: Vec<Slice>) -> Result<Vec<StoredBatch>, Failure> {
    let mut batches = Vec::with_capacity(slices.len());
    let mut slices = slices.into_iter();
    while let Some(slice) = slices.next() {
        match slice.at_hand() {
            Ok(batch) => batches.push(batch),
            Err(plan) => {
                return on_disk_thread(move || {
                    batches.extend(plan.resolve()?);
                    batches.extend(resolve_blocking(slices.as_slice())?);
                    Ok(batches)
                })
                .await;
            }
        }
    }
    Ok(batches)
}

/// The same for a caller that may block.
pub(crate) fn resolve_blocking(
    slices: &[Slice],
) -> Result<Vec<StoredBatch>, stele_core_storage::Error> {
    let mut batches = Vec::new();
    for slice in slices {
        batches.extend(slice.resolve()?);
    }
    Ok(batches)
}

async fn on_disk_thread<T: Send + 'static>(
    read: impl FnOnce() -> Result<T, stele_core_storage::Error> + Send + 'static,
) -> Result<T, Failure> {
    tokio::task::spawn_blocking(read)
        .await
        .map_err(|_| Failure::Stopping)?
        .map_err(unreadable)
}

pub(crate) fn unreadable(error: impl std::fmt::Display) -> Failure {
    Failure::Unreadable(error.to_string().into())
}
