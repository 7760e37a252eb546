//! Tracks the free space of the disk and the space promised to pending writes.
//!
//! ```text
//!  free ──┬─ promised: decided, and not written yet, by any shard ─┐
//!         ├─ room for messages                                     │ what is free at a
//!         ├─ definitions   ─┐                                      │ measurement, less
//!         ├─ copies         │ the reserve                          │ what is promised
//!         └─ the journal   ─┘                                     ─┘ then or later
//! ```
//!
//! Space for anything that adds messages is promised before it is decided. Messages are refused
//! once they would have to use the reserve. Half of the reserve is for definitions too, and a
//! quarter for nothing but the journal and snapshots, so that settling and deleting, which free
//! space, can continue.
//!
//! A measurement can't show what was promised earlier and isn't written yet. Such bytes count as
//! promised until the next measurement even if they are written after this one, so the estimate can
//! be too low, never too high.

use std::{
    io,
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
};

use stele_base_types::ShardId;

use crate::{
    Error, Retired, ShardDirectory,
    error::AtPath,
    journal::Spares,
    limits::{MEASURED_EVERY_BYTES_MAX, MEASURED_EVERY_BYTES_MIN},
};

/// What the shards of a directory are about to write.
#[derive(Debug)]
pub(crate) struct Promises {
    /// Totals of the bytes ever promised, and of those written. Both only grow.
    promised_bytes: AtomicU64,
    written_bytes: AtomicU64,
    /// What the checkpoints of each shard may copy. One checkpoint copies at a time.
    copies: Vec<Copies>,
    reserve_bytes: AtomicU64,
    /// The number of shards that consider space low.
    low_shards: AtomicUsize,
}

/// The space that a shard's checkpoints need beyond what is promised.
#[derive(Debug, Default)]
struct Copies {
    /// The most that the plan copies that was made and isn't promised its copies yet.
    planned_bytes: AtomicU64,
    /// The most that the plan after it copies.
    next_bytes: AtomicU64,
}

impl Promises {
    pub(crate) fn new(shards: u16) -> Self {
        Self {
            promised_bytes: AtomicU64::new(0),
            written_bytes: AtomicU64::new(0),
            copies: (0..shards).map(|_| Copies::default()).collect(),
            reserve_bytes: AtomicU64::new(0),
            low_shards: AtomicUsize::new(0),
        }
    }

    fn promise(&self, bytes: u64) {
        self.promised_bytes.fetch_add(bytes, Ordering::AcqRel);
    }

    fn keep(&self, bytes: u64) {
        self.written_bytes.fetch_add(bytes, Ordering::AcqRel);
    }

    fn unwritten_bytes(&self) -> u64 {
        // Loaded in this order the difference is never too small.
        let written_bytes = self.written_bytes.load(Ordering::Acquire);
        let promised_bytes = self.promised_bytes.load(Ordering::Acquire);
        promised_bytes.saturating_sub(written_bytes)
    }

    /// Notes that a plan was made that copies at most `bytes`; 0 if it is given up.
    pub(crate) fn plan_copies(&self, shard: ShardId, bytes: u64) {
        let planned_bytes = &self.copies[usize::from(shard.0)].planned_bytes;
        planned_bytes.store(bytes, Ordering::Release);
    }

    fn note_next_copies(&self, shard: ShardId, bytes: u64) {
        let next_bytes = &self.copies[usize::from(shard.0)].next_bytes;
        next_bytes.store(bytes, Ordering::Relaxed);
    }

    /// The most that any checkpoint copies without a promise.
    fn copied_bytes(&self) -> u64 {
        let each = self.copies.iter().flat_map(|of| {
            let planned_bytes = of.planned_bytes.load(Ordering::Acquire);
            [planned_bytes, of.next_bytes.load(Ordering::Relaxed)]
        });
        each.max().unwrap_or_default()
    }

