//! The read index's part in checkpoints: deciding when one is due, and installing the result.

use std::{mem, sync::Arc};

use stele_base_types::Timestamp;

use super::ReadIndex;
use crate::{
    checkpoint::{Checkpoint, CheckpointPlan, Floors},
    journal::{JournalFile, Retired},
    limits::{CLOSED_SIZE_BYTES_MIN, DEAD_SEGMENTS_BYTES_MAX, JOURNAL_SIZES_MAX},
};

impl ReadIndex {
    /// Whether the only journal file should be closed, by [`crate::Journal::seal`]: its oldest data
    /// has been there longer than configured, or its space is needed.
    pub fn should_rotate(&self, now: Timestamp) -> bool {
        let is_only = self.journal.closed().next().is_none();
        is_only && (self.is_too_old(now) || self.is_needed())
    }

    /// Whether there is something to checkpoint: closed journal files, because of the journal's
    /// size, the oldest one's age or low space; or segments that nobody is entitled to any more.
    /// False while a checkpoint is running.
    pub fn should_checkpoint(&self, now: Timestamp) -> bool {
        self.planned_files.is_none() && (self.is_due(now) || self.has_dead_segments())
    }

    /// Whether that should happen at once: the space it frees is needed, or is large.
    pub fn should_checkpoint_at_once(&self, now: Timestamp) -> bool {
        let is_much = self.dead_size_bytes() >= DEAD_SEGMENTS_BYTES_MAX;
        (self.is_space_wanted() || is_much) && !self.has_abandoned && self.should_checkpoint(now)
    }

    /// The most that the next checkpoint copies if it covers only one file: the one after those of
    /// the checkpoint that is running, if one is.
    pub fn copied_next_bytes(&self) -> u64 {
        let planned_files = self.planned_files.unwrap_or_default();
        let size_bytes = match self.journal.size_bytes_of(planned_files) {
            Some((size_bytes, is_last)) if is_last => size_bytes + self.unwritten_bytes,
            Some((size_bytes, _)) => size_bytes,
            None => self.unwritten_bytes,
        };
        size_bytes.min(self.runs_size_bytes)
    }

    /// Whether the journal not yet checkpointed is so large that nothing that adds to it should be
    /// accepted until it shrinks: a start would have to read it all. False if there was no room for
    /// a checkpoint: only acknowledgements help then.
    pub fn are_checkpoints_behind(&self) -> bool {
        let options = &self.options;
        // More than one file of this size is always allowed.
        let size_bytes = options
            .journal_size_bytes_max
            .max(options.journal_file_size_bytes_max);
        let is_large = self.journal.size_bytes() > size_bytes.saturating_mul(JOURNAL_SIZES_MAX);
        is_large && !self.has_abandoned && self.journal.closed().next().is_some()
    }

    /// Plans a checkpoint. Contains the files that are due by [`ReadIndex::should_checkpoint`],
    /// possibly none, and excludes files with partitions that the floors don't know, which would be
    /// taken for deleted. A plan without files still removes what lies below the floors.
    ///
    /// The result of [`crate::Checkpointer::checkpoint`] must be installed before the next plan, by
    /// [`ReadIndex::install_checkpoint`].
    pub fn plan_checkpoint(&mut self, floors: Floors, now: Timestamp) -> CheckpointPlan {
        assert!(self.planned_files.is_none(), "one checkpoint at a time");
        let mut files = self.files_to_checkpoint(now);
        let known = files.partition_point(|file| {
            let next = self.journal.first_after(file);
            next.is_some_and(|next| next <= floors.complete_before)
        });
        files.truncate(known);
        let through = files.last().and_then(|last| self.journal.first_after(last));
        self.planned_files = Some(files.len());
        let sizes_bytes = self.journal.closed().take(files.len()).map(|it| it.1);
        let copied_bytes = sizes_bytes.sum::<u64>().min(self.runs_size_bytes);
        self.directory.plan_copies(copied_bytes);
        CheckpointPlan {
            files,
            through,
            floors,
        }
    }

