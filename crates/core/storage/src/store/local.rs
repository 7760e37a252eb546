//! Objects as files below a directory.
//!
//! Invariants: a file gets an object's name only once it is complete and synced; until then the
//! name ends in `.tmp`. A directory is removed with its last object.

use std::{
    collections::BTreeSet,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use stele_base_env::{Disk, DiskFile, OpenMode, is_out_of_files};

use super::{ObjectWriter, SegmentStore, local_writer::LocalWriter, open_files::OpenFiles};
use crate::{
    Error,
    directory::{remove_file_if_any, sync_dir, sync_dirs},
    error::AtPath,
};

/// The suffix of a file that isn't an object yet.
pub(super) const UNFINISHED: &str = ".tmp";

/// A store in a directory of a disk.
#[derive(Debug)]
pub(crate) struct LocalStore {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) root: PathBuf,
    pub(super) open: OpenFiles,
}

impl LocalStore {
    /// A store in the existing directory `root`. At most `open_files_max` of its files stay open
    /// between reads, and as many may wait for a sync.
    pub(crate) fn new(disk: Arc<dyn Disk>, root: &Path, open_files_max: usize) -> Self {
        Self {
            disk,
            root: root.to_owned(),
            open: OpenFiles::new(open_files_max),
        }
    }

    fn open_file(&self, name: &str) -> Result<Arc<dyn DiskFile>, Error> {
        let path = self.locate(name);
        // Opened without the lock, so that a slow open doesn't delay others.
        let opened = match self.disk.open(&path, OpenMode::Read) {
            // A requested file is worth more than the cached ones.
            Err(error) if is_out_of_files(&error) => {
                drop(self.open.give_up_all());
                self.disk.open(&path, OpenMode::Read)
            }
            opened => opened,
        };
        let file = match opened {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(Error::Gone { path });
            }
            opened => opened.at("open", &path)?,
        };
        // Closed without the lock, too.
        drop(self.open.keep(name, &file));
        Ok(file)
    }

    /// The names of all files that begin with `prefix`.
    fn files(&self, prefix: &str) -> Result<Vec<String>, Error> {
        let top = prefix.rsplit_once('/').map_or("", |(top, _)| top);
        let mut pending = vec![top.to_owned()];
        let mut names = Vec::new();
        while let Some(directory) = pending.pop() {
            let path = self.root.join(&directory);
            let entries = match self.disk.list(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
                listed => listed.at("list", &path)?,
            };
            for entry in entries {
                let name = if directory.is_empty() {
                    entry.name
                } else {
                    format!("{directory}/{}", entry.name)
                };
                if entry.is_dir {
                    pending.push(name);
                } else if name.starts_with(prefix) {
                    names.push(name);
                }
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    fn remove_files(&self, names: &[String]) -> Result<(), Error> {
        let mut touched = BTreeSet::new();
        for name in names {
            drop(self.open.give_up(name));
            let path = self.root.join(name);
            remove_file_if_any(&*self.disk, &path)?;
            touched.extend(path.parent().map(Path::to_owned));
        }
        for directory in touched.clone().iter().rev() {
            self.remove_empty(directory, &mut touched)?;
        }
        sync_dirs(&*self.disk, &self.root, &touched)
    }

    /// Removes an empty directory and its empty parents, and notes what changed. The directories
    /// directly below the root stay.
    fn remove_empty(&self, path: &Path, touched: &mut BTreeSet<PathBuf>) -> Result<(), Error> {
        for directory in path.ancestors() {
            let Some(parent) = directory.parent() else {
                return Ok(());
            };
            if directory == self.root || parent == self.root {
                return Ok(());
            }
            match self.disk.remove_dir(directory) {
                Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                removed => removed.at("remove", directory)?,
            }
            touched.insert(parent.to_owned());
        }
        Ok(())
    }
}

impl SegmentStore for LocalStore {
    fn writer(&self) -> Result<Box<dyn ObjectWriter + '_>, Error> {
        Ok(Box::new(LocalWriter::new(self)?))
    }

    fn read(&self, name: &str, position: u64, length: usize) -> Result<Bytes, Error> {
        let file = match self.open.find(name) {
            Some(file) => file,
            None => self.open_file(name)?,
        };
        let read = match length {
            usize::MAX => file.size_bytes().and_then(|size_bytes| {
                let rest = usize::try_from(size_bytes.saturating_sub(position));
                file.read_at(position, rest.map_err(io::Error::other)?)
            }),
            length => file.read_at(position, length),
        };
        read.map_err(|source| Error::io("read", &self.locate(name), source))
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>, Error> {
        let mut names = self.files(prefix)?;
        names.retain(|name| !name.ends_with(UNFINISHED));
        Ok(names)
    }

    fn delete(&self, names: &[String]) -> Result<(), Error> {
        self.remove_files(names)
    }

    fn discard_unfinished(&self) -> Result<(), Error> {
        let entries = self.disk.list(&self.root).at("list", &self.root)?;
        for entry in entries.iter().filter(|entry| entry.is_dir) {
            let mut names = self.files(&format!("{}/", entry.name))?;
            names.retain(|name| name.ends_with(UNFINISHED));
            self.remove_files(&names)?;
        }
        Ok(())
    }

    fn ensure_durable(&self, name: &str) -> Result<(), Error> {
        // Its bytes are durable already: it has no name before that.
        let path = self.root.join(name);
        let parents = path.ancestors().skip(1);
        parents
            .take_while(|parent| parent.starts_with(&self.root))
            .try_for_each(|parent| sync_dir(&*self.disk, parent))
    }

    fn locate(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }
}
