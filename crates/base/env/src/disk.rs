//! The disk: what storage asks of a file system, and what it may rely on after a crash.
//!
//! The promises, which every implementation keeps and the simulated one takes to their limits:
//!
//! - Bytes of a file survive a crash once [`DiskFile::sync_data`] has returned after their write.
//!   Bytes written later may survive, be lost, or be torn at any byte, in any order.
//! - A file's or directory's entry (its creation, renaming or removal) survives once
//!   [`Disk::sync_dir`] of the directory that holds it has returned. Until then a crash may show
//!   the directory as before.
//! - A rename replaces an existing target at once: after a crash there is the old one or the new.
//! - After a failed `sync_data` nothing may be assumed of what was written since the last
//!   successful one; trying again may report success without having written. The caller gives
//!   the file up. Whoever opens it later may read those bytes as if they were on disk; only what
//!   is written again is.
//!
//! Everything is synchronous; who must not wait calls from a thread that may.

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
    /// For reading and writing; made empty where it doesn't exist, left as it is where it does.
    CreateOrWrite,
    /// For reading and writing; fails with [`io::ErrorKind::AlreadyExists`] where it exists.
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

/// Whether the disk, or what this process may take of it, had no room.
pub fn is_out_of_space(error: &io::Error) -> bool {
    let kind = error.kind();
    kind == io::ErrorKind::StorageFull || kind == io::ErrorKind::QuotaExceeded
}

/// Whether there was no file descriptor left, for this process or for the whole machine.
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

    /// Takes an exclusive lock on the file at `path`, making it where it doesn't exist. `None`
    /// where another holds it. The operating system releases the lock of a process that dies.
    fn try_lock(&self, path: &Path) -> io::Result<Option<DiskLock>>;

    /// Whether there is anything at `path`.
    fn exists(&self, path: &Path) -> io::Result<bool>;

    /// The entries of the directory `path`, sorted by name. Entries whose name isn't UTF-8 are
    /// left out: none of them is Stele's.
    fn list(&self, path: &Path) -> io::Result<Vec<Entry>>;

    /// Makes the directory `path`, whose parent exists. Succeeds where it is there already.
    fn create_dir(&self, path: &Path) -> io::Result<()>;

    /// Takes the access to the directory `path` from all but its owner; whether others had any. A
    /// disk that knows no owners does nothing.
    fn restrict_dir(&self, _path: &Path) -> io::Result<bool> {
        Ok(false)
    }

    /// Renames a file, replacing one that has the name.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    fn remove_file(&self, path: &Path) -> io::Result<()>;

    /// Removes an empty directory.
    fn remove_dir(&self, path: &Path) -> io::Result<()>;

    /// Makes the entries of the directory `path` survive a crash.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;

    /// A way to sync all that lies on the file system of `path` at once, where there is one: for
    /// so many files that syncing each would take long.
    fn file_system(&self, path: &Path) -> io::Result<Option<Arc<dyn FileSystem>>> {
        let _ = path;
        Ok(None)
    }

    /// Bytes that can still be written to the file system that holds `path`.
    fn free_bytes(&self, path: &Path) -> io::Result<u64>;

    /// The whole file at `path`.
    fn read(&self, path: &Path) -> io::Result<Bytes> {
        let file = self.open(path, OpenMode::Read)?;
        let size = usize::try_from(file.size_bytes()?).map_err(io::Error::other)?;
        file.read_at(0, size)
    }

    /// Puts a file with these bytes at `path` such that a crash leaves the old one or the new one,
    /// whole: a temporary file beside it, synced, renamed, and the directory synced.
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
    /// Returns once everything written to any file, and every directory's entries, survive a
    /// crash. Fails where a write failed since this was taken.
    fn sync(&self) -> io::Result<()>;
}

/// An open file. All positions are bytes from its start; there is no cursor, so that a file can be
/// shared between the thread that writes it and those that read it.
pub trait DiskFile: Debug + Send + Sync {
    /// Writes all of `bytes` at `position`, growing the file where they reach past its end.
    fn write_at(&self, position: u64, bytes: &[u8]) -> io::Result<()>;

    /// Up to `length` bytes from `position`; fewer only where the file ends.
    fn read_at(&self, position: u64, length: usize) -> io::Result<Bytes>;

    /// Returns once everything written, and the size, survives a crash.
    fn sync_data(&self) -> io::Result<()>;

    /// Cuts the file to `size_bytes`, or grows it with zeroes.
    fn truncate(&self, size_bytes: u64) -> io::Result<()>;

    /// Grows the file to `size_bytes` with zeroes and takes the space for them now, so that later
    /// writes below that neither grow it nor run out of space. Where the file system has no such
    /// request, this does nothing.
    fn preallocate(&self, size_bytes: u64) -> io::Result<()>;

    /// The file's size.
    fn size_bytes(&self) -> io::Result<u64>;
}
