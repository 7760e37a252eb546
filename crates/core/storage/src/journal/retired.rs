//! Gives back the space of journal files that were settled.

use std::sync::Arc;

use super::JournalFile;
use crate::{Error, error::AtPath, limits::RELEASE_STEP_BYTES};

/// Journal files that were settled. They are removed, but open, so that they still take their
/// space. For the settling thread, which may wait.
#[derive(Debug)]
#[must_use = "dropping it gives all of the space back at once, and holds up the journal"]
pub struct Retired {
    files: Vec<Arc<JournalFile>>,
}

impl Retired {
    pub(crate) fn new(files: Vec<Arc<JournalFile>>) -> Self {
        Self { files }
    }

    /// Gives the space back in steps, between which the journal's syncs get their turn. A file
    /// that is still being read from is left as it is; its last reader gives its space back.
    pub fn release(self) -> Result<(), Error> {
        let mut unread = self.files.into_iter().filter_map(Arc::into_inner);
        unread.try_for_each(|file| file.cut_in_steps())
    }
}

impl JournalFile {
    fn cut_in_steps(&self) -> Result<(), Error> {
        let mut size_bytes = self.file.size_bytes().at("measure", &self.path)?;
        while size_bytes > 0 {
            size_bytes = size_bytes.saturating_sub(RELEASE_STEP_BYTES);
            self.file.truncate(size_bytes).at("cut", &self.path)?;
            self.file.sync_data().at("sync", &self.path)?;
        }
        Ok(())
    }
}
