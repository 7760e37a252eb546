//! The simulated disk.
//!
//! - A power failure loses, keeps or tears each write since the file's last sync, and each change
//!   of a directory since its last sync, independently of each other.
//! - A kill keeps all writes, but makes none of them durable.
//! - The disk can die at any changing operation: that one and all later ones fail, as for a process
//!   that has ended.
//! - It can fail a sync, and be full. What a failed sync didn't write can still be read, and counts
//!   as clean: only data written again becomes durable by a later sync.
//!
//! Journal files that are removed, or become spares, are archived, so that the whole journal can be
//! replayed.

mod content;
mod directory;

use std::{
    collections::{BTreeMap, BTreeSet},
    io, mem,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use parking_lot::Mutex;
use stele_base_env::{Disk, DiskFile, DiskLock, Entry, FileSystem, OpenMode};

use self::{
    content::{Change, Content},
    directory::{Directories, Node},
};
use crate::random::Random;

/// A journal file that a crash cut short before its first block is removed by recovery, and was
/// never a part of the journal.
const UNBORN_SIZE_BYTES_MAX: u64 = 64;

/// Linux's error for a process at its limit of open files (EMFILE).
const OUT_OF_FILES: i32 = 24;

/// What a power failure or a failed sync loses of the unsynced data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// Nothing.
    Nothing,
    /// All of it.
    Everything,
    /// Some of it, torn, depending on the seed.
    Some(u64),
}

/// The disk. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct MemoryDisk {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    directories: Directories,
    locked: BTreeSet<PathBuf>,
    /// The number of changing operations so far.
    operations: u64,
    /// The number of changing operations until it dies.
    fuse: Option<u64>,
    is_dead: bool,
    failing_sync: Option<FailingSync>,
    /// The number of changing operations until there is no room for any.
    full_after: Option<u64>,
    /// How many files and directories can still be opened.
    opens_left: Option<u64>,
    /// Data written but not synced, and its maximum so far.
    unsynced_bytes: u64,
    unsynced_bytes_max: u64,
    /// How much was written to files.
    written_bytes: u64,
    /// How much was read from files.
    read_bytes: u64,
    capacity_bytes: Option<u64>,
    /// How often there was no room.
    refusals: u64,
    /// Former journal files, as they were then: a process that still has one open may truncate or
    /// overwrite it.
    archive: BTreeMap<PathBuf, Content>,
    /// The number of files that became journal files under a new name.
    files_used_again: u64,
}

/// A sync that will fail.
#[derive(Clone, Copy, Debug)]
struct FailingSync {
    /// The number of syncs before it.
    left: u64,
    loss: Loss,
}

impl MemoryDisk {
    /// The number of changing operations so far.
    pub fn operations(&self) -> u64 {
        self.state.lock().operations
    }

    /// Dies at the changing operation after `operations` more.
    pub fn die_after(&self, operations: u64) {
        self.state.lock().fuse = Some(operations);
    }

    /// Has no room from the changing operation after `operations` more on: not even to remove,
    /// rename or sync something, as on copy-on-write file systems.
    pub fn fill_after(&self, operations: u64) {
        self.state.lock().full_after = Some(operations);
    }

    /// Whether that has happened. There is room again from now on.
    pub fn take_filled(&self) -> bool {
        self.state.lock().full_after.take() == Some(0)
    }

    /// Has no file descriptor left once `opens` more files or directories were opened, whatever is
    /// closed meanwhile.
    pub fn run_out_of_files_after(&self, opens: u64) {
        self.state.lock().opens_left = Some(opens);
    }

    /// Whether that has happened. There are enough again from now on.
    pub fn take_out_of_files(&self) -> bool {
        self.state.lock().opens_left.take() == Some(0)
    }

    /// Whether it has died.
    pub fn is_dead(&self) -> bool {
        self.state.lock().is_dead
    }

    /// The most data that was waiting for a sync, in all files, since the last call.
    pub fn take_unsynced_bytes_max(&self) -> u64 {
        let mut state = self.state.lock();
        let unsynced_bytes = state.unsynced_bytes;
        mem::replace(&mut state.unsynced_bytes_max, unsynced_bytes)
    }

    /// The amount written to files since the last call.
    pub fn take_written_bytes(&self) -> u64 {
        mem::take(&mut self.state.lock().written_bytes)
    }

