//! A disk in memory that keeps only the promises that [`stele_base_env::Disk`] makes.
//!
//! - A power cut loses, keeps or tears each write since the file's last sync, and each change of a
//!   directory since its last sync, one independent of the other.
//! - A kill keeps all writes, but none of them is any safer than before.
//! - It can die at any changing operation: that one and all after it fail, as for a process that
//!   is no more.
//! - It can fail a sync, and be full.
//!
//! Journal files that are removed are kept aside, so that the whole journal can be replayed.

mod content;
mod directory;

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use parking_lot::Mutex;
use stele_base_env::{Disk, DiskFile, DiskLock, Entry, OpenMode};

use self::{
    content::{Change, Content},
    directory::{Directories, Node},
};
use crate::random::Random;

/// A journal file that a crash cut short before its first block is removed by recovery, and was
/// never a part of the journal.
const UNBORN_SIZE_BYTES_MAX: u64 = 64;

/// How a process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Crash {
    /// It is killed: the operating system still has what was written.
    Kill,
    /// The machine loses power.
    PowerCut,
}

/// The disk. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct SimDisk {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    directories: Directories,
    locked: BTreeSet<PathBuf>,
    /// Changing operations until it dies.
    fuse: Option<u64>,
    is_dead: bool,
    fails_sync: bool,
    capacity_bytes: Option<u64>,
    /// Removed journal files.
    archive: BTreeMap<PathBuf, Arc<Mutex<Content>>>,
}

impl SimDisk {
    /// Dies at the changing operation after `operations` more.
    pub(crate) fn die_after(&self, operations: u64) {
        self.state.lock().fuse = Some(operations);
    }

    /// Whether it has died.
    pub(crate) fn is_dead(&self) -> bool {
        self.state.lock().is_dead
    }

    /// The next sync of a file fails.
    pub(crate) fn fail_next_sync(&self) {
        self.state.lock().fails_sync = true;
    }

    /// Holds at most this from now on.
    pub(crate) fn limit(&self, capacity_bytes: Option<u64>) {
        self.state.lock().capacity_bytes = capacity_bytes;
    }

    /// Bytes in files.
    pub(crate) fn used_bytes(&self) -> u64 {
        self.state.lock().directories.used_bytes()
    }

    /// The process that used it is gone; another may start.
    pub(crate) fn crash(&self, crash: Crash, random: &mut Random) {
        let mut state = self.state.lock();
        state.locked.clear();
        state.fuse = None;
        state.is_dead = false;
        state.fails_sync = false;
        if crash == Crash::PowerCut {
            state.directories.lose_power(random);
        }
    }

    /// Another disk with the same content and nothing that may be lost.
    pub(crate) fn copy(&self) -> Self {
        let state = self.state.lock();
        Self::holding(state.directories.copy())
    }

    /// Another disk with every journal file that there ever was and nothing made from them.
    pub(crate) fn journal_alone(&self) -> Self {
        let state = self.state.lock();
        let mut directories = state.directories.copy();
        directories.keep_files(|path| {
            let text = path.to_string_lossy();
            !text.contains("/segments/") && !text.contains("/snapshot/")
        });
        for (path, content) in &state.archive {
            let content = content.lock().copy();
            directories.put_file(path, content);
        }
        Self::holding(directories)
    }

    /// All files below `path`.
    pub(crate) fn files_below(&self, path: &Path) -> Vec<PathBuf> {
        self.state.lock().directories.files_below(path)
    }

    /// Every journal file below `path` that there ever was, up to its last byte that isn't zero.
    pub(crate) fn journals(&self, path: &Path) -> Vec<Bytes> {
        let disk = self.journal_alone();
        let files = disk.files_below(path).into_iter();
        let journals = files.filter(|path| path.extension().is_some_and(|it| it == "journal"));
        let read = journals.map(|path| {
            let bytes = disk.read(&path).expect("the file is there");
            let last = bytes.iter().rposition(|byte| *byte != 0);
            let size_bytes = last.map_or(0, |last| last + 1);
            bytes.slice(..size_bytes)
        });
        read.collect()
    }

    fn holding(directories: Directories) -> Self {
        let state = State {
            directories,
            ..State::default()
        };
        Self {
            state: Arc::new(Mutex::new(state)),
        }
    }
}

impl State {
    /// Counts a changing operation; fails where the process is gone by then.
    fn begin_change(&mut self) -> io::Result<()> {
        if let Some(left) = &mut self.fuse {
            self.is_dead |= *left == 0;
            *left = left.saturating_sub(1);
        }
        if self.is_dead {
            return Err(io::Error::other("the process is gone"));
        }
        Ok(())
    }