    /// The space that must be left for `bytes` more to be accepted as messages: the reserve stays
    /// free. A checkpoint has to copy at least one file, which may take half of the reserve; beyond
    /// that it is kept free as well, and what is accepted may have to be copied itself.
    fn wanted_for_messages_bytes(&self, bytes: u64) -> u64 {
        let reserve_bytes = self.reserve_bytes();
        if reserve_bytes == 0 {
            return bytes;
        }
        let copied_bytes = self.copied_bytes().saturating_add(bytes);
        let kept_bytes = reserve_bytes.max((reserve_bytes / 2).saturating_add(copied_bytes));
        kept_bytes.saturating_add(bytes)
    }

    /// Once space is low, so much more than necessary must be free.
    fn margin_bytes(&self) -> u64 {
        self.reserve_bytes() / 8
    }

    fn reserve_bytes(&self) -> u64 {
        self.reserve_bytes.load(Ordering::Relaxed)
    }
}

/// Space for something written in pieces: what isn't written yet counts as promised until the
/// promise is dropped.
#[derive(Debug)]
pub(crate) struct Promise<'a> {
    promises: &'a Promises,
    left_bytes: u64,
}

impl Promise<'_> {
    /// Notes that `bytes` were written.
    pub(crate) fn keep(&mut self, bytes: u64) {
        let bytes = bytes.min(self.left_bytes);
        self.left_bytes -= bytes;
        self.promises.keep(bytes);
    }
}

impl Drop for Promise<'_> {
    fn drop(&mut self) {
        self.keep(self.left_bytes);
    }
}

impl ShardDirectory {
    /// Promises the space for what a checkpoint copies. Keeps the part of the reserve that is for
    /// the journal alone, but at most half of what is left; fails if the copies don't fit beside.
    pub(crate) fn promise_copies(&self, bytes: u64) -> Result<Promise<'_>, Error> {
        let reserve_bytes = self.promises.reserve_bytes();
        let left_bytes = self.left_bytes()?;
        let kept_bytes = (reserve_bytes / 4).min(left_bytes / 2);
        if left_bytes - kept_bytes < bytes {
            let full = io::ErrorKind::StorageFull.into();
            return Err(Error::io("copy within", &self.path, full));
        }
        // In this order the space is never free for others.
        self.promises.promise(bytes);
        self.promises.plan_copies(self.shard, 0);
        Ok(Promise {
            promises: &self.promises,
            left_bytes: bytes,
        })
    }

    /// Notes that a checkpoint was planned that copies at most `bytes`; 0 if none is.
    pub(crate) fn plan_copies(&self, bytes: u64) {
        self.promises.plan_copies(self.shard, bytes);
    }

    /// How much may be copied beyond what is necessary.
    pub(crate) fn spare_bytes(&self) -> Result<u64, Error> {
        let reserve_bytes = self.promises.reserve_bytes();
        Ok(self.left_bytes()?.saturating_sub(reserve_bytes / 2))
    }

    /// Whether `bytes` may be allocated ahead of the data.
    pub(crate) fn may_take_ahead(&self, bytes: u64) -> bool {
        let kept_bytes = self.promises.wanted_for_messages_bytes(0);
        let wanted_bytes = kept_bytes
            .saturating_add(self.promises.margin_bytes())
            .saturating_add(bytes);
        self.left_bytes().is_ok_and(|left| left >= wanted_bytes)
    }

    fn left_bytes(&self) -> Result<u64, Error> {
        let unwritten_bytes = self.promises.unwritten_bytes();
        Ok(self.free_bytes()?.saturating_sub(unwritten_bytes))
    }

    fn free_bytes(&self) -> Result<u64, Error> {
        let free_bytes = self.disk.free_bytes(&self.path);
        free_bytes.at("measure space at", &self.path)
    }
}

/// What space is needed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Messages, which only consumption removes.
    Messages,
    /// Definitions, without which nobody could consume.
    Definitions,
}