    /// The amount read from files since the last call.
    pub fn take_read_bytes(&self) -> u64 {
        mem::take(&mut self.state.lock().read_bytes)
    }

    /// The sync of a file, or of the file system, after `syncs` more fails. Of the data it covers,
    /// `loss` determines what isn't on the disk and won't be before it is written again. Sizes
    /// aren't lost: they belong to the file system.
    pub fn fail_sync_after(&self, syncs: u64, loss: Loss) {
        let failing = FailingSync { left: syncs, loss };
        self.state.lock().failing_sync = Some(failing);
    }

    /// Whether a sync is still to fail.
    pub fn is_sync_to_fail(&self) -> bool {
        self.state.lock().failing_sync.is_some()
    }

    /// Limits the capacity from now on.
    pub fn limit(&self, capacity_bytes: Option<u64>) {
        self.state.lock().capacity_bytes = capacity_bytes;
    }

    /// How often it had no room for something.
    pub fn refusals(&self) -> u64 {
        self.state.lock().refusals
    }

    /// The number of bytes in files.
    pub fn used_bytes(&self) -> u64 {
        self.state.lock().directories.used_bytes()
    }

    /// The number of spares that have become journal files so far.
    pub fn files_used_again(&self) -> u64 {
        self.state.lock().files_used_again
    }

    /// The process that used it has ended; another may start. Unsynced data is there, but not
    /// durable.
    pub fn restart(&self) {
        let mut state = self.state.lock();
        state.locked.clear();
        state.fuse = None;
        state.is_dead = false;
        state.failing_sync = None;
    }

    /// The machine has lost power and restarted; another process may start.
    pub fn cut_power(&self, random: &mut Random) {
        self.restart();
        let mut state = self.state.lock();
        state.directories = state.directories.after_power_cut(random);
    }

    /// Another disk, in the state after a power failure of this one.
    pub fn after(&self, loss: Loss) -> Self {
        let state = self.state.lock();
        Self::holding(match loss {
            Loss::Nothing => state.directories.copy(),
            Loss::Everything => state.directories.synced(),
            Loss::Some(seed) => state.directories.after_power_cut(&mut Random::new(seed)),
        })
    }

    /// Changes the bytes of a file durably.
    pub fn edit(&self, path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
        match self.state.lock().directories.node(path) {
            Ok(Node::File(content)) => content.lock().edit(change),
            _ => panic!("no file {}", path.display()),
        }
    }

    /// Another disk with every journal file that ever existed, and nothing derived from them.
    pub fn journal_alone(&self) -> Self {
        let state = self.state.lock();
        let mut directories = state.directories.copy();
        directories.keep_files(|path| {
            let text = path.to_string_lossy();
            !text.contains("/segments/") && !text.contains("/snapshot/")
        });
        for (path, content) in &state.archive {
            directories.put_file(path, content.clone());
        }
        Self::holding(directories)
    }

