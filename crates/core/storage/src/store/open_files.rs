//! Files that stay open between reads, shared by all readers, so that a process with ten thousand
//! partitions doesn't hold as many open files.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use hashbrown::HashMap;
use stele_base_env::DiskFile;

/// The most recently read files, by object name.
pub(super) struct OpenFiles {
    files: Mutex<Files>,
    count_max: usize,
}

#[derive(Default)]
struct Files {
    by_name: HashMap<String, OpenFile>,
    /// A counter of uses, to find the least recently used file.
    uses: u64,
}

struct OpenFile {
    file: Arc<dyn DiskFile>,
    last_use: u64,
}

impl OpenFiles {
    pub(super) fn new(count_max: usize) -> Self {
        Self {
            files: Mutex::default(),
            count_max,
        }
    }

    /// The limit on open files.
    pub(super) fn count_max(&self) -> usize {
        self.count_max
    }

    /// Removes all of them from the cache.
    pub(super) fn give_up_all(&self) -> Vec<Arc<dyn DiskFile>> {
        let mut files = self.lock();
        files.by_name.drain().map(|(_, open)| open.file).collect()
    }

    pub(super) fn find(&self, name: &str) -> Option<Arc<dyn DiskFile>> {
        let mut files = self.lock();
        files.uses += 1;
        let uses = files.uses;
        let open = files.by_name.get_mut(name)?;
        open.last_use = uses;
        Some(open.file.clone())
    }

    /// Adds a file; removes and returns the least recently used one if there are too many.
    pub(super) fn keep(&self, name: &str, file: &Arc<dyn DiskFile>) -> Option<Arc<dyn DiskFile>> {
        let mut files = self.lock();
        let mut given_up = None;
        if files.by_name.len() >= self.count_max {
            let oldest = files.by_name.iter().min_by_key(|(_, open)| open.last_use);
            if let Some(oldest) = oldest.map(|(name, _)| name.clone()) {
                given_up = files.by_name.remove(&oldest);
            }
        }
        let open = OpenFile {
            file: file.clone(),
            last_use: files.uses,
        };
        let replaced = files.by_name.insert(name.to_owned(), open);
        replaced.or(given_up).map(|open| open.file)
    }

    /// Removes a file that is about to be deleted. Closing it frees its space, which is for a
    /// thread that may block.
    pub(super) fn give_up(&self, name: &str) -> Option<Arc<dyn DiskFile>> {
        self.lock().by_name.remove(name).map(|open| open.file)
    }

    fn lock(&self) -> MutexGuard<'_, Files> {
        // No code that can panic runs under the lock, and a cache is never in a wrong state.
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for OpenFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenFiles")
            .field("open", &self.lock().by_name.len())
            .finish_non_exhaustive()
    }
}
