//! The place of each part of the snapshot in force. Takes about 40 bytes of memory for each part.

use std::collections::BTreeMap;

use hashbrown::HashMap;

use super::{
    StoredPartFile,
    part_file::{HEADER_SIZE_BYTES, PartPlace},
};
use crate::{
    PartKey,
    limits::{PART_FILES_SLACK_BYTES, SMALL_PART_FILE_SIZE_BYTES, SMALL_PART_FILES_MAX},
};

/// The part files, and the places of the parts in them.
#[derive(Debug, Default)]
pub(crate) struct PartIndex {
    places: HashMap<PartKey, PartPlace>,
    files: BTreeMap<u64, PartFile>,
}

/// A part file.
#[derive(Debug)]
struct PartFile {
    size_bytes: u64,
    /// The size of its live records.
    live_bytes: u64,
    /// As in [`StoredPartFile`].
    dead: Vec<u8>,
}

impl PartIndex {
    /// Adds a file that the snapshot lists, without its records.
    pub(super) fn add_file(&mut self, file: &StoredPartFile) {
        let added = PartFile {
            size_bytes: file.size_bytes,
            live_bytes: 0,
            dead: file.dead.clone(),
        };
        self.files.insert(file.number, added);
    }

    /// Notes a part found in a file added before.
    pub(super) fn found(&mut self, key: PartKey, place: PartPlace) {
        if let Some(file) = self.files.get_mut(&place.file) {
            file.live_bytes += place.record_size_bytes();
        }
        self.places.insert(key, place);
    }

    /// Notes that a part was written, possibly replacing an earlier one.
    pub(super) fn written(&mut self, key: PartKey, place: PartPlace) {
        let file = self.files.entry(place.file).or_insert(PartFile {
            size_bytes: HEADER_SIZE_BYTES as u64,
            live_bytes: 0,
            dead: Vec::new(),
        });
        file.size_bytes += place.record_size_bytes();
        file.live_bytes += place.record_size_bytes();
        if let Some(earlier) = self.places.insert(key, place) {
            self.bury(&earlier);
        }
    }

    /// Removes a part, if it exists.
    pub(crate) fn remove(&mut self, key: PartKey) {
        if let Some(place) = self.places.remove(&key) {
            self.bury(&place);
        }
    }

    /// The place of a part.
    pub(crate) fn place(&self, key: PartKey) -> Option<&PartPlace> {
        self.places.get(&key)
    }

    /// All parts of a kind.
    pub(crate) fn of_kind(&self, kind: u8) -> Vec<PartKey> {
        let keys = self.places.keys().copied();
        keys.filter(|key| key.kind == kind).collect()
    }

    /// The number of the next file.
    pub(crate) fn next_number(&self) -> u64 {
        self.files.last_key_value().map_or(0, |(last, _)| last + 1)
    }

    /// Size of a file.
    pub(super) fn size_bytes(&self, number: u64) -> u64 {
        self.files.get(&number).map_or(0, |file| file.size_bytes)
    }

    /// Size of the files from this number on.
    #[cfg(test)]
    pub(crate) fn size_bytes_from(&self, number: u64) -> u64 {
        let files = self.files.range(number..);
        files.map(|(_, file)| file.size_bytes).sum()
    }

    /// The files before `before` whose parts should be rewritten: some of the small ones if there
    /// are many, or the file with the fewest live bytes if too much is dead.
    pub(super) fn to_rewrite(&self, before: u64) -> Vec<u64> {
        let files = || {
            self.files
                .range(..before)
                .filter(|(_, it)| it.live_bytes > 0)
        };
        let is_small = |file: &PartFile| file.size_bytes < SMALL_PART_FILE_SIZE_BYTES;
        let small: Vec<u64> = files()
            .filter(|(_, file)| is_small(file))
            .map(|(number, _)| *number)
            .collect();
        if small.len() > SMALL_PART_FILES_MAX {
            return small;
        }
        if self.total_size_bytes() <= 2 * self.live_bytes() + PART_FILES_SLACK_BYTES {
            return Vec::new();
        }
        let wasteful = files().min_by_key(|(_, file)| file.live_bytes * 1000 / file.size_bytes);
        wasteful.map(|(number, _)| *number).into_iter().collect()
    }

    /// What the snapshot lists: the files with live parts.
    pub(crate) fn listed(&self) -> Vec<StoredPartFile> {
        let files = self.files.iter().filter(|(_, file)| file.live_bytes > 0);
        files
            .map(|(number, file)| StoredPartFile {
                number: *number,
                size_bytes: file.size_bytes,
                dead: file.dead.clone(),
            })
            .collect()
    }

    /// Removes the files without live parts.
    pub(super) fn forget_dead(&mut self) {
        self.files.retain(|_, file| file.live_bytes > 0);
    }

    /// Size of all files with live parts.
    pub(crate) fn total_size_bytes(&self) -> u64 {
        let files = self.files.values().filter(|file| file.live_bytes > 0);
        files.map(|file| file.size_bytes).sum()
    }

    /// Size of all live parts.
    pub(crate) fn live_bytes(&self) -> u64 {
        self.files.values().map(|file| file.live_bytes).sum()
    }

    fn bury(&mut self, place: &PartPlace) {
        let file = self.files.get_mut(&place.file);
        let file = file.expect("a part's file is known for as long as the part is");
        file.live_bytes -= place.record_size_bytes();
        let (byte, bit) = (place.ordinal as usize / 8, place.ordinal % 8);
        if file.dead.len() <= byte {
            file.dead.resize(byte + 1, 0);
        }
        file.dead[byte] |= 1 << bit;
    }
}
