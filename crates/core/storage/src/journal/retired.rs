//! What happens to checkpointed journal files and to removed segments: they become spares, or their
//! space is freed.

use std::{collections::VecDeque, path::Path, sync::Arc};

use super::JournalFile;
use crate::{
    Error, ShardDirectory,
    directory::{remove_file_if_any, sync_dir},
    error::AtPath,
    limits::RELEASE_STEP_BYTES,
    segment::{Leftovers, Segment, SegmentFiles},
};

/// Checkpointed journal files or unwanted spares, and segments no longer in force. For the
/// checkpointer, which may block.
#[derive(Debug)]
#[must_use = "until they are released, the files take their space"]
pub struct Retired {
    directory: ShardDirectory,
    files: VecDeque<Arc<JournalFile>>,
}

impl Retired {
    pub(crate) fn new(directory: &ShardDirectory, files: Vec<Arc<JournalFile>>) -> Self {
        Self {
            directory: directory.clone(),
            files: files.into(),
        }
    }

    /// Adds segments, which the holders of `readers` may still read.
    pub(crate) fn with_segments(self, segments: &[Segment], readers: Arc<SegmentFiles>) -> Self {
        self.directory.leftovers.put(segments, readers);
        self
    }

    /// Keeps as many of the files as are wanted as spares, and removes the others. Their space is
    /// freed in steps, so that the journal's syncs can run in between; if a file is still being
    /// read, its last reader frees it. Removes the segments that nobody reads; the others are
    /// checked again next time.
    ///
    /// After an error for lack of space or descriptors ([`Error::is_for_want`]) it may be called
    /// again for the rest.
    pub fn release(&mut self) -> Result<(), Error> {
        while let Some(file) = self.files.pop_front() {
            if let Err(error) = self.release_file(&file) {
                self.files.push_front(file);
                return Err(error);
            }
        }
        Leftovers::remove_unread(&self.directory)
    }

    fn release_file(&self, file: &Arc<JournalFile>) -> Result<(), Error> {
        let (disk, spares) = (&*self.directory.disk, &self.directory.spares);
        let is_unread = Arc::strong_count(file) == 1;
        let spare = self.directory.spare(file.first);
        // An earlier attempt may have renamed it to a spare and then failed.
        let is_there = disk.exists(&file.path).at("look for", &file.path)?;
        if is_unread && is_there && spares.want(file.size_bytes()?) {
            match self.keep(file, &spare) {
                Err(error) if error.is_for_want() => {}
                kept => return kept,
            }
        }
        remove_file_if_any(disk, &spare)?;
        remove_file_if_any(disk, &file.path)?;
        sync_dir(disk, &self.directory.journal())?;
        if is_unread {
            file.cut_in_steps()?;
        }
        Ok(())
    }

    /// Makes a spare of a file that nobody reads.
    fn keep(&self, file: &JournalFile, spare: &Path) -> Result<(), Error> {
        let renamed = self.directory.disk.rename(&file.path, spare);
        renamed.at("rename", &file.path)?;
        sync_dir(&*self.directory.disk, &self.directory.journal())?;
        self.directory.spares.put(JournalFile {
            path: spare.to_owned(),
            first: file.first,
            file: file.file.clone(),
        });
        Ok(())
    }
}

impl JournalFile {
    fn cut_in_steps(&self) -> Result<(), Error> {
        let mut size_bytes = self.size_bytes()?;
        while size_bytes > 0 {
            size_bytes = size_bytes.saturating_sub(RELEASE_STEP_BYTES);
            self.file.truncate(size_bytes).at("cut", &self.path)?;
            self.file.sync_data().at("sync", &self.path)?;
        }
        Ok(())
    }
}
