//! The local disk with free space set by the test.

use std::{
    io,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use stele_base_env::{Disk, DiskFile, DiskLock, Entry, FileSystem, LocalDisk, OpenMode};

/// [`LocalDisk`], except for [`Disk::free_bytes`].
#[derive(Debug)]
pub(crate) struct ScarceDisk {
    /// By shard.
    free_bytes: Vec<AtomicU64>,
}

impl ScarceDisk {
    /// A disk with more than enough space.
    pub(crate) fn new(shards: u16) -> Self {
        Self {
            free_bytes: (0..shards).map(|_| AtomicU64::new(u64::MAX)).collect(),
        }
    }

    /// From now on a shard finds this much free space, whatever is written. Shards check at
    /// different times, so they may have different values.
    pub(crate) fn set_free_bytes(&self, shard: u16, free_bytes: u64) {
        self.free_bytes[usize::from(shard)].store(free_bytes, Ordering::Relaxed);
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

    fn free_bytes(&self, path: &Path) -> io::Result<u64> {
        let name = path.file_name().and_then(|name| name.to_str());
        let number = name.and_then(|name| name.strip_prefix("shard-"));
        let shard: Option<usize> = number.and_then(|number| number.parse().ok());
        let free_bytes = shard.and_then(|shard| self.free_bytes.get(shard));
        let free_bytes = free_bytes.expect("the shards' directories are looked at");
        Ok(free_bytes.load(Ordering::Relaxed))
    }

    fn total_bytes(&self, path: &Path) -> io::Result<u64> {
        LocalDisk.total_bytes(path)
    }
}
