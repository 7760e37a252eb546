//! The data directory: its lock, its format, and its layout.
//!
//! ```text
//! DIR/FORMAT                       version and number of shards, as text with a checksum
//! DIR/LOCK                         locked by the process that uses the directory
//! DIR/shard-N.stopped              up to which block all was on disk at the last graceful stop
//! DIR/shard-N/journal/S.journal    S = sequence of the file's first block, 20 digits
//! DIR/shard-N/journal/S.spare      a checkpointed journal file that is to be used again
//! DIR/shard-N/snapshot/S.snapshot  S = sequence of the first block that it doesn't cover
//! DIR/shard-N/snapshot/N.parts     parts of the state, N = a number of 20 digits
//! DIR/shard-N/segments/L/P/O.log   L = log, P = partition, O = first offset, 20 digits
//! DIR/shard-N/segments/L/P/O.index
//! ```
//!
//! No absolute path is stored anywhere: the directory can be moved as a whole.

mod format;
mod stop_mark;

use std::{
    collections::BTreeSet,
    fmt, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use stele_base_env::{Disk, DiskLock};
use stele_base_types::ShardId;

use self::format::{Format, FormatFile};
pub(crate) use self::stop_mark::StopMark;
use crate::{
    BlockSequence, Error, SegmentStore,
    error::AtPath,
    journal::Spares,
    limits::{GROUP_SYNC_MIN, OPEN_FILES_MAX},
    segment::Leftovers,
    space::Promises,
    store::LocalStore,
};

/// A locked data directory. The lock is held until this and every [`ShardDirectory`] from it is
/// dropped.
#[derive(Clone)]
pub struct DataDirectory {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    format: Arc<FormatFile>,
    promises: Arc<Promises>,
    /// How many segments of each shard stay open between reads.
    open_files_max: usize,
    lock: Arc<DiskLock>,
}

impl DataDirectory {
    /// Locks the directory at `path`, or creates it for `shard_count` shards if it doesn't exist.
    /// An existing directory keeps its number of shards; recovery upgrades an earlier format to the
    /// latest.
    ///
    /// Fails with [`Error::Locked`] if another process uses it, and with [`Error::Format`] if it is
    /// of another version or not a data directory.
    pub fn open(disk: Arc<dyn Disk>, path: &Path, shard_count: u16) -> Result<Self, Error> {
        assert!(shard_count > 0, "a directory has at least one shard");
        create_dir_all(&*disk, path)?;
        let lock_path = path.join("LOCK");
        let lock = disk.try_lock(&lock_path).at("lock", &lock_path)?;
        let lock = lock.ok_or_else(|| Error::Locked {
            path: path.to_owned(),
        })?;
        let format_path = path.join("FORMAT");
        let format = if disk.exists(&format_path).at("look for", &format_path)? {
            let text = disk.read(&format_path).at("read", &format_path)?;
            Format::decode(&format_path, &text)?
        } else {
            refuse_foreign(&*disk, path)?;
            let format = Format::latest(shard_count);
            disk.write_whole(&format_path, format.encode().as_bytes())
                .at("write", &format_path)?;
            format
        };
        Ok(Self {
            disk,
            path: path.to_owned(),
            promises: Arc::new(Promises::new(format.shard_count)),
            open_files_max: OPEN_FILES_MAX,
            format: Arc::new(FormatFile::new(format_path, format)),
            lock: Arc::new(lock),
        })
    }

    /// Limits how many segments of all shards together stay open between reads.
    pub fn with_open_files(mut self, count_max: usize) -> Self {
        let each = count_max / usize::from(self.shard_count());
        self.open_files_max = each.clamp(1, OPEN_FILES_MAX);
        self
    }

    /// Locks the directory at `path`, which exists, without changing it.
    pub(crate) fn open_existing(disk: Arc<dyn Disk>, path: &Path) -> Result<Self, Error> {
        let format = path.join("FORMAT");
        if !disk.exists(&format).at("look for", &format)? {
            return Err(Error::Format {
                path: path.to_owned(),
                what: "holds no FORMAT file".to_owned(),
                advice: "name a data directory of stele",
            });
        }
        Self::open(disk, path, 1)
    }

    /// The directories of the shards that were ever started.
    pub(crate) fn existing_shards(&self) -> Result<Vec<ShardDirectory>, Error> {
        let mut existing = Vec::new();
        for shard in (0..self.shard_count()).map(ShardId) {
            let directory = self.shard(shard);
            let mark = StopMark::path(&directory);
            let exists = |path: &Path| self.disk.exists(path).at("look for", path);
            if exists(&directory.path)? || exists(&mark)? {
                existing.push(directory);
            }
        }
        Ok(existing)
    }

    /// The number of shards the directory was created for. The placement of logs depends on it, so
    /// it never changes.
    pub fn shard_count(&self) -> u16 {
        self.format.shard_count()
    }

    /// The directory of one shard; recovery creates it if it doesn't exist. A process calls this
    /// once per shard, and clones the result for everyone who works in it.
    pub fn shard(&self, shard: ShardId) -> ShardDirectory {
        assert!(
            shard.0 < self.shard_count(),
            "the directory has such a shard"
        );
        let path = self.path.join(format!("shard-{shard}"));
        ShardDirectory {
            store: Arc::new(LocalStore::new(
                self.disk.clone(),
                &path,
                self.open_files_max,
            )),
            disk: self.disk.clone(),
            path,
            shard,
            format: self.format.clone(),
            promises: self.promises.clone(),
            spares: Arc::default(),
            leftovers: Arc::default(),
            _lock: self.lock.clone(),
        }
    }
}

impl fmt::Debug for DataDirectory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DataDirectory")
            .field("path", &self.path)
            .field("format", &self.format)
            .finish_non_exhaustive()
    }
}

