//! What becomes of journal files that were checkpointed, and of segments that were left out:
//! spares, or space that is given back.

use std::sync::Arc;

use super::JournalFile;
use crate::{
    Error, ShardDirectory,
    directory::{remove_file_if_any, sync_dir},
    error::AtPath,
    limits::RELEASE_STEP_BYTES,
    segment::{Leftovers, Segment, SegmentFiles},
};

/// Journal files that were checkpointed, or spares that aren't wanted any more, and segments that
/// are no longer in force. For the checkpointer, which may wait.
#[derive(Debug)]
#[must_use = "until they are released, the files take their space"]
pub struct Retired {
    directory: ShardDirectory,
    files: Vec<Arc<JournalFile>>,
}

impl Retired {
    pub(crate) fn new(directory: &ShardDirectory, files: Vec<Arc<JournalFile>>) -> Self {
        Self {
            directory: directory.clone(),
            files,
        }
    }

    /// The same with segments, which those who hold `readers` may still read.
    pub(crate) fn with_segments(self, segments: &[Segment], readers: Arc<SegmentFiles>) -> Self {
        self.directory.leftovers.put(segments, readers);
        self
    }

    /// Keeps as many of the files as are wanted as spares, and removes the others. Their space is
    /// given back in steps, between which the journal's syncs get their turn; that of a file that
    /// is still being read from, by its last reader. Removes the segments that nobody reads; the
    /// others are looked at again with the next ones.
    pub fn release(self) -> Result<(), Error> {
        let Self { directory, files } = self;
        files
            .into_iter()
            .try_for_each(|file| release_file(&directory, file))?;
        Leftovers::remove_unread(&directory)
    }
}

fn release_file(directory: &ShardDirectory, file: Arc<JournalFile>) -> Result<(), Error> {
    let path = file.path.clone();
    let unread = Arc::into_inner(file);
    let is_wanted = match &unread {
        Some(file) => directory.spares.want(file.size_bytes()?),
        None => false,
    };
    match unread {
        Some(file) if is_wanted => keep(directory, file),
        unread => {
            remove_file_if_any(&*directory.disk, &path)?;
            sync_dir(&*directory.disk, &directory.journal())?;
            unread.map_or(Ok(()), |file| file.cut_in_steps())
        }
    }
}

/// Makes a spare of a file that nobody reads.
fn keep(directory: &ShardDirectory, file: JournalFile) -> Result<(), Error> {
    let path = directory.spare(file.first);
    let renamed = directory.disk.rename(&file.path, &path);
    renamed.at("rename", &file.path)?;
    sync_dir(&*directory.disk, &directory.journal())?;
    directory.spares.put(JournalFile { path, ..file });
    Ok(())
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
