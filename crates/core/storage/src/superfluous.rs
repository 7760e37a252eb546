//! Removes files that nothing refers to: after a snapshot, and again at recovery in case of a
//! crash in between. Every step may have been done before.

use std::{
    collections::{BTreeSet, HashSet},
    io,
    path::Path,
};

use stele_base_env::Disk;
use stele_base_types::{LogId, Offset, PartitionId, PartitionIndex};

use crate::{
    BlockSequence, Error, ShardDirectory,
    directory::{numbered_files, remove_file_if_any, sync_dir, sync_dirs},
    error::AtPath,
    snapshot::{Manifest, Snapshot, Superfluous},
};

/// Removes what `snapshot`, which is in place, made superfluous: older snapshots, segments below
/// the floors, deleted partitions, temporary files. And journal files before `journal_start`: what
/// becomes of those that were settled just now is for [`crate::Retired`] to say.
///
/// Each removal is on disk when this returns: the next snapshot doesn't list it again.
pub(crate) fn remove_after_snapshot(
    directory: &ShardDirectory,
    snapshot: &Snapshot,
    journal_start: BlockSequence,
) -> Result<(), Error> {
    let disk = &*directory.disk;
    let mut touched = BTreeSet::new();
    for superfluous in &snapshot.manifest.superfluous {
        match *superfluous {
            Superfluous::Segment(partition, base_offset) => {
                remove_file_if_any(disk, &directory.segment(partition, base_offset))?;
                remove_file_if_any(disk, &directory.segment_index(partition, base_offset))?;
                touched.insert(directory.partition(partition));
            }
            Superfluous::Partition(partition) => {
                remove_partition(directory, partition)?;
                touched.insert(directory.log(partition.log));
                touched.insert(directory.segments());
            }
        }
    }
    sync_dirs(disk, &directory.segments(), &touched)?;
    remove_journal_before(directory, journal_start)?;
    remove_snapshots_except(directory, snapshot)
}

/// Removes the segments that `manifest`, whose snapshot is in place, doesn't list: those that a
/// settling had written that was cut short or given up, if the next one had no more use for them.
/// Looks through all directories, so it is for the first settling after such a one.
pub(crate) fn remove_unlisted(
    directory: &ShardDirectory,
    manifest: &Manifest,
) -> Result<(), Error> {
    let disk = &*directory.disk;
    let segments = manifest.segments.iter();
    let listed: HashSet<_> = segments
        .map(|segment| (segment.partition, segment.base_offset))
        .collect();
    let root = directory.segments();
    let mut touched = BTreeSet::new();
    for log in numbered_dirs(disk, &root)?.map(LogId) {
        let home = directory.log(log);
        for index in numbered_dirs(disk, &home)? {
            let Ok(index) = u32::try_from(index).map(PartitionIndex) else {
                continue;
            };
            let partition = PartitionId::new(log, index);
            let path = directory.partition(partition);
            for extension in ["log", "index"] {
                for base_offset in numbered_files(disk, &path, extension)? {
                    if listed.contains(&(partition, Offset(base_offset))) {
                        continue;
                    }
                    let segment = directory.segment(partition, Offset(base_offset));
                    remove_file_if_any(disk, &segment.with_extension(extension))?;
                    touched.insert(path.clone());
                }
            }
            if remove_empty(disk, &path)? {
                touched.insert(home.clone());
            }
        }
        if remove_empty(disk, &home)? {
            touched.insert(root.clone());
        }
    }
    sync_dirs(disk, &root, &touched)
}

/// The directories in `directory` whose names are numbers, as those of logs and partitions are.
fn numbered_dirs(disk: &dyn Disk, directory: &Path) -> Result<impl Iterator<Item = u64>, Error> {
    let entries = disk.list(directory).at("list", directory)?;
    let dirs = entries.into_iter().filter(|entry| entry.is_dir);
    Ok(dirs.filter_map(|entry| entry.name.parse().ok()))
}

fn remove_journal_before(directory: &ShardDirectory, start: BlockSequence) -> Result<(), Error> {
    let disk = &*directory.disk;
    let journal = directory.journal();
    for first in numbered_files(disk, &journal, "journal")? {
        if first < start.0 {
            remove_file_if_any(disk, &directory.journal_file(BlockSequence(first)))?;
        }
    }
    sync_dir(disk, &journal)
}

/// A damaged snapshot that is newer than the one in force goes too: the journal still had all
/// that it covered, and leaving it would hide the good one's successor of the same name.
fn remove_snapshots_except(directory: &ShardDirectory, kept: &Snapshot) -> Result<(), Error> {
    let disk = &*directory.disk;
    let snapshots = directory.snapshots();
    let kept_path = directory.snapshot(kept.next);
    let entries = disk.list(&snapshots).at("list", &snapshots)?;
    for entry in entries.iter().filter(|entry| !entry.is_dir) {
        let path = snapshots.join(&entry.name);
        let is_kept = path == kept_path && kept.state.is_some();
        let is_ours = entry.name.ends_with(".snapshot") || entry.name.ends_with(".snapshot.tmp");
        if is_ours && !is_kept {
            remove_file_if_any(disk, &path)?;
        }
    }
    sync_dir(disk, &snapshots)
}

fn remove_partition(directory: &ShardDirectory, partition: PartitionId) -> Result<(), Error> {
    let disk = &*directory.disk;
    let path = directory.partition(partition);
    if exists(disk, &path)? {
        for entry in disk.list(&path).at("list", &path)? {
            remove_file_if_any(disk, &path.join(entry.name))?;
        }
        disk.remove_dir(&path).at("remove", &path)?;
    }
    // Another partition of the log may still be there.
    remove_empty(disk, &directory.log(partition.log)).map(drop)
}

/// Removes a directory that is there and empty. Whether it was.
fn remove_empty(disk: &dyn Disk, path: &Path) -> Result<bool, Error> {
    match disk.remove_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(false),
        removed => removed.map(|()| true).at("remove", path),
    }
}

fn exists(disk: &dyn Disk, path: &Path) -> Result<bool, Error> {
    disk.exists(path).at("look for", path)
}
