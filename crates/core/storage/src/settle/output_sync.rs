//! Makes what a settling writes survive a crash: each file and directory by itself while they are
//! few, the whole file system once where they are many. Ten thousand queues would otherwise take
//! fifty thousand syncs, each of which also holds up the journal's.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::Arc,
};

use stele_base_env::FileSystem;

use crate::{
    Error, ShardDirectory, directory::sync_dir, error::AtPath, limits::GROUP_SYNC_MIN,
    segment::WrittenFile,
};

/// What is to be synced before the snapshot may name it.
#[derive(Debug)]
pub(super) struct OutputSync {
    root: PathBuf,
    /// Taken before anything is written, so that it tells of every write that fails.
    file_system: Option<Arc<dyn FileSystem>>,
    /// Directories with new entries.
    directories: BTreeSet<PathBuf>,
}

impl OutputSync {
    /// For the output of about `partition_count` partitions.
    pub(super) fn new(directory: &ShardDirectory, partition_count: usize) -> Result<Self, Error> {
        let root = directory.segments();
        let file_system = if partition_count >= GROUP_SYNC_MIN {
            directory.disk.file_system(&root).at("open", &root)?
        } else {
            None
        };
        Ok(Self {
            root,
            file_system,
            directories: BTreeSet::new(),
        })
    }

    /// Takes a written file: it is on disk when this or [`OutputSync::finish`] returns.
    pub(super) fn file(&mut self, written: &WrittenFile) -> Result<(), Error> {
        match self.file_system {
            Some(_) => Ok(()),
            None => written.file.sync_data().at("sync", &written.path),
        }
    }

    /// Makes the directory `path`, and what is missing above it up to the root. What is there
    /// already is synced likewise: it may be from a settling that was cut short or given up.
    pub(super) fn create_dir_all(
        &mut self,
        directory: &ShardDirectory,
        path: &Path,
    ) -> Result<(), Error> {
        let disk = &*directory.disk;
        if path == self.root {
            return Ok(());
        }
        if let Some(parent) = path.parent() {
            self.create_dir_all(directory, parent)?;
            self.directories.insert(parent.to_owned());
        }
        disk.create_dir(path).at("create", path)
    }

    /// Notes that `path` got new entries.
    pub(super) fn directory(&mut self, path: PathBuf) {
        self.directories.insert(path);
    }

    /// Returns once all of it survives a crash.
    pub(super) fn finish(self, directory: &ShardDirectory) -> Result<(), Error> {
        if let Some(file_system) = &self.file_system {
            return file_system.sync().at("sync", &self.root);
        }
        let mut directories = self.directories.iter();
        directories.try_for_each(|path| sync_dir(&*directory.disk, path))
    }
}
