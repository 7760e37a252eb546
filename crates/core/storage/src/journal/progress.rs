//! Log messages about the progress of a recovery: one when it begins, and further ones from time to
//! time for a large journal, so that an operator knows what the broker is waiting for.

use stele_base_types::ShardId;

use crate::limits::PROGRESS_STEP_SIZE_BYTES;

/// The progress of the replay of a shard's journal.
#[derive(Debug)]
pub(super) struct Progress {
    shard: ShardId,
    file_count: usize,
    /// The size replayed at the last message.
    told_size_bytes: u64,
}

impl Progress {
    /// Begins the replay of `file_count` files. Logs nothing if there are none.
    pub(super) fn begin(shard: ShardId, file_count: usize) -> Self {
        if file_count > 0 {
            tracing::info!(%shard, files = file_count, "replaying the journal");
        }
        Self {
            shard,
            file_count,
            told_size_bytes: 0,
        }
    }

    /// Notes that `file` files, with `size_bytes` in total, have been replayed.
    pub(super) fn replayed(&mut self, file: usize, size_bytes: u64) {
        if file < self.file_count && self.is_line_due(size_bytes) {
            let (shard, files) = (self.shard, self.file_count);
            let mib = size_bytes >> 20;
            tracing::info!(%shard, file, files, mib, "still replaying the journal");
        }
    }

    fn is_line_due(&mut self, size_bytes: u64) -> bool {
        let is_due = size_bytes - self.told_size_bytes >= PROGRESS_STEP_SIZE_BYTES;
        if is_due {
            self.told_size_bytes = size_bytes;
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_due_once_in_each_step() {
        let mut progress = Progress::begin(ShardId(0), 100);
        let step = PROGRESS_STEP_SIZE_BYTES;
        let ends = [
            step / 4,
            step - 1,
            step,
            step + step / 2,
            2 * step,
            5 * step,
        ];
        let due = ends.map(|end| progress.is_line_due(end));
        assert_eq!(due, [false, false, true, false, true, true]);
    }
}
