//! The disk: the file system operations that storage uses, and what they guarantee after a crash.
//!
//! Every implementation gives these guarantees, and the simulated disk no more than these:
//!
//! - Bytes of a file survive a crash once [`DiskFile::sync_data`] has returned after their write.
//!   Bytes written later may survive, be lost, or be torn at any byte, in any order.
//! - A file's or directory's entry (its creation, renaming or removal) survives once
//!   [`Disk::sync_dir`] of the containing directory has returned. Until then a crash may restore
//!   the earlier state of the directory.
//! - A rename replaces an existing target atomically: after a crash there is the old one or the
//!   new.
//! - After a failed `sync_data` nothing may be assumed about what was written since the last
//!   successful one; a second call may report success without having written. The caller gives up
//!   the file. A process that opens it later may read those bytes as if they were on disk; only
//!   bytes that are written again are.
//!
//! Everything is synchronous; callers that must not block use another thread.

use std::{any::Any, fmt::Debug, io, path::Path, sync::Arc};

use bytes::Bytes;
use rustix::io::Errno;

/// How to open a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenMode {
    /// For reading; the file exists.
    Read,
    /// For reading and writing; the file exists.
    Write,
    /// For reading and writing; created empty if it doesn't exist, unchanged if it does.
    CreateOrWrite,
    /// For reading and writing; fails with [`io::ErrorKind::AlreadyExists`] if it exists.
    CreateNew,
}

/// An entry of a directory.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// The last part of its path.
    pub name: String,
    /// Whether it is a directory.
    pub is_dir: bool,
}

/// Whether the disk was full, or this process's share of it.
pub fn is_out_of_space(error: &io::Error) -> bool {
    let kind = error.kind();
    kind == io::ErrorKind::StorageFull || kind == io::ErrorKind::QuotaExceeded
}

/// Whether file descriptors ran out, for this process or for the whole machine.
pub fn is_out_of_files(error: &io::Error) -> bool {
    let errno = Errno::from_io_error(error);
    matches!(errno, Some(Errno::MFILE | Errno::NFILE))
}

/// Holds an exclusive lock until dropped.
pub type DiskLock = Box<dyn Any + Send + Sync>;

/// A file system.
pub trait Disk: Debug + Send + Sync {
    /// Opens the file at `path`.
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>>;

    /// Takes an exclusive lock on the file at `path`, creating it if it doesn't exist. `None` if
    /// another process holds it. The operating system releases the lock of a process that dies.
    fn try_lock(&self, path: &Path) -> io::Result<Option<DiskLock>>;

    /// Whether `path` exists.
    fn exists(&self, path: &Path) -> io::Result<bool>;

    /// The entries of the directory `path`, sorted by name. Entries whose name isn't UTF-8 are left
    /// out: Stele creates none.
    fn list(&self, path: &Path) -> io::Result<Vec<Entry>>;

    /// Creates the directory `path`, whose parent exists. Succeeds if it already exists.
    fn create_dir(&self, path: &Path) -> io::Result<()>;

    /// Removes all access to the directory `path` except its owner's; returns whether others had
    /// any. A disk without owners does nothing.
    fn restrict_dir(&self, _path: &Path) -> io::Result<bool> {
        Ok(false)
    }

    /// Renames a file, replacing an existing one of that name.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    fn remove_file(&self, path: &Path) -> io::Result<()>;

    /// Removes an empty directory.
    fn remove_dir(&self, path: &Path) -> io::Result<()>;

    /// Makes the entries of the directory `path` durable.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;

    /// The file system of `path`, if it can be synced as a whole: faster than syncing many files
    /// one by one.
    fn file_system(&self, path: &Path) -> io::Result<Option<Arc<dyn FileSystem>>> {
        let _ = path;
        Ok(None)
    }

    /// Bytes that can still be written to the file system that holds `path`.
    fn free_bytes(&self, path: &Path) -> io::Result<u64>;

    /// The size of that file system.
    fn total_bytes(&self, path: &Path) -> io::Result<u64>;

    /// The whole file at `path`.
    fn read(&self, path: &Path) -> io::Result<Bytes> {
        let file = self.open(path, OpenMode::Read)?;
        let size = usize::try_from(file.size_bytes()?).map_err(io::Error::other)?;
        file.read_at(0, size)
    }

    /// Writes a file with these bytes at `path` such that after a crash either the old or the new
    /// one is there, complete: writes a temporary file beside it, syncs and renames it, and syncs
    /// the directory.
    fn write_whole(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut temporary = path.as_os_str().to_owned();
        temporary.push(".tmp");
        let temporary = Path::new(&temporary);
        let file = self.open(temporary, OpenMode::CreateOrWrite)?;
        file.truncate(0)?;
        file.write_at(0, bytes)?;
        file.sync_data()?;
        self.rename(temporary, path)?;
        let directory = path.parent().filter(|parent| *parent != Path::new(""));
        self.sync_dir(directory.unwrap_or(Path::new(".")))
    }
}

/// A file system as a whole.
pub trait FileSystem: Debug + Send + Sync {
    /// Returns once everything written to any file, and every directory's entries, survive a crash.
    /// Fails if a write failed since this was obtained.
    fn sync(&self) -> io::Result<()>;
}

/// An open file. All positions are bytes from its start; there is no cursor, so the thread that
/// writes a file and those that read it can share it.
pub trait DiskFile: Debug + Send + Sync {
    /// Writes all of `bytes` at `position`, growing the file if necessary.
    fn write_at(&self, position: u64, bytes: &[u8]) -> io::Result<()>;

    /// Reads up to `length` bytes from `position`; fewer only at the end of the file.
    fn read_at(&self, position: u64, length: usize) -> io::Result<Bytes>;

    /// Returns once everything written, and the size, survives a crash.
    fn sync_data(&self) -> io::Result<()>;

    /// Truncates the file to `size_bytes`, or extends it with zeroes.
    fn truncate(&self, size_bytes: u64) -> io::Result<()>;

    /// Extends the file to `size_bytes` with zeroes and allocates the space now, so that later
    /// writes within that size neither extend it nor run out of space. Does nothing on file systems
    /// without preallocation.
    fn preallocate(&self, size_bytes: u64) -> io::Result<()>;

    /// The file's size.
    fn size_bytes(&self) -> io::Result<u64>;
}
