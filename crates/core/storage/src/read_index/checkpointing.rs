//! What the read index has to do with checkpoints: saying when, and taking over the result.

use std::{mem, sync::Arc};

use stele_base_types::Timestamp;

use super::ReadIndex;
use crate::{
    checkpoint::{Checkpoint, CheckpointPlan, Floors},
    journal::{JournalFile, Retired},
    limits::JOURNAL_SIZES_MAX,
};

impl ReadIndex {
    /// Whether the oldest data has lain in the journal for longer than is set, in the only file
    /// there is: the caller then has [`crate::Journal::seal`] close it.
    pub fn should_rotate(&self, now: Timestamp) -> bool {
        self.journal.closed().next().is_none() && self.is_too_old(now)
    }

    /// Whether closed journal files should be checkpointed: because of the journal's size, or
    /// because of the oldest one's age. Not while a checkpoint is under way.
    pub fn should_checkpoint(&self, now: Timestamp) -> bool {
        !self.is_checkpointing && !self.files_to_checkpoint(now).is_empty()
    }

    /// Whether so much of the journal isn't checkpointed that nothing that adds to it is to be
    /// taken up until more of it is: a start would have to read it all. Not where there was no room
    /// for a checkpoint: what is acknowledged then is what helps.
    pub fn are_checkpoints_behind(&self) -> bool {
        let options = &self.options;
        // There is always more than one file of this.
        let size_bytes = options
            .journal_size_bytes_max
            .max(options.journal_file_size_bytes_max);
        let is_large = self.journal.size_bytes() > size_bytes.saturating_mul(JOURNAL_SIZES_MAX);
        is_large && !self.has_abandoned && self.journal.closed().next().is_some()
    }

    /// What to checkpoint now; files, maybe none, that are due as [`ReadIndex::should_checkpoint`]
    /// has it and hold no partition that the floors don't know of, which would be taken for
    /// deleted. A plan without files still removes what lies below the floors.
    ///
    /// The result of [`crate::Checkpointer::checkpoint`] must be taken over before the next plan,
    /// by [`ReadIndex::install_checkpoint`].
    pub fn plan_checkpoint(&mut self, floors: Floors, now: Timestamp) -> CheckpointPlan {
        assert!(!self.is_checkpointing, "one checkpoint at a time");
        self.is_checkpointing = true;
        let mut files = self.files_to_checkpoint(now);
        let known = files.partition_point(|file| {
            let next = self.journal.first_after(file);
            next.is_some_and(|next| next <= floors.complete_before)
        });
        files.truncate(known);
        let through = files.last().and_then(|last| self.journal.first_after(last));
        CheckpointPlan {
            files,
            through,
            floors,
        }
    }

    /// Takes over what a checkpoint made, for so many partitions at once: they are read from
    /// segments from then on. Asked until there is nothing left: then it gives the files that
    /// nothing new will be read from, and the segments.
    pub fn install_checkpoint(
        &mut self,
        checkpoint: &mut Checkpoint,
        partitions_max: usize,
    ) -> Option<Retired> {
        // Those that have something in the checkpointed files are all among them.
        let rest = checkpoint.segments.len().saturating_sub(partitions_max);
        for (partition, segments) in checkpoint.segments.drain(rest..) {
            // A partition that was removed meanwhile stays so.
            if let Some(reads) = self.partitions.get_mut(&partition) {
                self.segments_size_bytes -= reads.segments_size_bytes();
                reads.set_segments(segments);
                self.segments_size_bytes += reads.segments_size_bytes();
                reads.remove_runs_before(checkpoint.through);
            }
        }
        if !checkpoint.segments.is_empty() {
            return None;
        }
        self.is_checkpointing = false;
        self.has_abandoned = false;
        let files = self.journal.remove_before(checkpoint.through);
        let retired = Retired::new(&checkpoint.directory, files);
        if checkpoint.left.is_empty() {
            return Some(retired);
        }
        let renewed = Arc::new(self.segment_files.renewed());
        let readers = mem::replace(&mut self.segment_files, renewed);
        Some(retired.with_segments(&checkpoint.left, readers))
    }

    /// Gives up the plan that was made last: nothing has changed.
    pub fn abandon_checkpoint(&mut self) {
        self.is_checkpointing = false;
        self.has_abandoned = true;
    }

    fn is_too_old(&self, now: Timestamp) -> bool {
        let since = self.journal.oldest_since();
        since.is_some_and(|since| now.since_ms(since) > self.options.journal_age_ms_max)
    }

    /// The oldest closed files: all of them where the oldest is too old, else as many as bring
    /// the journal down to three quarters of its size, so that none is due again at once.
    /// Where that is very much, some of it is checkpointed first.
    fn files_to_checkpoint(&self, now: Timestamp) -> Vec<Arc<JournalFile>> {
        if self.is_too_old(now) {
            return self
                .journal
                .closed()
                .map(|(file, _)| file.clone())
                .collect();
        }
        let size_bytes_max = self.options.journal_size_bytes_max;
        let rest = self.journal.size_bytes();
        if rest <= size_bytes_max {
            return Vec::new();
        }
        let mut files = Vec::new();
        let mut planned_bytes = 0;
        for (file, size_bytes) in self.journal.closed() {
            let is_much = planned_bytes >= size_bytes_max;
            if is_much || rest - planned_bytes <= size_bytes_max / 4 * 3 {
                break;
            }
            files.push(file.clone());
            planned_bytes += size_bytes;
        }
        files
    }
}
