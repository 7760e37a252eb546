//! A disk in memory that keeps no more promises than [`stele_base_env::Disk`] makes.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard},
};

use bytes::Bytes;
use stele_base_env::{Disk, DiskFile, DiskLock, Entry, FileSystem, OpenMode};

/// What a crash leaves of what was never synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Crash {
    /// Nothing.
    LosesAll,
    /// All of it: the process died, the machine didn't.
    KeepsAll,
    /// Some of it, torn, as the seed has it.
    Tears(u64),
}

#[derive(Clone, Debug)]
pub(crate) struct MemoryDisk {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    entries: BTreeMap<PathBuf, Node>,
    /// Per directory, its entries as of its last sync.
    synced: BTreeMap<PathBuf, BTreeMap<String, Node>>,
    locked: BTreeSet<PathBuf>,
    /// Counts operations that change something.
    operations: u64,
    /// From this operation on, everything fails: the machine is down.
    crash_at: Option<u64>,
    /// The next sync of a file fails.
    fail_sync: bool,
    /// The most that was written to a file and not synced.
    unsynced_bytes_max: u64,
    capacity_bytes: Option<u64>,
}

#[derive(Clone, Debug)]
enum Node {
    File(Arc<Mutex<Content>>),
    Dir,
}

#[derive(Clone, Debug, Default)]
struct Content {
    bytes: Vec<u8>,
    synced: Vec<u8>,
    /// Writes since the last sync.
    unsynced: Vec<Change>,
}

#[derive(Clone, Debug)]
enum Change {
    Write(u64, Vec<u8>),
    Size(u64),
}

impl MemoryDisk {
    pub(crate) fn new() -> Self {
        Self::of(BTreeMap::new())
    }

    fn of(mut entries: BTreeMap<PathBuf, Node>) -> Self {
        entries.insert(PathBuf::from("/"), Node::Dir);
        let mut state = State {
            entries,
            ..State::default()
        };
        let dirs: Vec<_> = state.entries.keys().cloned().collect();
        for dir in dirs {
            state.sync_dir(&dir);
        }
        Self {
            state: Arc::new(Mutex::new(state)),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// How many operations have changed something so far.
    pub(crate) fn operations(&self) -> u64 {
        self.state().operations
    }

    /// Lets the operation of this number, and all after it, fail.
    pub(crate) fn crash_at(&self, operation: u64) {
        self.state().crash_at = Some(operation);
    }

    /// The process that failed is gone; another may use the disk. What wasn't synced is there, and
    /// no safer than before.
    pub(crate) fn restart(&self) {
        self.state().crash_at = None;
    }

    /// The most that was written to a file between two syncs since this was last asked.
    pub(crate) fn take_unsynced_bytes_max(&self) -> u64 {
        std::mem::take(&mut self.state().unsynced_bytes_max)
    }

    pub(crate) fn fail_next_sync(&self) {
        self.state().fail_sync = true;
    }

    pub(crate) fn limit(&self, capacity_bytes: Option<u64>) {
        self.state().capacity_bytes = capacity_bytes;
    }

    /// The disk as the machine finds it when it comes up again.
    pub(crate) fn after(&self, crash: Crash) -> Self {
        let state = self.state();
        let mut random = Random(match crash {
            Crash::Tears(seed) => seed,
            _ => 0,
        });
        let mut entries = BTreeMap::new();
        state.survivors(Path::new("/"), crash, &mut random, &mut entries);
        Self::of(entries)
    }

    /// The bytes of a file, to change them.
    pub(crate) fn edit(&self, path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
        let state = self.state();
        let Some(Node::File(content)) = state.entries.get(path) else {
            panic!("no file {}", path.display());
        };
        let mut content = content.lock().unwrap();
        change(&mut content.bytes);
        content.sync();
    }

    /// The paths of all files.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let state = self.state();
        let files = state.entries.iter();
        let files = files.filter(|(_, node)| matches!(node, Node::File(_)));
        files.map(|(path, _)| path.clone()).collect()
    }
}

impl State {
    fn begin_change(&mut self) -> io::Result<()> {
        let operation = self.operations;
        self.operations += 1;
        match self.crash_at {
            Some(crash_at) if operation >= crash_at => Err(io::Error::other("the machine is down")),
            _ => Ok(()),
        }
    }

