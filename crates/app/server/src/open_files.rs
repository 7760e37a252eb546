//! Divides the limit of open files. Every connection takes one. Storage reserves its part first, so
//! that clients can't prevent it from opening the next journal file.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use stele_app_config::Settings;

/// The number of fronts for client protocols.
const FRONTS: usize = 3;

/// Connections reserved for the admin front, so that an operator can connect whatever clients do.
const ADMIN_MAX: usize = 128;

/// Other open files of the process: listeners, polls, the log, and sockets accepted only to be
/// closed.
const OTHERS: usize = 48;

/// Files of a shard besides its journal: spares, a file being created, and directories being
/// synced.
const SHARD_OTHERS: usize = 16;

/// Publishing waits when the journal is this many times its configured size.
const JOURNAL_SIZES_MAX: u64 = 4;

/// Maximum number of segments per shard that stay open between reads; more gain next to nothing.
const CACHED_MAX: usize = 256;

/// The number of open files for each use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OpenFiles {
    /// Segments that storage keeps open, over all shards.
    pub(crate) cached: usize,
    pub(crate) admin: usize,
    pub(crate) clients: usize,
}

/// Raises the soft limit to the hard limit. Returns the resulting limit.
pub(crate) fn raise() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%error, "cannot raise the limit of open files");
    }
    let allowed = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    usize::try_from(allowed).unwrap_or(usize::MAX)
}

impl OpenFiles {
    /// Divides the limit.
    pub(crate) fn of(allowed: usize, settings: &Settings, shards: usize) -> Self {
        let journal = shards.saturating_mul(journal_files(settings));
        Self::divide(allowed, journal, shards)
    }

    /// Logs a warning if clients get fewer than configured.
    pub(crate) fn tell_if_few(&self, allowed: usize, settings: &Settings) {
        let wanted = FRONTS.saturating_mul(settings.limits.connections);
        if self.clients < wanted {
            tracing::warn!(
                allowed,
                clients = self.clients,
                wanted,
                "the limit of open files is too low for limits.connections: raise ulimit -n or \
                 LimitNOFILE, or lower limits.connections"
            );
        }
    }

    fn divide(allowed: usize, journal: usize, shards: usize) -> Self {
        let cached = (allowed / 8).min(CACHED_MAX.saturating_mul(shards));
        let admin = (allowed / 16).min(ADMIN_MAX);
        let storage = journal.saturating_add(cached);
        let clients = allowed.saturating_sub(storage.saturating_add(admin + OTHERS));
        Self {
            cached,
            admin,
            // If storage needed them all, nobody could connect to find out.
            clients: clients.max(1),
        }
    }
}

/// The maximum number of files that a shard opens to write and checkpoint its journal.
fn journal_files(settings: &Settings) -> usize {
    let storage = &settings.storage;
    let journal = storage.journal.0.max(storage.journal_file.0);
    let files = journal / storage.journal_file.0.max(1) * JOURNAL_SIZES_MAX;
    usize::try_from(files)
        .unwrap_or(usize::MAX)
        .saturating_add(SHARD_OTHERS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn storage_comes_first_and_clients_get_what_is_left() {
        let divided = OpenFiles::divide(256, 64, 2);
        let expected = OpenFiles {
            cached: 32,
            admin: 16,
            clients: 96,
        };
        assert_eq!(divided, expected);
    }

    #[test]
    fn with_plenty_each_has_its_most() {
        let divided = OpenFiles::divide(100_000, 64, 2);
        assert_eq!((divided.cached, divided.admin), (512, 128));
        assert_eq!(divided.clients, 100_000 - 64 - 512 - 128 - OTHERS);
    }

    #[test]
    fn too_few_leave_one_client() {
        assert_eq!(OpenFiles::divide(50, 64, 2).clients, 1);
    }
}
