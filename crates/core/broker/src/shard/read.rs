//! Reads, which change no state.

use std::sync::Weak;

use hashbrown::HashSet;
use stele_base_types::{LogId, Offset, PartitionId, PartitionIndex, Timestamp};
use tokio::sync::Notify;

use super::Shard;
use crate::{
    read::{Read, ReadError, ReadReply, TimeReply},
    reader::Follower,
};

impl Shard {
    pub(super) fn read(&self, read: &Read) -> Result<ReadReply, ReadError> {
        let partition = self.partition(read.partition)?;
        let (start, committed) = (partition.start, partition.committed);
        if read.bytes_max > 0 && (read.from < start || read.from > committed) {
            return Err(ReadError::OffsetOutOfRange {
                offset: read.from,
                start,
                end: committed,
            });
        }
        let slices = if read.bytes_max == 0 {
            Vec::new()
        } else {
            self.index
                .read(read.partition, read.from, committed, read.bytes_max)
        };
        Ok(ReadReply {
            start,
            committed,
            slices,
        })
    }

    /// How to find a record by time; the disk is read elsewhere.
    pub(super) fn find_by_time(
        &self,
        partition: PartitionId,
        at: Option<Timestamp>,
    ) -> Result<TimeReply, ReadError> {
        let committed = self.partition(partition)?.committed;
        let at = at.unwrap_or_else(|| self.index.max_timestamp(partition));
        Ok(TimeReply {
            lookup: self.index.find_by_time(partition, at),
            committed,
        })
    }

    /// Registers somebody who waits for records past these offsets, or wakes them at once.
    pub(super) fn watch(&mut self, partitions: &[(PartitionId, Offset)], waiter: &Waiter) {
        for (partition, past) in partitions {
            let is_due = self
                .partition(*partition)
                .map_or(true, |state| state.committed > *past);
            if is_due {
                return waiter.wake();
            }
            let watches = self.watches.entry(*partition).or_default();
            if watches.len() == watches.capacity() {
                watches.retain(is_awaited);
            }
            watches.push((*past, waiter.clone()));
        }
    }

    /// The number of registered watches, including those of recently ended fetches.
    pub fn watches(&self) -> usize {
        self.watches.values().map(Vec::len).sum()
    }

    /// Drops watches on a partition that nobody waits for any more, because their fetch ended or
    /// found records elsewhere.
    pub(super) fn drop_ended_watches(&mut self, partition: PartitionId) {
        if let Some(watches) = self.watches.get_mut(&partition) {
            watches.retain(is_awaited);
            if watches.is_empty() {
                self.watches.remove(&partition);
            }
        }
    }

    /// Wakes the watches that wait for records below `end`.
    pub(super) fn wake(&mut self, partition: PartitionId, end: Offset) {
        let Some(watches) = self.watches.get_mut(&partition) else {
            return;
        };
        watches.retain(|(past, waiter)| {
            if *past >= end {
                return true;
            }
            waiter.wake();
            false
        });
        if watches.is_empty() {
            self.watches.remove(&partition);
        }
    }

    /// Wakes all watches of a deleted log, each reader once.
    pub(super) fn end_watches(&mut self, log: LogId, partitions: u32) {
        if self.watches.is_empty() {
            return;
        }
        for index in (0..partitions).map(PartitionIndex) {
            let ended = self.watches.remove(&PartitionId::new(log, index));
            let mut woken = HashSet::new();
            for (_, waiter) in ended.into_iter().flatten() {
                let is_next = match &waiter {
                    Waiter::Fetch(_) => true,
                    Waiter::Reader(wake) => woken.insert(wake.as_ptr()),
                };
                if is_next {
                    waiter.wake();
                }
            }
        }
    }

    fn partition(
        &self,
        partition: PartitionId,
    ) -> Result<&stele_core_engine::Partition, ReadError> {
        let log = self
            .state
            .logs
            .log(partition.log)
            .ok_or(ReadError::NoSuchLog)?;
        usize::try_from(partition.index.0)
            .ok()
            .and_then(|index| log.partitions.get(index))
            .ok_or(ReadError::NoSuchPartition)
    }
}

/// Whether somebody still waits for this watch.
fn is_awaited((_, waiter): &(Offset, Waiter)) -> bool {
    match waiter {
        Waiter::Fetch(notify) => notify.strong_count() > 0,
        Waiter::Reader(wake) => wake.strong_count() > 0,
    }
}

/// Who waits for records of a partition.
#[derive(Clone, Debug)]
pub(super) enum Waiter {
    /// A single read, which waits for several partitions.
    Fetch(Weak<Notify>),
    /// A session's reader.
    Reader(Follower),
}

impl Waiter {
    fn wake(&self) {
        match self {
            Self::Fetch(notify) => {
                if let Some(notify) = notify.upgrade() {
                    notify.notify_one();
                }
            }
            Self::Reader(wake) => {
                if let Some(wake) = wake.upgrade() {
                    wake.wake();
                }
            }
        }
    }
}
