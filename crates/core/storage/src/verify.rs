//! Checks everything in a data directory: each checksum, that offsets are dense, that nothing is
//! missing. Changes nothing. For `stele storage verify`.

mod journal;
mod segments;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use stele_base_env::Disk;
use stele_base_types::{Offset, PartitionId};

use crate::{
    DataDirectory, Error, ShardDirectory,
    segment::SEGMENTS,
    snapshot::{self, Newest, SNAPSHOTS, Snapshot, Stored},
};

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The result of a crash, which the next start cleans up.
    Note,
    /// The next start, or a reader, will fail on it.
    Damage,
}

/// A deviation from what a graceful stop leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// The file.
    pub path: PathBuf,
    /// The position in the file, in bytes.
    pub position: u64,
    /// What was found, and what it leads to.
    pub what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Note => "note",
            Severity::Damage => "DAMAGE",
        };
        let path = self.path.display();
        write!(
            f,
            "{severity}: {path} at byte {}: {}",
            self.position, self.what
        )
    }
}

/// What was checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// Shards.
    pub shards: usize,
    /// Snapshots that are intact.
    pub snapshots: usize,
    /// Journal files.
    pub journal_files: usize,
    /// Checkpointed journal files that are kept for reuse.
    pub spares: usize,
    /// Blocks in the journal files that are intact.
    pub blocks: u64,
    /// Segments.
    pub segments: usize,
    /// Batches that are intact, in blocks and segments.
    pub batches: u64,
    /// Bytes read.
    pub size_bytes: u64,
    /// Findings of severity [`Severity::Damage`].
    pub damages: usize,
}

/// Checks the data directory at `path`, and reports each finding as it is made.
///
/// Fails if the directory can't be checked at all: it is in use, isn't a data directory, or the
/// disk fails.
pub fn verify(
    disk: Arc<dyn Disk>,
    path: &Path,
    report: &mut dyn FnMut(Finding),
) -> Result<Verified, Error> {
    let data = DataDirectory::open_existing(disk, path)?;
    let mut verification = Verification {
        report,
        verified: Verified::default(),
    };
    for directory in data.existing_shards()? {
        verification.shard(&directory)?;
    }
    Ok(verification.verified)
}

struct Verification<'a> {
    report: &'a mut dyn FnMut(Finding),
    verified: Verified,
}

/// The next offset of each partition, as far as was read.
type Nexts = BTreeMap<PartitionId, Offset>;

impl Verification<'_> {
    fn shard(&mut self, directory: &ShardDirectory) -> Result<(), Error> {
        self.verified.shards += 1;
        let store = &*directory.store;
        let newest = Newest::find(store, directory.shard)?;
        let stored = newest.stored.as_ref();
        self.snapshots(directory, stored)?;
        let mut snapshot = Snapshot::default();
        let mut nexts = Nexts::new();
        match Snapshot::open(store, directory.shard, stored, &mut |_, _| Ok(())) {
            Ok(opened) => {
                snapshot = opened;
                nexts = self.segments(directory, &snapshot)?;
                self.unreferenced(directory, &snapshot)?;
            }
            Err(error) => {
                self.failed(error)?;
                snapshot.next = stored.map_or(snapshot.next, |stored| stored.next);
                snapshot.exists = true;
            }
        }
        self.journal(directory, &snapshot, &mut nexts)
    }

    fn snapshots(
        &mut self,
        directory: &ShardDirectory,
        newest: Option<&Stored>,
    ) -> Result<(), Error> {
        let store = &*directory.store;
        for (number, name) in snapshot::names(store)? {
            match snapshot::read(store, directory.shard, &name, number) {
                Ok(found) => {
                    self.verified.snapshots += 1;
                    if newest.is_some_and(|newest| *newest != found) {
                        let what = "an older snapshot; the next start removes it";
                        self.note(&store.locate(&name), 0, what);
                    }
                }
                Err(error) => self.failed(error)?,
            }
        }
        Ok(())
    }

    /// Reports objects that the snapshot doesn't list.
    fn unreferenced(
        &mut self,
        directory: &ShardDirectory,
        snapshot: &Snapshot,
    ) -> Result<(), Error> {
        let segments = snapshot.segments.values().flatten();
        let listed: BTreeSet<String> = segments
            .flat_map(|of| [of.log_name(), of.index_name()])
            .chain(snapshot.part_names())
            .collect();
        let mut names = directory.store.list(SEGMENTS)?;
        let others = directory.store.list(SNAPSHOTS)?.into_iter();
        names.extend(others.filter(|name| snapshot::part_file_number(name).is_some()));
        for name in names.iter().filter(|name| !listed.contains(*name)) {
            let what = "nothing refers to it; the next checkpoint removes it";
            self.note(&directory.store.locate(name), 0, what);
        }
        Ok(())
    }

    fn note(&mut self, path: &Path, position: u64, what: &str) {
        self.tell(Severity::Note, path, position, what.to_owned());
    }

    fn damage(&mut self, path: &Path, position: u64, what: impl Into<String>) {
        self.tell(Severity::Damage, path, position, what.into());
    }

    /// Reports an error that means damage; returns any other one.
    fn failed(&mut self, error: Error) -> Result<(), Error> {
        let message = error.to_string();
        match error {
            Error::Damaged {
                path,
                position,
                what,
                ..
            } => self.damage(&path, position, what),
            Error::Format { path, .. } | Error::Gone { path } => self.damage(&path, 0, message),
            error => return Err(error),
        }
        Ok(())
    }

    fn tell(&mut self, severity: Severity, path: &Path, position: u64, what: String) {
        if severity == Severity::Damage {
            self.verified.damages += 1;
        }
        (self.report)(Finding {
            severity,
            path: path.to_owned(),
            position,
            what,
        });
    }
}