    fn check_room(&self, growth_bytes: u64) -> io::Result<()> {
        let is_full = self
            .capacity_bytes
            .is_some_and(|capacity| self.directories.used_bytes() + growth_bytes > capacity);
        if growth_bytes > 0 && is_full {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }
}

impl Disk for SimDisk {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = self.state.lock();
        let content = match (state.directories.node(path), mode) {
            (Ok(Node::Dir), _) => return Err(io::ErrorKind::IsADirectory.into()),
            (Ok(Node::File(_)), OpenMode::CreateNew) => {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            (Ok(Node::File(content)), _) => content,
            (Err(error), OpenMode::Read | OpenMode::Write) => return Err(error),
            (Err(_), OpenMode::CreateOrWrite | OpenMode::CreateNew) => {
                state.begin_change()?;
                let content = Arc::new(Mutex::new(Content::default()));
                state
                    .directories
                    .insert(path, Node::File(Arc::clone(&content)))?;
                content
            }
        };
        Ok(Arc::new(SimFile {
            disk: self.clone(),
            content,
        }))
    }

    fn try_lock(&self, path: &Path) -> io::Result<Option<DiskLock>> {
        self.open(path, OpenMode::CreateOrWrite)?;
        if !self.state.lock().locked.insert(path.to_owned()) {
            return Ok(None);
        }
        Ok(Some(Box::new(Lock {
            disk: self.clone(),
            path: path.to_owned(),
        })))
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        Ok(self.state.lock().directories.node(path).is_ok())
    }

    fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
        self.state.lock().directories.list(path)
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        if state.directories.node(path).is_ok() {
            return Ok(());
        }
        state.begin_change()?;
        state.directories.insert(path, Node::Dir)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        state.begin_change()?;
        state.directories.rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        state.begin_change()?;
        let content = state.directories.remove(path)?;
        if let Node::File(content) = content
            && path.extension().is_some_and(|it| it == "journal")
            && content.lock().size_bytes() > UNBORN_SIZE_BYTES_MAX
        {
            state.archive.insert(path.to_owned(), content);
        }
        Ok(())
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        if !state.directories.list(path)?.is_empty() {
            return Err(io::ErrorKind::DirectoryNotEmpty.into());
        }
        state.begin_change()?;
        state.directories.remove(path).map(drop)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        state.begin_change()?;
        state.directories.sync(path)
    }

    fn free_bytes(&self, _path: &Path) -> io::Result<u64> {
        let state = self.state.lock();
        let capacity = state.capacity_bytes.unwrap_or(u64::MAX);
        Ok(capacity.saturating_sub(state.directories.used_bytes()))
    }
}

#[derive(Debug)]
struct Lock {
    disk: SimDisk,
    path: PathBuf,
}

impl Drop for Lock {
    fn drop(&mut self) {
        self.disk.state.lock().locked.remove(&self.path);
    }
}

#[derive(Debug)]
struct SimFile {
    disk: SimDisk,
    content: Arc<Mutex<Content>>,
}

impl SimFile {
    fn change(&self, change: Change) -> io::Result<()> {
        let mut state = self.disk.state.lock();
        state.begin_change()?;
        // Looking for room locks every file, this one too.
        let growth_bytes = self.content.lock().growth_bytes(&change);
        state.check_room(growth_bytes)?;
        self.content.lock().change(change);
        Ok(())
    }
}

impl DiskFile for SimFile {
    fn write_at(&self, position: u64, bytes: &[u8]) -> io::Result<()> {
        self.change(Change::Write(position, bytes.to_owned()))
    }

    fn read_at(&self, position: u64, length: usize) -> io::Result<Bytes> {
        Ok(self.content.lock().read(position, length))
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.disk.state.lock();
        state.begin_change()?;
        if std::mem::take(&mut state.fails_sync) {
            return Err(io::Error::other("the disk is failing"));
        }
        self.content.lock().sync();
        Ok(())
    }

    fn truncate(&self, size_bytes: u64) -> io::Result<()> {
        self.change(Change::Size(size_bytes))
    }

    fn preallocate(&self, size_bytes: u64) -> io::Result<()> {
        if self.size_bytes()? < size_bytes {
            self.change(Change::Size(size_bytes))?;
        }
        Ok(())
    }

    fn size_bytes(&self) -> io::Result<u64> {
        Ok(self.content.lock().size_bytes())
    }
}

#[cfg(test)]
mod tests;
