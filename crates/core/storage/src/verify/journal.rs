//! Checks the journal of a shard.

use std::{path::Path, sync::Arc};

use stele_base_env::OpenMode;

use super::{Nexts, Verification};
use crate::{
    BlockSequence, Error, JournalFile, ShardDirectory,
    block::{self, Append, Entries, Entry},
    directory::{StopMark, numbered_files},
    error::AtPath,
    journal::{Ending, ScannedBlock, Scanner},
    snapshot::Snapshot,
};

impl Verification<'_> {
    pub(super) fn journal(
        &mut self,
        directory: &ShardDirectory,
        snapshot: &Snapshot,
        nexts: &mut Nexts,
    ) -> Result<(), Error> {
        let names = numbered_files(&*directory.disk, &directory.journal(), "journal")?;
        let spares = numbered_files(&*directory.disk, &directory.journal(), "spare")?;
        self.verified.spares += spares.len();
        let mut next = snapshot.next;
        let last = names.last().copied();
        let mut end = None;
        for first in names.into_iter().map(BlockSequence) {
            let path = directory.journal_file(first);
            if first < snapshot.next {
                self.note(
                    &path,
                    0,
                    "covered by the snapshot; the next start removes it",
                );
                continue;
            }
            if first != next {
                let what = format!("starts with block {first}, though block {next} is the next");
                self.damage(&path, 0, what);
            }
            let file = directory.disk.open(&path, OpenMode::Read);
            let file = Arc::new(JournalFile {
                file: file.at("open", &path)?,
                path,
                first,
            });
            let position;
            (next, position) = self.journal_file(directory, &file, Some(first.0) == last, nexts)?;
            end = Some((file, position));
        }
        if last.is_none() && snapshot.exists {
            self.damage(&directory.journal_file(next), 0, "the file is missing");
        }
        let end = end.as_ref();
        let end = end.map(|(file, position)| (&*file.path, *position));
        StopMark::check(directory, next, end).or_else(|error| self.failed(error))
    }

    /// Checks one file; returns the block that the next one must start with, and where the last one
    /// ends.
    fn journal_file(
        &mut self,
        directory: &ShardDirectory,
        file: &Arc<JournalFile>,
        is_last: bool,
        nexts: &mut Nexts,
    ) -> Result<(BlockSequence, u64), Error> {
        self.verified.journal_files += 1;
        let path = &file.path;
        let scanner = match Scanner::open(file, directory.shard) {
            Ok(scanner) => scanner,
            Err(error) => {
                self.failed(error)?;
                return Ok((file.first, 0));
            }
        };
        let Some(mut scanner) = scanner else {
            if is_last {
                self.note(
                    path,
                    0,
                    "created just before a crash; the next start removes it",
                );
            } else {
                self.damage(path, 0, "not a journal file's header");
            }
            return Ok((file.first, 0));
        };
        while let Some(block) = scanner.next_block()? {
            self.block(path, &block, nexts);
        }
        let rest = scanner.size_bytes() - scanner.position();
        self.verified.size_bytes += scanner.position();
        match scanner.ending()? {
            Ending::Damaged { what } => self.damage(path, scanner.position(), what),
            _ if !is_last && rest > 0 => {
                let what = "no block here, though another file follows";
                self.damage(path, scanner.position(), what);
            }
            Ending::Torn { size_bytes } => {
                let what = format!(
                    "{size_bytes} bytes of an interrupted write; the next start cuts them off"
                );
                self.note(path, scanner.position(), &what);
            }
            Ending::Clean => {}
        }
        Ok((scanner.next_sequence(), scanner.position()))
    }

    fn block(&mut self, path: &Path, block: &ScannedBlock, nexts: &mut Nexts) {
        self.verified.blocks += 1;
        let entries = block.entries();
        let mut walk = Entries::new(entries);
        while let Some(entry) = walk.next() {
            let end = block.position + (block::HEADER_SIZE_BYTES + walk.position()) as u64;
            match entry {
                Ok(Entry::Control(_)) => {}
                Ok(Entry::Append(append)) => {
                    if let Err(what) = check_append(&append, entries, nexts) {
                        self.damage(path, end, what);
                    } else {
                        self.verified.batches += 1;
                    }
                }
                Err(error) => self.damage(path, end, error.to_string()),
            }
        }
    }
}

fn check_append(append: &Append<'_>, entries: &[u8], nexts: &mut Nexts) -> Result<(), String> {
    let batch = &entries[append.batch.clone()];
    let checked = append.header.verify_checksum(batch);
    checked.map_err(|error| error.to_string())?;
    for target in append.targets() {
        let (partition, found) = (target.partition, target.base_offset);
        let next = found.plus(append.offset_count());
        if let Some(expected) = nexts.insert(partition, next)
            && found != expected
        {
            return Err(format!(
                "offset {found} of {partition} where {expected} should be"
            ));
        }
    }
    Ok(())
}
