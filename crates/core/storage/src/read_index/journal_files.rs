//! Maps blocks to places in journal files.

use std::{collections::VecDeque, sync::Arc};

use stele_base_types::Timestamp;

use crate::{BlockSequence, Written, journal::JournalFile};

/// The files of a journal, oldest first; the last one is being written.
#[derive(Debug, Default)]
pub(crate) struct JournalFiles {
    files: VecDeque<TrackedFile>,
}

#[derive(Debug)]
struct TrackedFile {
    file: Arc<JournalFile>,
    /// The start of each of its blocks, from its first on.
    positions: Vec<u64>,
    size_bytes: u64,
    /// When its first block was written, or recovered.
    since: Timestamp,
}

impl TrackedFile {
    fn next(&self) -> BlockSequence {
        BlockSequence(self.file.first.0 + self.positions.len() as u64)
    }
}

impl JournalFiles {
    pub(crate) fn add(&mut self, file: &Arc<JournalFile>, now: Timestamp) {
        self.files.push_back(TrackedFile {
            file: file.clone(),
            positions: Vec::new(),
            size_bytes: 0,
            since: now,
        });
    }

    /// Notes a block in the last file.
    pub(crate) fn add_block(&mut self, position: u64, size_bytes: u64) {
        let file = self
            .files
            .back_mut()
            .expect("a file was added before its blocks");
        file.positions.push(position);
        file.size_bytes = position + size_bytes;
    }

    /// Notes a written block, which may be the first of a new file.
    pub(crate) fn note_block(&mut self, written: &Written, now: Timestamp) {
        let last = self.files.back();
        if last.is_none_or(|last| last.file.first != written.file.first) {
            self.add(&written.file, now);
        }
        let next = self.files.back().map(TrackedFile::next);
        assert_eq!(
            next,
            Some(written.sequence),
            "blocks are written in sequence"
        );
        self.add_block(written.position, u64::from(written.size_bytes));
    }

    /// The file that holds a block, and the block's position.
    pub(crate) fn find(&self, sequence: BlockSequence) -> Option<(&Arc<JournalFile>, u64)> {
        let after = self
            .files
            .partition_point(|file| file.file.first <= sequence);
        let file = &self.files[after.checked_sub(1)?];
        let at = usize::try_from(sequence.0 - file.file.first.0).ok()?;
        Some((&file.file, *file.positions.get(at)?))
    }

    pub(crate) fn size_bytes(&self) -> u64 {
        self.files.iter().map(|file| file.size_bytes).sum()
    }

    /// The size of a file, counted from the oldest, and whether it is the one being written.
    pub(crate) fn size_bytes_of(&self, number: usize) -> Option<(u64, bool)> {
        let is_last = number + 1 == self.files.len();
        let file = self.files.get(number);
        file.map(|file| (file.size_bytes, is_last))
    }

    /// The time since which the oldest block has been in the journal.
    pub(crate) fn oldest_since(&self) -> Option<Timestamp> {
        let oldest = self.files.front()?;
        (!oldest.positions.is_empty()).then_some(oldest.since)
    }

    /// The closed files with their sizes, oldest first: all but the last, which is being written.
    pub(crate) fn closed(&self) -> impl Iterator<Item = (&Arc<JournalFile>, u64)> {
        let count = self.files.len().saturating_sub(1);
        let closed = self.files.iter().take(count);
        closed.map(|file| (&file.file, file.size_bytes))
    }

    /// The first block of the file after `file`, if there is one.
    pub(crate) fn first_after(&self, file: &JournalFile) -> Option<BlockSequence> {
        let mut firsts = self.files.iter().map(|tracked| tracked.file.first);
        firsts.find(|first| *first > file.first)
    }

    /// Removes and returns the files whose blocks are all before `through`.
    pub(crate) fn remove_before(&mut self, through: BlockSequence) -> Vec<Arc<JournalFile>> {
        let closed = self.files.iter().take(self.files.len().saturating_sub(1));
        let count = closed.take_while(|file| file.next() <= through).count();
        let removed = self.files.drain(..count);
        removed.map(|tracked| tracked.file).collect()
    }
}
