//! What can go wrong, and what to do then.

use std::{
    io,
    path::{Path, PathBuf},
};

use stele_base_env::{is_out_of_files, is_out_of_space};

/// An error of what the caller replays into, or saves from.
pub type ReplayError = Box<dyn std::error::Error + Send + Sync>;

/// Why storage couldn't do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file system refused. After a failed write or sync what the file holds is unknown: the
    /// caller stops the process, and the next start recovers. Never retried on the same file,
    /// unless it is [`Error::is_for_want_before_a_sync`].
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// On which file or directory.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },

    /// Another process has the data directory. The caller stops and says so.
    #[error("{} is in use by another process", path.display())]
    Locked {
        /// The data directory.
        path: PathBuf,
    },

    /// The directory was written by another version, or isn't a data directory. The caller stops
    /// and says so; nothing was changed.
    #[error("{}: {what}; {advice}", path.display())]
    Format {
        /// The file that says so.
        path: PathBuf,
        /// What was found.
        what: String,
        /// What a person can do.
        advice: &'static str,
    },

    /// Stored bytes aren't what was written, in a place that a crash can't explain. The caller
    /// stops and shows this; nothing was changed, and nothing that follows was dropped.
    #[error("{} is damaged at byte {position}: {what}; {advice}", path.display())]
    Damaged {
        /// The damaged file.
        path: PathBuf,
        /// Where in it.
        position: u64,
        /// What was found there.
        what: String,
        /// What a person can do.
        advice: &'static str,
    },

    /// A record or batch can't be part of a block. The caller refuses it as its protocol says;
    /// the block is as it was before.
    #[error("{size_bytes} bytes don't fit in a block of at most {size_bytes_max}")]
    TooLarge {
        /// The block with it.
        size_bytes: usize,
        /// The limit.
        size_bytes_max: usize,
    },

    /// What was to be appended isn't one whole record batch. The caller should have checked; the
    /// block is as it was before.
    #[error("not one whole record batch: {0}")]
    Batch(#[from] stele_wire_batch::Error),

    /// The caller's state refused what the journal or a snapshot holds. The caller stops.
    #[error("{} at byte {position} can't be replayed: {source}", path.display())]
    Replay {
        /// The file replayed from.
        path: PathBuf,
        /// Where in it.
        position: u64,
        /// What the state said.
        source: ReplayError,
    },

    /// The floors of a checkpoint were taken from records that aren't on disk yet: a crash would
    /// take the records back, but not the data removed for them. The caller tries again once the
    /// journal is synced that far.
    #[error("the floors stand on block {as_of}, but only blocks before {synced} are on disk")]
    FloorsNotSynced {
        /// The first block that isn't needed for the floors.
        as_of: u64,
        /// The first block that isn't on disk.
        synced: u64,
    },

    /// The data was removed between planning a read and resolving it: it is below the
    /// partition's start by now. The caller reads again from the start.
    #[error("{} was removed while it was to be read", path.display())]
    Gone {
        /// The removed file.
        path: PathBuf,
    },
}

impl Error {
    /// Whether the disk had no room, or the process no file descriptor left: what others may give
    /// back. What was to be checkpointed is then still in the journal, and a checkpoint can be
    /// tried again later.
    pub fn is_for_want(&self) -> bool {
        match self {
            Self::Io { source, .. } => is_out_of_space(source) || is_out_of_files(source),
            // A part of the state that was to be loaded for a record.
            Self::Replay { source, .. } => {
                let cause = source.downcast_ref::<Self>();
                cause.is_some_and(Self::is_for_want)
            }
            _ => false,
        }
    }

    /// Whether the journal can try again what failed so: nothing was synced, or not even tried to
    /// be. What a sync that failed has left is unknown, for want of whatever it was.
    pub fn is_for_want_before_a_sync(&self) -> bool {
        let Self::Io { action, source, .. } = self else {
            return false;
        };
        is_out_of_files(source) || (*action != "sync" && is_out_of_space(source))
    }

    /// Whether there was an object already where one was to be put.
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

/// Names the file in errors of the disk.
pub(crate) trait AtPath<T> {
    /// Says that `action` on `path` failed.
    fn at(self, action: &'static str, path: &Path) -> Result<T, Error>;
}

impl<T> AtPath<T> for io::Result<T> {
    fn at(self, action: &'static str, path: &Path) -> Result<T, Error> {
        self.map_err(|source| Error::io(action, path, source))
    }
}