    fn node(&self, path: &Path) -> io::Result<Node> {
        let node = self.entries.get(path);
        node.cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn children(&self, dir: &Path) -> BTreeMap<String, Node> {
        let below = self.entries.iter();
        let below = below.filter(|(path, _)| path.parent() == Some(dir));
        below
            .map(|(path, node)| {
                (
                    path.file_name().unwrap().to_str().unwrap().to_owned(),
                    node.clone(),
                )
            })
            .collect()
    }

    fn sync_dir(&mut self, dir: &Path) {
        let children = self.children(dir);
        self.synced.insert(dir.to_owned(), children);
    }

    fn survivors(
        &self,
        dir: &Path,
        crash: Crash,
        random: &mut Random,
        out: &mut BTreeMap<PathBuf, Node>,
    ) {
        let keeps_entries = match crash {
            Crash::LosesAll => false,
            Crash::KeepsAll => true,
            Crash::Tears(_) => random.next().is_multiple_of(2),
        };
        let children = if keeps_entries {
            self.children(dir)
        } else {
            self.synced.get(dir).cloned().unwrap_or_default()
        };
        for (name, node) in children {
            let path = dir.join(name);
            match node {
                Node::Dir => {
                    out.insert(path.clone(), Node::Dir);
                    self.survivors(&path, crash, random, out);
                }
                Node::File(content) => {
                    let bytes = content.lock().unwrap().survivor(crash, random);
                    let content = Content {
                        synced: bytes.clone(),
                        bytes,
                        unsynced: Vec::new(),
                    };
                    out.insert(path, Node::File(Arc::new(Mutex::new(content))));
                }
            }
        }
    }

    fn used_bytes(&self) -> u64 {
        let sizes = self.entries.values().map(|node| match node {
            Node::File(content) => content.lock().unwrap().bytes.len() as u64,
            Node::Dir => 0,
        });
        sizes.sum()
    }
}

impl Content {
    fn survivor(&self, crash: Crash, random: &mut Random) -> Vec<u8> {
        match crash {
            Crash::LosesAll => self.synced.clone(),
            Crash::KeepsAll => self.bytes.clone(),
            Crash::Tears(_) => {
                let mut bytes = self.synced.clone();
                for change in &self.unsynced {
                    match (random.next() % 3, change) {
                        (0, _) => {}
                        (1, Change::Write(position, written)) => {
                            let length = random.next() as usize % (written.len() + 1);
                            put(&mut bytes, *position, &written[..length]);
                        }
                        (_, change) => change.apply(&mut bytes),
                    }
                }
                bytes
            }
        }
    }

    fn sync(&mut self) {
        self.synced = self.bytes.clone();
        self.unsynced.clear();
    }

    fn unsynced_bytes(&self) -> u64 {
        let written = self.unsynced.iter().map(|change| match change {
            Change::Write(_, bytes) => bytes.len() as u64,
            Change::Size(_) => 0,
        });
        written.sum()
    }

    fn change(&mut self, change: Change) {
        change.apply(&mut self.bytes);
        self.unsynced.push(change);
    }
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Write(position, written) => put(bytes, *position, written),
            Self::Size(size) => bytes.resize(*size as usize, 0),
        }
    }
}

fn put(bytes: &mut Vec<u8>, position: u64, written: &[u8]) {
    let end = position as usize + written.len();
    if bytes.len() < end {
        bytes.resize(end, 0);
    }
    bytes[position as usize..end].copy_from_slice(written);
}

