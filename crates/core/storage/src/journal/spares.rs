//! Checkpointed journal files kept for reuse: overwriting written space takes a disk a third of the
//! time of writing to fresh space.
//!
//! ```text
//!  S.journal ──▶ checkpointed, read by nobody ──▶ S.spare ──▶ header written ──▶ N.journal
//!                                 directory synced │           synced │       │ directory synced
//! ```
//!
//! Invariants: a file is overwritten only once its name as a spare is on disk, so that a crash
//! can't bring it back as the journal file that it was. It gets a journal file's name only once its
//! new header is on disk.

use std::{
    mem,
    ops::RangeInclusive,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use stele_base_env::OpenMode;

use super::{JournalFile, Retired};
use crate::{
    BlockSequence, Error, Options, ShardDirectory,
    directory::{numbered_files, remove_file_if_any, sync_dir},
    error::AtPath,
    limits::SPARE_FILES_MAX,
};

/// The spares of a shard. Shared by those who add them and the writer, which takes them.
#[derive(Debug, Default)]
pub(crate) struct Spares {
    kept: Mutex<Kept>,
}

#[derive(Debug)]
struct Kept {
    files: Vec<JournalFile>,
    /// The sizes of files worth keeping.
    sizes_bytes: RangeInclusive<u64>,
    /// The disk's space is needed for something else.
    is_space_low: bool,
}

impl Spares {
    /// Takes over the spares that an earlier process left in `directory`, and removes those in
    /// excess or of a size other than the one configured now. Before this call none are kept.
    pub(crate) fn recover(directory: &ShardDirectory, options: &Options) -> Result<(), Error> {
        let size_bytes_max = options.journal_file_size_bytes_max;
        *directory.spares.lock() = Kept {
            sizes_bytes: size_bytes_max / 2..=size_bytes_max,
            ..Kept::default()
        };
        let journal = directory.journal();
        let mut has_removed = false;
        for first in numbered_files(&*directory.disk, &journal, "spare")? {
            let first = BlockSequence(first);
            let path = directory.spare(first);
            let file = directory.disk.open(&path, OpenMode::Write);
            let file = file.at("open", &path)?;
            let size_bytes = file.size_bytes().at("measure", &path)?;
            if directory.spares.want(size_bytes) {
                directory.spares.put(JournalFile { path, first, file });
            } else {
                remove_file_if_any(&*directory.disk, &path)?;
                has_removed = true;
            }
        }
        if has_removed {
            sync_dir(&*directory.disk, &journal)?;
        }
        Ok(())
    }

    /// Whether one more file, of this size, should be kept.
    pub(super) fn want(&self, size_bytes: u64) -> bool {
        let kept = self.lock();
        !kept.is_space_low
            && kept.files.len() < SPARE_FILES_MAX
            && kept.sizes_bytes.contains(&size_bytes)
    }

    /// Adds a file that was renamed to a spare and that nobody reads.
    pub(super) fn put(&self, file: JournalFile) {
        self.lock().files.push(file);
    }

    /// Takes a file to overwrite.
    pub(super) fn take(&self) -> Option<JournalFile> {
        self.lock().files.pop()
    }

    /// Notes whether space is low. While it is, none are kept.
    pub(crate) fn note_space(&self, is_low: bool) {
        self.lock().is_space_low = is_low;
    }

    /// The spares whose space is needed, for release.
    pub(crate) fn take_unwanted(directory: &ShardDirectory) -> Option<Retired> {
        let mut kept = directory.spares.lock();
        if !kept.is_space_low || kept.files.is_empty() {
            return None;
        }
        let files = mem::take(&mut kept.files).into_iter();
        let files = files.map(Arc::new).collect();
        Some(Retired::new(directory, files))
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        // No change can be left half done by a panic.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Kept {
    fn default() -> Self {
        Self {
            files: Vec::new(),
            // No file is that large.
            sizes_bytes: u64::MAX..=u64::MAX,
            is_space_low: false,
        }
    }
}
