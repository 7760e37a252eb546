//! The open files of segments, shared by all who read them.

use std::{
    fmt, io, mem,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use hashbrown::HashMap;
use stele_base_env::{DiskFile, OpenMode};
use stele_base_types::Offset;

use super::Segment;
use crate::{Error, ShardDirectory, limits::OPEN_FILES_MAX};

/// Opens segments' files when they are first read, and keeps some of them open: a process that
/// holds ten thousand partitions doesn't hold as many files.
pub(crate) struct SegmentFiles {
    directory: ShardDirectory,
    open: Mutex<OpenFiles>,
}

#[derive(Default)]
struct OpenFiles {
    files: HashMap<PathBuf, OpenFile>,
    /// Counts uses, so that the file that was used least recently is known.
    uses: u64,
}

struct OpenFile {
    file: Arc<dyn DiskFile>,
    last_use: u64,
    /// Where the last read of a log ended. Who reads on from there needs no index.
    read_up_to: Option<Place>,
}

/// A batch's place in a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) base_offset: Offset,
    pub(super) position: u64,
}

impl SegmentFiles {
    pub(crate) fn new(directory: &ShardDirectory) -> Self {
        Self {
            directory: directory.clone(),
            open: Mutex::default(),
        }
    }

    /// Gives up all files, for a thread to close that may wait: one that was removed gives its
    /// space back by that. Reads that are under way keep theirs.
    pub(crate) fn take_all(&self) -> Vec<Arc<dyn DiskFile>> {
        let files = mem::take(&mut self.lock().files);
        files.into_values().map(|open| open.file).collect()
    }

    /// Where the batch at `from` lies in the segment's log, if the last read of it ended there.
    pub(super) fn read_up_to(&self, segment: &Segment, from: Offset) -> Option<Place> {
        let open = self.lock();
        let place = open.files.get(&self.log_path(segment))?.read_up_to?;
        (place.base_offset == from).then_some(place)
    }

    /// Notes where a read of the segment's log ended.
    pub(super) fn note_read(&self, log: &NamedFile, place: Place) {
        if let Some(open) = self.lock().files.get_mut(&log.path) {
            open.read_up_to = Some(place);
        }
    }

    pub(super) fn log(&self, segment: &Segment) -> Result<NamedFile, Error> {
        self.open(self.log_path(segment))
    }

    pub(super) fn index(&self, segment: &Segment) -> Result<NamedFile, Error> {
        self.open(self.log_path(segment).with_extension("index"))
    }

    fn log_path(&self, segment: &Segment) -> PathBuf {
        self.directory
            .segment(segment.partition, segment.base_offset)
    }

    fn open(&self, path: PathBuf) -> Result<NamedFile, Error> {
        if let Some(file) = self.lock().find(&path) {
            return Ok(NamedFile { path, file });
        }
        // Opened without the lock: one slow open doesn't hold up the others.
        let opened = self.directory.disk.open(&path, OpenMode::Read);
        let file = match opened {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(Error::Gone { path });
            }
            opened => opened.map_err(|source| Error::io("open", &path, source))?,
        };
        // Let go of without the lock, too: to close a file that was removed gives its space back.
        let superseded = self.lock().keep(&path, &file);
        drop(superseded);
        Ok(NamedFile { path, file })
    }

    fn lock(&self) -> MutexGuard<'_, OpenFiles> {
        // No code that can panic runs under the lock, and a cache is never in a wrong state.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for SegmentFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SegmentFiles")
            .field("open", &self.lock().files.len())
            .finish_non_exhaustive()
    }
}

impl OpenFiles {
    fn find(&mut self, path: &Path) -> Option<Arc<dyn DiskFile>> {
        self.uses += 1;
        let open = self.files.get_mut(path)?;
        open.last_use = self.uses;
        Some(open.file.clone())
    }

    /// Keeps a file, and gives up the one that was used least recently where there are too many.
    fn keep(&mut self, path: &Path, file: &Arc<dyn DiskFile>) -> Option<OpenFile> {
        let mut given_up = None;
        if self.files.len() >= OPEN_FILES_MAX {
            let oldest = self.files.iter().min_by_key(|(_, open)| open.last_use);
            if let Some(oldest) = oldest.map(|(path, _)| path.clone()) {
                given_up = self.files.remove(&oldest);
            }
        }
        let open = OpenFile {
            file: file.clone(),
            last_use: self.uses,
            read_up_to: None,
        };
        self.files.insert(path.to_owned(), open).or(given_up)
    }
}

/// An open file and what to call it in errors.
pub(super) struct NamedFile {
    pub(super) path: PathBuf,
    pub(super) file: Arc<dyn DiskFile>,
}

impl NamedFile {
    pub(super) fn read_at(&self, position: u64, length: usize) -> Result<bytes::Bytes, Error> {
        let read = self.file.read_at(position, length);
        read.map_err(|source| Error::io("read", &self.path, source))
    }
}