    /// The paths of all files.
    pub fn files(&self) -> Vec<PathBuf> {
        self.state.lock().directories.files()
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
    /// Counts a changing operation; fails if the process has ended by then.
    fn begin_change(&mut self) -> io::Result<()> {
        self.operations += 1;
        if let Some(left) = &mut self.fuse {
            self.is_dead |= *left == 0;
            *left = left.saturating_sub(1);
        }
        if self.is_dead {
            return Err(io::Error::other("the process is gone"));
        }
        match &mut self.full_after {
            Some(0) => return Err(io::ErrorKind::StorageFull.into()),
            Some(left) => *left -= 1,
            None => {}
        }
        Ok(())
    }

    /// Counts an opening; fails if no descriptor is left for it.
    fn begin_open(&mut self) -> io::Result<()> {
        match &mut self.opens_left {
            Some(0) => Err(io::Error::from_raw_os_error(OUT_OF_FILES)),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Counts a sync; returns the loss if it fails.
    fn failed_sync(&mut self) -> Option<Loss> {
        let failing = self.failing_sync.as_mut()?;
        match failing.left.checked_sub(1) {
            Some(left) => {
                failing.left = left;
                None
            }
            None => self.failing_sync.take().map(|failing| failing.loss),
        }
    }

    /// Archives the journal file at `path`.
    fn archive(&mut self, path: &Path, node: &Node) {
        if let Node::File(content) = node
            && content.lock().size_bytes() > UNBORN_SIZE_BYTES_MAX
        {
            let content = content.lock().copy();
            self.archive.insert(path.to_owned(), content);
        }
    }

    fn check_room(&mut self, growth_bytes: u64) -> io::Result<()> {
        let is_full = self
            .capacity_bytes
            .is_some_and(|capacity| self.directories.used_bytes() + growth_bytes > capacity);
        if growth_bytes > 0 && is_full {
            self.refusals += 1;
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }
}

fn failing() -> io::Error {
    io::Error::other("the disk is failing")
}

fn is_journal(path: &Path) -> bool {
    path.extension().is_some_and(|it| it == "journal")
}

impl Disk for MemoryDisk {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = self.state.lock();
        state.begin_open()?;
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
        Ok(Arc::new(MemoryFile {
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
        match (is_journal(from), is_journal(to)) {
            (true, false) => {
                let node = state.directories.node(from)?;
                state.archive(from, &node);
            }
            (false, true) => state.files_used_again += 1,
            _ => {}
        }
        state.directories.rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        state.begin_change()?;
        let node = state.directories.remove(path)?;
        if is_journal(path) {
            state.archive(path, &node);
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
        state.begin_open()?;
        state.begin_change()?;
        state.directories.sync(path)
    }

    fn file_system(&self, _path: &Path) -> io::Result<Option<Arc<dyn FileSystem>>> {
        self.state.lock().begin_open()?;
        Ok(Some(Arc::new(self.clone())))
    }

    fn free_bytes(&self, _path: &Path) -> io::Result<u64> {
        let state = self.state.lock();
        let capacity = state.capacity_bytes.unwrap_or(u64::MAX);
        Ok(capacity.saturating_sub(state.directories.used_bytes()))
    }

    fn total_bytes(&self, _path: &Path) -> io::Result<u64> {
        Ok(self.state.lock().capacity_bytes.unwrap_or(u64::MAX))
    }
}

impl FileSystem for MemoryDisk {
    fn sync(&self) -> io::Result<()> {
        let mut state = self.state.lock();
        state.begin_change()?;
        if let Some(loss) = state.failed_sync() {
            state.directories.fail_sync_all(loss);
            return Err(failing());
        }
        state.directories.sync_all();
        state.unsynced_bytes = 0;
        Ok(())
    }
}

#[derive(Debug)]
struct Lock {
    disk: MemoryDisk,
    path: PathBuf,
}

impl Drop for Lock {
    fn drop(&mut self) {
        self.disk.state.lock().locked.remove(&self.path);
    }
}

#[derive(Debug)]
struct MemoryFile {
    disk: MemoryDisk,
    content: Arc<Mutex<Content>>,
}

impl MemoryFile {
    fn change(&self, change: Change) -> io::Result<()> {
        let mut state = self.disk.state.lock();
        state.begin_change()?;
        // Checking for room locks every file, including this one.
        let growth_bytes = self.content.lock().growth_bytes(&change);
        state.check_room(growth_bytes)?;
        let size_bytes = change.size_bytes();
        self.content.lock().change(change);
        state.written_bytes += size_bytes;
        state.unsynced_bytes += size_bytes;
        state.unsynced_bytes_max = state.unsynced_bytes_max.max(state.unsynced_bytes);
        Ok(())
    }
}

impl DiskFile for MemoryFile {
    fn write_at(&self, position: u64, bytes: &[u8]) -> io::Result<()> {
        self.change(Change::Write(position, bytes.to_owned()))
    }

    fn read_at(&self, position: u64, length: usize) -> io::Result<Bytes> {
        let bytes = self.content.lock().read(position, length);
        self.disk.state.lock().read_bytes += bytes.len() as u64;
        Ok(bytes)
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.disk.state.lock();
        state.begin_change()?;
        let failed = state.failed_sync();
        let mut content = self.content.lock();
        // What was truncated or removed meanwhile may have been counted with another sync.
        state.unsynced_bytes = state
            .unsynced_bytes
            .saturating_sub(content.unsynced_bytes());
        match failed {
            Some(loss) => {
                content.fail_sync(loss);
                Err(failing())
            }
            None => {
                content.sync();
                Ok(())
            }
        }
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