/// The directory of one shard.
#[derive(Clone)]
pub struct ShardDirectory {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) path: PathBuf,
    pub(crate) shard: ShardId,
    pub(crate) format: Arc<FormatFile>,
    /// Segments and snapshots.
    pub(crate) store: Arc<dyn SegmentStore>,
    /// Shared by all shards.
    pub(crate) promises: Arc<Promises>,
    /// Shared by all users of the directory, like the following.
    pub(crate) spares: Arc<Spares>,
    pub(crate) leftovers: Arc<Leftovers>,
    _lock: Arc<DiskLock>,
}

impl ShardDirectory {
    /// The shard's number.
    pub fn shard(&self) -> ShardId {
        self.shard
    }

    /// Creates the directory if it doesn't exist.
    pub(crate) fn make(&self) -> Result<(), Error> {
        create_dir_all(&*self.disk, &self.path)?;
        for part in ["journal", "snapshot", "segments"] {
            let path = self.path.join(part);
            self.disk.create_dir(&path).at("create", &path)?;
        }
        sync_dir(&*self.disk, &self.path)
    }

    pub(crate) fn journal(&self) -> PathBuf {
        self.path.join("journal")
    }

    pub(crate) fn journal_file(&self, first: BlockSequence) -> PathBuf {
        self.journal().join(format!("{:020}.journal", first.0))
    }

    pub(crate) fn spare(&self, first: BlockSequence) -> PathBuf {
        self.journal_file(first).with_extension("spare")
    }
}

impl fmt::Debug for ShardDirectory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ShardDirectory")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// The numbers in the file names `<number>.<extension>` in `directory`, ascending; none if it
/// doesn't exist. Other names belong to others or to unfinished writes.
pub(crate) fn numbered_files(
    disk: &dyn Disk,
    directory: &Path,
    extension: &str,
) -> Result<Vec<u64>, Error> {
    let entries = match disk.list(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        listed => listed.at("list", directory)?,
    };
    let numbers = entries.iter().filter_map(|entry| {
        let (stem, found) = entry.name.rsplit_once('.')?;
        let is_number = stem.len() == 20 && stem.bytes().all(|byte| byte.is_ascii_digit());
        (found == extension && is_number).then(|| stem.parse().ok())?
    });
    let mut numbers: Vec<u64> = numbers.collect();
    numbers.sort_unstable();
    Ok(numbers)
}

/// Makes the entries of `path` durable.
pub(crate) fn sync_dir(disk: &dyn Disk, path: &Path) -> Result<(), Error> {
    disk.sync_dir(path).at("sync", path)
}

/// Makes the entries of those of `directories` that still exist durable. All are on the file system
/// of `root`.
pub(crate) fn sync_dirs(
    disk: &dyn Disk,
    root: &Path,
    directories: &BTreeSet<PathBuf>,
) -> Result<(), Error> {
    if directories.len() >= GROUP_SYNC_MIN
        && let Some(file_system) = disk.file_system(root).at("open", root)?
    {
        return file_system.sync().at("sync", root);
    }
    for path in directories {
        if disk.exists(path).at("look for", path)? {
            sync_dir(disk, path)?;
        }
    }
    Ok(())
}

/// Removes a file that may already be gone.
pub(crate) fn remove_file_if_any(disk: &dyn Disk, path: &Path) -> Result<(), Error> {
    match disk.remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed.at("remove", path),
    }
}

/// Creates `path` and its missing parents durably.
///
/// An existing directory may have been created by a process that was killed before it synced it: a
/// power failure would then remove it with everything in it. So existing ones are synced too.
pub(crate) fn create_dir_all(disk: &dyn Disk, path: &Path) -> Result<(), Error> {
    let Some(parent) = path.parent() else {
        return Ok(());
    };
    let named = if parent == Path::new("") {
        Path::new(".")
    } else {
        parent
    };
    if disk.exists(path).at("look for", path)? {
        return match disk.sync_dir(named) {
            // A process without permission to open it can't have created its contents, so there is
            // nothing to sync.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
            synced => synced.at("sync", named),
        };
    }
    create_dir_all(disk, parent)?;
    disk.create_dir(path).at("create", path)?;
    sync_dir(disk, named)
}

/// Refuses a directory without FORMAT, unless it is new: empty but for the lock and leftovers of an
/// interrupted first start.
fn refuse_foreign(disk: &dyn Disk, path: &Path) -> Result<(), Error> {
    let entries = disk.list(path).at("list", path)?;
    let foreign = entries
        .iter()
        .find(|entry| !matches!(entry.name.as_str(), "LOCK" | "FORMAT.tmp" | "lost+found"));
    foreign.map_or(Ok(()), |entry| {
        Err(Error::Format {
            path: path.to_owned(),
            what: format!("holds `{}`, but no FORMAT file", entry.name),
            advice: "name an empty directory or a data directory of stele",
        })
    })
}