/// Decides when messages are refused, so that the remaining space serves reading, acknowledging and
/// checkpoints, which free space. One for each shard.
#[derive(Debug)]
pub struct SpaceGuard {
    directory: ShardDirectory,
    reserve_bytes: u64,
    is_low: bool,
    /// The space left at the last measurement, and what had been promised by then.
    measured: Option<Measured>,
    /// How much of the block being filled is already promised.
    in_block_bytes: u64,
}

#[derive(Clone, Copy, Debug)]
struct Measured {
    left_bytes: u64,
    promised_bytes: u64,
}

/// The state of the disk's space, by [`SpaceGuard`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// What can still be written beyond what is promised.
    pub left_bytes: u64,
    /// Messages must be refused.
    pub is_low: bool,
    /// Messages may soon be refused: data that nobody needs should be removed now.
    pub is_nearly_low: bool,
    /// How much a checkpoint may copy beyond its first file.
    pub copied_bytes_max: u64,
}

impl Space {
    /// More than enough: the value where space isn't watched.
    pub(crate) const PLENTY: Self = Self {
        left_bytes: u64::MAX,
        is_low: false,
        is_nearly_low: false,
        copied_bytes_max: u64::MAX,
    };
}

impl SpaceGuard {
    /// A guard that keeps `reserve_bytes` free on the disk of `directory`; 0 turns it off.
    pub fn new(directory: &ShardDirectory, reserve_bytes: u64) -> Self {
        let reserved = &directory.promises.reserve_bytes;
        reserved.store(reserve_bytes, Ordering::Relaxed);
        Self {
            directory: directory.clone(),
            reserve_bytes,
            is_low: false,
            measured: None,
            in_block_bytes: 0,
        }
    }

    /// Checks the disk. `waiting_bytes` is the size of the first request that waits for space.
    ///
    /// Once low for any shard, space counts as low until an eighth more than the reserve is free:
    /// so publishers aren't blocked and unblocked with every file that comes and goes, and all of
    /// them are at about the same time.
    pub fn check(&mut self, waiting_bytes: u64) -> Result<Space, Error> {
        let left_bytes = self.measure()?;
        let low_shards = self.directory.promises.low_shards.load(Ordering::Acquire);
        let wanted_bytes = if low_shards > 0 {
            self.wanted_bytes(Purpose::Messages, waiting_bytes)
                .saturating_add(self.directory.promises.margin_bytes())
        } else {
            self.kept_bytes(Purpose::Messages)
        };
        self.set_low(left_bytes < wanted_bytes);
        Ok(self.space(left_bytes))
    }

    /// Notes the most that the shard's next checkpoint copies.
    pub fn note_next_copies(&self, bytes: u64) {
        // What is being filled will be copied as well.
        let bytes = bytes.saturating_add(self.in_block_bytes);
        let promises = &self.directory.promises;
        promises.note_next_copies(self.directory.shard, bytes);
    }

    /// Notes that a waiting request doesn't fit: space is low from now on.
    pub fn note_low(&mut self) -> Space {
        self.set_low(true);
        self.space(self.estimate())
    }

    /// Notes that a request was refused that doesn't wait. Space is low from now on, unless so much
    /// is left that the request was a large one and others fit.
    pub fn note_refused(&mut self) -> Space {
        let kept_bytes = self.kept_bytes(Purpose::Messages);
        let margin_bytes = self.directory.promises.margin_bytes();
        let is_little = self.estimate() < kept_bytes.saturating_add(margin_bytes);
        self.set_low(self.is_low || is_little);
        self.space(self.estimate())
    }

    /// Logs when space becomes low for the first shard, and when it no longer is for the last.
    fn set_low(&mut self, is_low: bool) {
        if self.is_low == is_low {
            return;
        }
        self.is_low = is_low;
        let directory = self.directory.path.display();
        let (left_bytes, reserve_bytes) = (self.estimate(), self.reserve_bytes);
        let low_shards = &self.directory.promises.low_shards;
        if is_low {
            if low_shards.fetch_add(1, Ordering::AcqRel) == 0 {
                tracing::warn!(
                    %directory, left_bytes, reserve_bytes,
                    "the disk is nearly full: publishing is refused until there is room again"
                );
            }
        } else if low_shards.fetch_sub(1, Ordering::AcqRel) == 1 {
            tracing::info!(
                %directory, left_bytes, reserve_bytes,
                "the disk has room again: publishing goes on"
            );
        }
    }