    /// Installs the result of a checkpoint for at most `partitions_max` partitions: they are read
    /// from segments from then on. Called until nothing is left; then it returns the files that no
    /// new reads use, and the segments.
    pub fn install_checkpoint(
        &mut self,
        checkpoint: &mut Checkpoint,
        partitions_max: usize,
    ) -> Option<Retired> {
        // All partitions with data in the checkpointed files are among them.
        let rest = checkpoint.segments.len().saturating_sub(partitions_max);
        for (partition, segments) in checkpoint.segments.drain(rest..) {
            // A partition that was removed meanwhile stays removed.
            if self.partitions.contains_key(&partition) {
                self.change(partition, |reads| {
                    reads.set_segments(segments);
                    reads.remove_runs_before(checkpoint.through);
                });
            }
        }
        if !checkpoint.segments.is_empty() {
            return None;
        }
        self.end_plan();
        self.has_abandoned = false;
        self.has_checkpointed = true;
        self.listed_size_bytes = checkpoint.listed_size_bytes;
        let files = self.journal.remove_before(checkpoint.through);
        let retired = Retired::new(&checkpoint.directory, files);
        if checkpoint.left.is_empty() {
            return Some(retired);
        }
        let renewed = Arc::new(self.segment_files.renewed());
        let readers = mem::replace(&mut self.segment_files, renewed);
        Some(retired.with_segments(&checkpoint.left, readers))
    }

    /// Abandons the last plan: nothing has changed.
    pub fn abandon_checkpoint(&mut self) {
        self.end_plan();
        self.has_abandoned = true;
    }

    fn end_plan(&mut self) {
        self.planned_files = None;
        self.directory.plan_copies(0);
    }

    fn is_too_old(&self, now: Timestamp) -> bool {
        let since = self.journal.oldest_since();
        since.is_some_and(|since| now.since_ms(since) > self.options.journal_age_ms_max)
    }

    fn is_due(&self, now: Timestamp) -> bool {
        !self.files_to_checkpoint(now).is_empty()
    }

    /// Whether segments below the starts of their partitions are worth a checkpoint. Leftovers of
    /// an earlier process aren't known before the first one.
    fn has_dead_segments(&self) -> bool {
        let dead_size_bytes = self.dead_size_bytes();
        let is_wanted = self.space.is_nearly_low && dead_size_bytes > 0;
        is_wanted
            || (self.space.is_low && !self.has_checkpointed)
            || dead_size_bytes >= DEAD_SEGMENTS_BYTES_MAX
    }

    fn dead_size_bytes(&self) -> u64 {
        self.listed_size_bytes
            .saturating_sub(self.segments_size_bytes)
    }

    /// Whether the space of the file being written is needed, and large enough to matter.
    fn is_needed(&self) -> bool {
        self.is_space_wanted() && self.is_journal_some()
    }

    /// Whether what can be freed should be: space is low, or it soon may be and most of the journal
    /// isn't needed any more.
    pub fn is_space_wanted(&self) -> bool {
        let dead_size_bytes = self
            .journal
            .size_bytes()
            .saturating_sub(self.runs_size_bytes);
        let is_mostly_dead = dead_size_bytes > self.journal.size_bytes() / 2;
        let is_worth_it = is_mostly_dead && self.is_journal_some();
        self.space.is_low
            || (self.space.is_nearly_low && (is_worth_it || self.dead_size_bytes() > 0))
    }

    fn is_journal_some(&self) -> bool {
        let options = &self.options;
        let size_bytes_min = CLOSED_SIZE_BYTES_MIN.min(options.journal_file_size_bytes_max / 4);
        self.journal.size_bytes() >= size_bytes_min
    }

    /// The oldest closed files: all of them if the oldest is too old, else as many as bring the
    /// journal down to three quarters of its size, so that none is due again at once. If that is
    /// very much, only some of it is checkpointed first. While space is wanted, as many as there is
    /// room to copy.
    fn files_to_checkpoint(&self, now: Timestamp) -> Vec<Arc<JournalFile>> {
        if self.is_space_wanted() {
            let mut copied_bytes = 0;
            let closed = self.journal.closed().take_while(|(_, size_bytes)| {
                let is_first = copied_bytes == 0;
                copied_bytes += size_bytes;
                is_first || copied_bytes <= self.space.copied_bytes_max
            });
            return closed.map(|(file, _)| file.clone()).collect();
        }
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
