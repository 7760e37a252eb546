//! The files that the process may have open. Each connection is one, and storage needs some: it
//! gets its part first, so that clients can't take the next journal file's.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use stele_app_config::Settings;

/// Fronts that clients of a protocol connect to.
const FRONTS: usize = 3;

/// Connections of the admin front: whoever is to see what is wrong gets in whatever clients do.
const ADMIN_MAX: usize = 128;

/// What the process has open beside: listeners, polls, the log, and sockets that are accepted to be
/// closed.
const OTHERS: usize = 48;

/// Beside the journal's files a shard has spares, a file that it begins, and directories that it
/// syncs.
const SHARD_OTHERS: usize = 16;

/// The journal may become so many times as large as set before it is waited for.
const JOURNAL_SIZES_MAX: u64 = 4;

/// Segments that are kept open between reads, of each shard; more gain next to nothing.
const CACHED_MAX: usize = 256;

/// How many open files each may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OpenFiles {
    /// Segments that storage keeps open, of all shards.
    pub(crate) cached: usize,
    pub(crate) admin: usize,
    pub(crate) clients: usize,
}

/// Raises the soft limit to the hard one, and gives what is allowed then.
pub(crate) fn raise() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%error, "the limit of open files can't be raised");
    }
    let allowed = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    usize::try_from(allowed).unwrap_or(usize::MAX)
}

impl OpenFiles {
    /// Divides what is allowed.
    pub(crate) fn of(allowed: usize, settings: &Settings, shards: usize) -> Self {
        let journal = shards.saturating_mul(journal_files(settings));
        Self::divide(allowed, journal, shards)
    }

    /// Says where clients have less than is set.
    pub(crate) fn tell_if_few(&self, allowed: usize, settings: &Settings) {
        let wanted = FRONTS.saturating_mul(settings.limits.connections);
        if self.clients < wanted {
            tracing::warn!(
                allowed,
                clients = self.clients,
                wanted,
                "fewer open files are allowed than connections are configured: raise ulimit -n or \
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
            // Where storage needs all of it nobody could see that.
            clients: clients.max(1),
        }
    }
}

/// What a shard has open at most to write and checkpoint its journal.
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
