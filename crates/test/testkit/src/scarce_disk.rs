//! The local disk with as much free space as a test says.

use std::{
    io,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use stele_base_env::{Disk, DiskFile, DiskLock, Entry, FileSystem, LocalDisk, OpenMode};

/// [`LocalDisk`], apart from [`Disk::free_bytes`].
#[derive(Debug)]
pub(crate) struct ScarceDisk {
    free_bytes: AtomicU64,
}

impl ScarceDisk {
    /// One with more space than anybody needs.
    pub(crate) fn new() -> Self {
        Self {
            free_bytes: AtomicU64::new(u64::MAX),
        }
    }

    /// From now on so much is free, whatever is written.
    pub(crate) fn set_free_bytes(&self, free_bytes: u64) {
        self.free_bytes.store(free_bytes, Ordering::Relaxed);
    }
}

impl Disk for ScarceDisk {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>> {
        LocalDisk.open(path, mode)
    }

    fn try_lock(&self, path: &Path) -> io::Result<Option<DiskLock>> {
        LocalDisk.try_lock(path)
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        LocalDisk.exists(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
        LocalDisk.list(path)
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        LocalDisk.create_dir(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        LocalDisk.rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        LocalDisk.remove_file(path)
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        LocalDisk.remove_dir(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        LocalDisk.sync_dir(path)
    }

    fn file_system(&self, path: &Path) -> io::Result<Option<Arc<dyn FileSystem>>> {
        LocalDisk.file_system(path)
    }

    fn free_bytes(&self, _: &Path) -> io::Result<u64> {
        Ok(self.free_bytes.load(Ordering::Relaxed))
    }
}