    fn space(&self, left_bytes: u64) -> Space {
        self.directory.spares.note_space(self.is_low);
        Space {
            left_bytes,
            is_low: self.is_low,
            is_nearly_low: self.is_low || left_bytes / 2 < self.kept_bytes(Purpose::Messages),
            copied_bytes_max: left_bytes.saturating_sub(self.reserve_bytes / 2),
        }
    }

    /// Whether there is room for `bytes` more.
    pub fn has_room(&mut self, bytes: u64, purpose: Purpose) -> bool {
        let wanted_bytes = self.wanted_bytes(purpose, bytes);
        if self.estimate() < wanted_bytes || self.is_outdated(wanted_bytes) {
            // If measuring fails, the last known value is used.
            if let Err(error) = self.measure() {
                tracing::warn!(%error, "cannot measure free space");
            }
        }
        self.estimate() >= wanted_bytes
    }

    /// Notes the current size of the block being filled.
    pub fn note_filled(&mut self, size_bytes: u64) {
        let added_bytes = size_bytes.saturating_sub(self.in_block_bytes);
        self.directory.promises.promise(added_bytes);
        self.in_block_bytes = self.in_block_bytes.max(size_bytes);
    }

    /// Notes that this block is finished, with this size.
    pub fn note_finished(&mut self, size_bytes: u64) {
        self.note_filled(size_bytes);
        self.in_block_bytes = 0;
    }

    /// Notes that a block of this size was written.
    pub fn note_written(&self, size_bytes: u64) {
        self.directory.promises.keep(size_bytes);
    }

    /// Returns the spare journal files if space is low, for the checkpointer to release.
    pub fn take_spares(&self) -> Option<Retired> {
        Spares::take_unwanted(&self.directory)
    }

    /// The space not available for this purpose.
    fn kept_bytes(&self, purpose: Purpose) -> u64 {
        self.wanted_bytes(purpose, 0)
    }

    /// The space that must be left for `bytes` more to be accepted.
    fn wanted_bytes(&self, purpose: Purpose, bytes: u64) -> u64 {
        match purpose {
            Purpose::Messages => self.directory.promises.wanted_for_messages_bytes(bytes),
            Purpose::Definitions => (self.reserve_bytes / 2).saturating_add(bytes),
        }
    }

    fn measure(&mut self) -> Result<u64, Error> {
        // This order counts what is promised in between twice rather than not at all.
        let promised_bytes = self.promised_bytes();
        let left_bytes = self.directory.left_bytes()?;
        self.measured = Some(Measured {
            left_bytes,
            promised_bytes,
        });
        Ok(left_bytes)
    }

    /// The space left, less what was promised since the measurement.
    fn estimate(&self) -> u64 {
        self.measured.map_or(u64::MAX, |measured| {
            let since = self
                .promised_bytes()
                .saturating_sub(measured.promised_bytes);
            measured.left_bytes.saturating_sub(since)
        })
    }

    /// Whether too much was promised since the last measurement: others may have used as much.
    /// The more is left, the longer a measurement is valid.
    fn is_outdated(&self, wanted_bytes: u64) -> bool {
        self.measured.is_none_or(|measured| {
            let since = self
                .promised_bytes()
                .saturating_sub(measured.promised_bytes);
            let room_bytes = measured.left_bytes.saturating_sub(wanted_bytes);
            let often = MEASURED_EVERY_BYTES_MIN..=MEASURED_EVERY_BYTES_MAX;
            since > (room_bytes / 4).clamp(*often.start(), *often.end())
        })
    }

    fn promised_bytes(&self) -> u64 {
        let promised_bytes = &self.directory.promises.promised_bytes;
        promised_bytes.load(Ordering::Acquire)
    }
}