impl Disk for MemoryDisk {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = self.state();
        let content = match (state.node(path), mode) {
            (Ok(Node::Dir), _) => return Err(io::ErrorKind::IsADirectory.into()),
            (Ok(_), OpenMode::CreateNew) => return Err(io::ErrorKind::AlreadyExists.into()),
            (Ok(Node::File(content)), _) => content,
            (Err(error), OpenMode::Read | OpenMode::Write) => return Err(error),
            (Err(_), OpenMode::CreateOrWrite | OpenMode::CreateNew) => {
                state.begin_change()?;
                state.node(path.parent().unwrap())?;
                let content = Arc::new(Mutex::new(Content::default()));
                let node = Node::File(content.clone());
                state.entries.insert(path.to_owned(), node);
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
        if !self.state().locked.insert(path.to_owned()) {
            return Ok(None);
        }
        Ok(Some(Box::new(Lock {
            disk: self.clone(),
            path: path.to_owned(),
        })))
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        Ok(self.state().entries.contains_key(path))
    }

    fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
        let state = self.state();
        state.node(path)?;
        let children = state.children(path).into_iter();
        let entries = children.map(|(name, node)| Entry {
            name,
            is_dir: matches!(node, Node::Dir),
        });
        Ok(entries.collect())
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        if state.entries.contains_key(path) {
            return Ok(());
        }
        state.begin_change()?;
        state.node(path.parent().unwrap())?;
        state.entries.insert(path.to_owned(), Node::Dir);
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.begin_change()?;
        let node = state.node(from)?;
        state.entries.remove(from);
        state.entries.insert(to.to_owned(), node);
        Ok(())
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.node(path)?;
        state.begin_change()?;
        state.entries.remove(path);
        Ok(())
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.node(path)?;
        if !state.children(path).is_empty() {
            return Err(io::ErrorKind::DirectoryNotEmpty.into());
        }
        state.begin_change()?;
        state.entries.remove(path);
        Ok(())
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.begin_change()?;
        state.node(path)?;
        state.sync_dir(path);
        Ok(())
    }

    fn file_system(&self, _path: &Path) -> io::Result<Option<Arc<dyn FileSystem>>> {
        Ok(Some(Arc::new(self.clone())))
    }

    fn free_bytes(&self, _path: &Path) -> io::Result<u64> {
        let state = self.state();
        let capacity = state.capacity_bytes.unwrap_or(u64::MAX);
        Ok(capacity.saturating_sub(state.used_bytes()))
    }
}

impl FileSystem for MemoryDisk {
    fn sync(&self) -> io::Result<()> {
        let mut state = self.state();
        state.begin_change()?;
        let mut dirs = Vec::new();
        for (path, node) in &state.entries {
            match node {
                Node::Dir => dirs.push(path.clone()),
                Node::File(content) => content.lock().unwrap().sync(),
            }
        }
        dirs.iter().for_each(|dir| state.sync_dir(dir));
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
        self.disk.state().locked.remove(&self.path);
    }
}

#[derive(Debug)]
struct MemoryFile {
    disk: MemoryDisk,
    content: Arc<Mutex<Content>>,
}

impl MemoryFile {
    fn change(&self, change: Change) -> io::Result<()> {
        let mut state = self.disk.state();
        state.begin_change()?;
        if let Some(capacity) = state.capacity_bytes {
            let before = self.content.lock().unwrap().bytes.len() as u64;
            let after = match &change {
                Change::Write(position, written) => before.max(position + written.len() as u64),
                Change::Size(size) => *size,
            };
            if after > before && state.used_bytes() + (after - before) > capacity {
                return Err(io::ErrorKind::StorageFull.into());
            }
        }
        let mut content = self.content.lock().unwrap();
        content.change(change);
        let unsynced_bytes = content.unsynced_bytes();
        state.unsynced_bytes_max = state.unsynced_bytes_max.max(unsynced_bytes);
        Ok(())
    }
}

impl DiskFile for MemoryFile {
    fn write_at(&self, position: u64, bytes: &[u8]) -> io::Result<()> {
        self.change(Change::Write(position, bytes.to_owned()))
    }

    fn read_at(&self, position: u64, length: usize) -> io::Result<Bytes> {
        let content = self.content.lock().unwrap();
        let start = (position as usize).min(content.bytes.len());
        let end = start.saturating_add(length).min(content.bytes.len());
        Ok(Bytes::copy_from_slice(&content.bytes[start..end]))
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.disk.state();
        state.begin_change()?;
        if std::mem::take(&mut state.fail_sync) {
            return Err(io::Error::other("the disk is failing"));
        }
        self.content.lock().unwrap().sync();
        Ok(())
    }

    fn truncate(&self, size_bytes: u64) -> io::Result<()> {
        self.change(Change::Size(size_bytes))
    }

    fn preallocate(&self, size_bytes: u64) -> io::Result<()> {
        let before = self.size_bytes()?;
        if before < size_bytes {
            self.change(Change::Size(size_bytes))?;
        }
        Ok(())
    }

    fn size_bytes(&self) -> io::Result<u64> {
        Ok(self.content.lock().unwrap().bytes.len() as u64)
    }
}

/// Splitmix64: enough to vary what is torn.
#[derive(Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
