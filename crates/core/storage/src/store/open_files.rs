//! Files that stay open between reads, shared by all who read: a process that holds ten thousand
//! partitions doesn't hold as many files.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use hashbrown::HashMap;
use stele_base_env::DiskFile;

/// The files that were read last, by their objects' names.
pub(super) struct OpenFiles {
    files: Mutex<Files>,
    count_max: usize,
}

#[derive(Default)]
struct Files {
    by_name: HashMap<String, OpenFile>,
    /// Counts uses, so that the file that was used least recently is known.
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

    /// How many there may be.
    pub(super) fn count_max(&self) -> usize {
        self.count_max
    }

    /// Gives up all of them.
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

    /// Keeps a file, and gives up the one that was used least recently where there are too many.
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

    /// Gives up a file that is about to be removed. To close it gives its space back, which is for
    /// a thread that may wait.
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
