//! The errors of storage, and how the caller should handle each.

use std::{
    io,
    path::{Path, PathBuf},
};

use stele_base_env::{is_out_of_files, is_out_of_space};

/// An error of the caller's state while it is replayed or saved.
pub type ReplayError = Box<dyn std::error::Error + Send + Sync>;

/// Why a storage operation failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file system operation failed. After a failed write or sync the contents of the file are
    /// unknown: the caller stops the process, and the next start recovers. Never retried on the
    /// same file, unless [`Error::is_for_want_before_a_sync`] holds.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// The operation that failed, as a verb.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },

    /// Another process uses the data directory. The caller reports this and stops.
    #[error("{} is in use by another process", path.display())]
    Locked {
        /// The data directory.
        path: PathBuf,
    },

    /// The directory was written by another version, or isn't a data directory. Nothing was
    /// changed. The caller reports this and stops.
    #[error("{}: {what}; {advice}", path.display())]
    Format {
        /// The file that shows it.
        path: PathBuf,
        /// What was found.
        what: String,
        /// What the operator can do.
        advice: &'static str,
    },

    /// Stored bytes differ from what was written, in a place that a crash can't explain. Nothing
    /// was changed, and nothing after this place was dropped. The caller reports this and stops.
    #[error("{} is damaged at byte {position}: {what}; {advice}", path.display())]
    Damaged {
        /// The damaged file.
        path: PathBuf,
        /// The position in the file.
        position: u64,
        /// What was found there.
        what: String,
        /// What the operator can do.
        advice: &'static str,
    },

    /// A record or batch doesn't fit in a block. The block is unchanged. The caller rejects the
    /// request as its protocol requires.
    #[error("{size_bytes} bytes don't fit in a block of at most {size_bytes_max}")]
    TooLarge {
        /// The size of the block if it were added.
        size_bytes: usize,
        /// The limit.
        size_bytes_max: usize,
    },

    /// The bytes to append aren't exactly one record batch. The block is unchanged. The caller
    /// should have checked this.
    #[error("not one whole record batch: {0}")]
    Batch(#[from] stele_wire_batch::Error),

    /// The caller's state rejected a record of the journal or a snapshot. The caller stops.
    #[error("{} at byte {position} can't be replayed: {source}", path.display())]
    Replay {
        /// The file being replayed.
        path: PathBuf,
        /// The position in the file.
        position: u64,
        /// The state's error.
        source: ReplayError,
    },

    /// The floors of a checkpoint depend on records that aren't on disk yet: a crash would lose the
    /// records, but the data removed because of them would stay removed. The caller tries again
    /// once the journal is synced that far.
    #[error(
        "the floors depend on blocks before {as_of}, but only those before {synced} are on disk"
    )]
    FloorsNotSynced {
        /// The first block that the floors don't depend on.
        as_of: u64,
        /// The first block that isn't on disk.
        synced: u64,
    },

    /// The data was removed after the read was planned: it is now below the partition's start. The
    /// caller reads again from the start.
    #[error("{} was removed before it was read", path.display())]
    Gone {
        /// The removed file.
        path: PathBuf,
    },
}

impl Error {
    /// Whether a resource that others may free was exhausted: disk space or file descriptors. The
    /// data to be checkpointed is then still in the journal, and the checkpoint can be retried
    /// later.
    pub fn is_for_want(&self) -> bool {
        match self {
            Self::Io { source, .. } => is_out_of_space(source) || is_out_of_files(source),
            // Loading the part of the state that a record needs.
            Self::Replay { source, .. } => {
                let cause = source.downcast_ref::<Self>();
                cause.is_some_and(Self::is_for_want)
            }
            _ => false,
        }
    }

    /// Whether the journal can retry the failed operation: it failed for lack of space or
    /// descriptors, before any sync was attempted. After a failed sync the contents of the disk are
    /// unknown, whatever the cause.
    pub fn is_for_want_before_a_sync(&self) -> bool {
        let Self::Io { action, source, .. } = self else {
            return false;
        };
        is_out_of_files(source) || (*action != "sync" && is_out_of_space(source))
    }

    /// Whether an object of that name already exists.
    pub fn is_already_there(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::AlreadyExists)
    }

    pub(crate) fn damaged(path: &Path, position: u64, what: impl Into<String>) -> Self {
        Self::Damaged {
            path: path.to_owned(),
            position,
            what: what.into(),
            advice: "run `stele storage verify` to see what is affected, and restore the data \
                     directory from a backup or move it aside to start empty",
        }
    }

    pub(crate) fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io {
            action,
            path: path.to_owned(),
            source,
        }
    }
}

/// Adds the file name to errors of the disk.
pub(crate) trait AtPath<T> {
    /// Reports that `action` on `path` failed.
    fn at(self, action: &'static str, path: &Path) -> Result<T, Error>;
}

impl<T> AtPath<T> for io::Result<T> {
    fn at(self, action: &'static str, path: &Path) -> Result<T, Error> {
        self.map_err(|source| Error::io(action, path, source))
    }
}
