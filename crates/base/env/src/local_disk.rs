//! The operating system's file system.
#![expect(
    clippy::disallowed_methods,
    reason = "this is what the bans' replacement stands on"
)]

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io,
    os::unix::fs::FileExt,
    path::Path,
    sync::Arc,
};

use bytes::Bytes;
use rustix::{buffer::spare_capacity, fs::FallocateFlags, io::Errno};

use crate::{Disk, DiskFile, DiskLock, Entry, FileSystem, OpenMode};

/// The file system that paths of this process mean.
#[derive(Clone, Copy, Debug, Default)]
pub struct LocalDisk;

impl Disk for LocalDisk {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>> {
        let mut options = OpenOptions::new();
        options.read(true);
        match mode {
            OpenMode::Read => &mut options,
            OpenMode::Write => options.write(true),
            OpenMode::CreateOrWrite => options.write(true).create(true).truncate(false),
            OpenMode::CreateNew => options.write(true).create_new(true),
        };
        Ok(Arc::new(LocalFile(options.open(path)?)))
    }

    fn try_lock(&self, path: &Path) -> io::Result<Option<DiskLock>> {
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Box::new(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        fs::exists(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            if let Ok(name) = entry.file_name().into_string() {
                let is_dir = entry.file_type()?.is_dir();
                entries.push(Entry { name, is_dir });
            }
        }
        entries.sort();
        Ok(entries)
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        match fs::create_dir(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
            made => made,
        }
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    #[cfg(target_os = "linux")]
    fn file_system(&self, path: &Path) -> io::Result<Option<Arc<dyn FileSystem>>> {
        Ok(Some(Arc::new(LocalFileSystem(File::open(path)?))))
    }

    fn free_bytes(&self, path: &Path) -> io::Result<u64> {
        let status = rustix::fs::statvfs(path)?;
        Ok(status.f_bavail.saturating_mul(status.f_frsize))
    }
}

/// Any file of it, opened when it was taken: Linux tells an opened file of failed writes anywhere
/// on its file system from then on (since 5.8).
#[cfg(target_os = "linux")]
#[derive(Debug)]
struct LocalFileSystem(File);

#[cfg(target_os = "linux")]
impl FileSystem for LocalFileSystem {
    fn sync(&self) -> io::Result<()> {
        Ok(rustix::fs::syncfs(&self.0)?)
    }
}

#[derive(Debug)]
struct LocalFile(File);

impl DiskFile for LocalFile {
    fn write_at(&self, position: u64, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all_at(bytes, position)
    }

    fn read_at(&self, position: u64, length: usize) -> io::Result<Bytes> {
        // Read into uninitialised capacity: what is about to be overwritten isn't zeroed first.
        let mut bytes = Vec::with_capacity(length);
        while bytes.len() < length {
            let from = position.saturating_add(bytes.len() as u64);
            match rustix::io::pread(&self.0, spare_capacity(&mut bytes), from) {
                Ok(0) => break,
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        // The allocator may have rounded the capacity up, and the kernel filled it.
        bytes.truncate(length);
        Ok(bytes.into())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn truncate(&self, size_bytes: u64) -> io::Result<()> {
        self.0.set_len(size_bytes)
    }

    fn preallocate(&self, size_bytes: u64) -> io::Result<()> {
        match rustix::fs::fallocate(&self.0, FallocateFlags::empty(), 0, size_bytes) {
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(()),
            done => Ok(done?),
        }
    }

    fn size_bytes(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_ends_where_the_file_ends() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        let file = LocalDisk.open(&path, OpenMode::CreateNew).unwrap();
        file.write_at(3, b"abc").unwrap();
        file.sync_data().unwrap();
        assert_eq!(&file.read_at(0, 100).unwrap()[..], b"\0\0\0abc");
        assert_eq!(&file.read_at(4, 1).unwrap()[..], b"b");
        assert_eq!(&file.read_at(90, 10).unwrap()[..], b"");
        assert_eq!(file.size_bytes().unwrap(), 6);
    }

    #[test]
    fn modes_make_files_only_where_they_say_so() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        for mode in [OpenMode::Read, OpenMode::Write] {
            let error = LocalDisk.open(&path, mode).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::NotFound);
        }
        LocalDisk
            .open(&path, OpenMode::CreateOrWrite)
            .unwrap()
            .write_at(0, b"kept")
            .unwrap();
        let again = LocalDisk.open(&path, OpenMode::CreateOrWrite).unwrap();
        assert_eq!(again.size_bytes().unwrap(), 4);
        let error = LocalDisk.open(&path, OpenMode::CreateNew).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
    }

    #[test]
    fn a_lock_has_one_holder_until_dropped() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("LOCK");
        let held = LocalDisk.try_lock(&path).unwrap();
        assert!(held.is_some());
        assert!(LocalDisk.try_lock(&path).unwrap().is_none());
        drop(held);
        assert!(LocalDisk.try_lock(&path).unwrap().is_some());
    }

    #[test]
    fn writing_whole_replaces_and_leaves_nothing_beside() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state");
        LocalDisk.write_whole(&path, b"first, longer").unwrap();
        LocalDisk.write_whole(&path, b"second").unwrap();
        assert_eq!(&LocalDisk.read(&path).unwrap()[..], b"second");
        let entries = LocalDisk.list(directory.path()).unwrap();
        assert_eq!(
            entries,
            [Entry {
                name: "state".to_owned(),
                is_dir: false
            }]
        );
    }

    #[test]
    fn directories_are_made_once_and_removed_empty() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        LocalDisk.create_dir(&path).unwrap();
        LocalDisk.create_dir(&path).unwrap();
        LocalDisk.sync_dir(directory.path()).unwrap();
        assert!(LocalDisk.exists(&path).unwrap());
        LocalDisk.remove_dir(&path).unwrap();
        assert!(!LocalDisk.exists(&path).unwrap());
    }

    #[test]
    fn preallocation_grows_with_zeroes_and_keeps_what_is_there() {
        let directory = tempfile::tempdir().unwrap();
        let file = LocalDisk
            .open(&directory.path().join("file"), OpenMode::CreateNew)
            .unwrap();
        file.write_at(0, b"abc").unwrap();
        file.preallocate(8).unwrap();
        assert_eq!(&file.read_at(0, 8).unwrap()[..], b"abc\0\0\0\0\0");
        file.truncate(2).unwrap();
        assert_eq!(&file.read_at(0, 8).unwrap()[..], b"ab");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_file_system_is_synced_as_a_whole() {
        let directory = tempfile::tempdir().unwrap();
        let file_system = LocalDisk.file_system(directory.path()).unwrap();
        let path = directory.path().join("file");
        let file = LocalDisk.open(&path, OpenMode::CreateNew).unwrap();
        file.write_at(0, b"abc").unwrap();
        file_system.expect("Linux can").sync().unwrap();
    }

    #[test]
    fn a_file_system_in_use_has_free_bytes() {
        let directory = tempfile::tempdir().unwrap();
        assert!(LocalDisk.free_bytes(directory.path()).unwrap() > 0);
    }
}
