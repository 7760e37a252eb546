//! Puts files in place, with a bounded amount of data waiting for the disk.
//!
//! ```text
//!  name.tmp written, synced every 1 MiB ──▶ synced ──▶ renamed ──▶ directories synced
//!                                  └── up to 256 files, 1 MiB at once ──┘      at the end
//! ```

use std::{
    collections::BTreeSet,
    io, mem,
    path::{Path, PathBuf},
    sync::Arc,
};

use stele_base_env::{DiskFile, FileSystem, OpenMode};

use super::{
    ObjectWriter,
    local::{LocalStore, UNFINISHED},
};
use crate::{
    Error,
    directory::{remove_file_if_any, sync_dir},
    error::AtPath,
    limits::{GROUP_SYNC_MIN, UNSYNCED_FILES_MAX, UNSYNCED_SIZE_BYTES_MAX},
};

/// Writes files of a [`LocalStore`].
#[derive(Debug)]
pub(super) struct LocalWriter<'a> {
    store: &'a LocalStore,
    /// Taken before anything is written, so that it reports every failed write.
    file_system: Option<Arc<dyn FileSystem>>,
    /// The file that was begun last.
    current: Option<Unfinished>,
    /// The part of it that isn't written yet.
    buffer: Vec<u8>,
    /// Files that are written but not synced.
    written: Vec<Unfinished>,
    /// How much of their data isn't on disk.
    unsynced_bytes: usize,
    /// Directories with new entries.
    directories: BTreeSet<PathBuf>,
    /// All files that were begun, by their final paths.
    begun: Vec<PathBuf>,
    is_finished: bool,
}

/// A file that isn't an object yet.
#[derive(Debug)]
struct Unfinished {
    path: PathBuf,
    /// Its final path.
    object: PathBuf,
    file: Arc<dyn DiskFile>,
    size_bytes: u64,
}

impl<'a> LocalWriter<'a> {
    pub(super) fn new(store: &'a LocalStore) -> Result<Self, Error> {
        let root = &store.root;
        Ok(Self {
            store,
            file_system: store.disk.file_system(root).at("open", root)?,
            current: None,
            buffer: Vec::new(),
            written: Vec::new(),
            unsynced_bytes: 0,
            directories: BTreeSet::new(),
            begun: Vec::new(),
            is_finished: false,
        })
    }

    /// Creates the file at `path`, whose directory may not exist yet.
    fn create(&self, path: &Path) -> Result<Arc<dyn DiskFile>, Error> {
        let disk = &self.store.disk;
        let create = || match disk.open(path, OpenMode::CreateNew) {
            // A leftover of a dropped writer.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                disk.remove_file(path)?;
                disk.open(path, OpenMode::CreateNew)
            }
            created => created,
        };
        match create() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.create_dirs_above(path)?;
                create().at("create", path)
            }
            created => created.at("create", path),
        }
    }

    /// Creates the missing directories between the root and `path`.
    fn create_dirs_above(&self, path: &Path) -> Result<(), Error> {
        let root = &self.store.root;
        let above = path.ancestors().skip(1);
        let above: Vec<_> = above.take_while(|directory| directory != root).collect();
        let mut outermost_first = above.into_iter().rev();
        outermost_first.try_for_each(|path| self.store.disk.create_dir(path).at("create", path))
    }

    /// Notes that the directory of `path` has a new entry, and may be new itself. Its existing
    /// parents are synced likewise: a killed process may have created them.
    fn note_directories(&mut self, path: &Path) {
        for directory in path.ancestors().skip(1) {
            if !self.directories.insert(directory.to_owned()) || directory == self.store.root {
                return;
            }
        }
    }

    /// Writes what the buffer holds to the current file.
    fn flush(&mut self) -> Result<(), Error> {
        let Some(current) = &mut self.current else {
            return Ok(());
        };
        let written = current.file.write_at(current.size_bytes, &self.buffer);
        written.at("write", &current.path)?;
        current.size_bytes += self.buffer.len() as u64;
        self.unsynced_bytes += self.buffer.len();
        self.buffer.clear();
        Ok(())
    }

    /// Ends the current file.
    fn end(&mut self) -> Result<(), Error> {
        self.flush()?;
        self.written.extend(self.current.take());
        let is_much = self.unsynced_bytes >= UNSYNCED_SIZE_BYTES_MAX;
        let files_max = UNSYNCED_FILES_MAX.min(self.store.open.count_max());
        if is_much || self.written.len() >= files_max {
            self.put_in_place()?;
        }
        Ok(())
    }

    /// Syncs the written files and gives them their names.
    fn put_in_place(&mut self) -> Result<(), Error> {
        let written = mem::take(&mut self.written);
        match &self.file_system {
            Some(file_system) if written.len() >= GROUP_SYNC_MIN => {
                file_system.sync().at("sync", &self.store.root)?;
            }
            _ => written.iter().try_for_each(Unfinished::sync)?,
        }
        self.unsynced_bytes = 0;
        for Unfinished { path, object, .. } in written {
            self.store.disk.rename(&path, &object).at("rename", &path)?;
        }
        Ok(())
    }

    fn sync_directories(&self) -> Result<(), Error> {
        match &self.file_system {
            Some(file_system) if self.directories.len() >= GROUP_SYNC_MIN => {
                file_system.sync().at("sync", &self.store.root)
            }
            _ => {
                let mut directories = self.directories.iter();
                directories.try_for_each(|path| sync_dir(&*self.store.disk, path))
            }
        }
    }
}

impl ObjectWriter for LocalWriter<'_> {
    fn begin(&mut self, name: &str) -> Result<(), Error> {
        self.end()?;
        let (disk, object) = (&self.store.disk, self.store.root.join(name));
        if disk.exists(&object).at("look for", &object)? {
            let there = io::ErrorKind::AlreadyExists.into();
            return Err(Error::io("create", &object, there));
        }
        let mut path = object.clone().into_os_string();
        path.push(UNFINISHED);
        let path = PathBuf::from(path);
        self.begun.push(object.clone());
        let file = self.create(&path)?;
        self.note_directories(&object);
        self.current = Some(Unfinished {
            path,
            object,
            file,
            size_bytes: 0,
        });
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let room = UNSYNCED_SIZE_BYTES_MAX - self.unsynced_bytes - self.buffer.len();
            let (piece, following) = rest.split_at(room.min(rest.len()));
            self.buffer.extend_from_slice(piece);
            rest = following;
            if piece.len() == room {
                self.put_in_place()?;
                self.flush()?;
                self.current.iter().try_for_each(Unfinished::sync)?;
                self.unsynced_bytes = 0;
            }
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<(), Error> {
        self.end()?;
        self.put_in_place()?;
        self.sync_directories()?;
        self.is_finished = true;
        Ok(())
    }
}

/// Removes unfinished files at once: if there was no room for them, their space is needed.
impl Drop for LocalWriter<'_> {
    fn drop(&mut self) {
        if self.is_finished {
            return;
        }
        for object in mem::take(&mut self.begun) {
            let mut unfinished = object.clone().into_os_string();
            unfinished.push(UNFINISHED);
            for path in [object, unfinished.into()] {
                if let Err(error) = remove_file_if_any(&*self.store.disk, &path) {
                    tracing::debug!(%error, "cannot remove an unfinished object");
                }
            }
        }
    }
}

impl Unfinished {
    fn sync(&self) -> Result<(), Error> {
        self.file.sync_data().at("sync", &self.path)
    }
}
