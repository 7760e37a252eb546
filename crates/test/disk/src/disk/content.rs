//! The bytes of a file: the current ones, and those that are certain after a power failure.

use bytes::Bytes;

use super::Loss;
use crate::random::Random;

/// A change of a file.
#[derive(Clone, Debug)]
pub(super) enum Change {
    Write(u64, Vec<u8>),
    Size(u64),
}

/// A file's content.
#[derive(Clone, Debug, Default)]
pub(super) struct Content {
    bytes: Vec<u8>,
    /// As of the last sync.
    synced: Vec<u8>,
    /// Changes since then.
    unsynced: Vec<Change>,
}

impl Content {
    /// The same bytes, all of them durable.
    pub(super) fn copy(&self) -> Self {
        Self::safe(self.bytes.clone())
    }

    pub(super) fn change(&mut self, change: Change) {
        change.apply(&mut self.bytes);
        self.unsynced.push(change);
    }

    pub(super) fn edit(&mut self, change: impl FnOnce(&mut Vec<u8>)) {
        change(&mut self.bytes);
        *self = self.copy();
    }

    pub(super) fn sync(&mut self) {
        for change in self.unsynced.drain(..) {
            change.apply(&mut self.synced);
        }
    }

    /// A sync that fails. No later sync writes what `loss` takes: the file system considers it
    /// clean.
    pub(super) fn fail_sync(&mut self, loss: Loss) {
        let mut synced = match loss {
            Loss::Nothing => self.bytes.clone(),
            Loss::Everything => self.synced.clone(),
            Loss::Some(seed) => self.after_power_cut(&mut Random::new(seed)).bytes,
        };
        for change in self.unsynced.drain(..) {
            if let Change::Size(_) = change {
                change.apply(&mut synced);
            }
        }
        self.synced = synced;
    }

    pub(super) fn read(&self, position: u64, length: usize) -> Bytes {
        let start = (position as usize).min(self.bytes.len());
        let end = start.saturating_add(length).min(self.bytes.len());
        Bytes::copy_from_slice(&self.bytes[start..end])
    }

    pub(super) fn size_bytes(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// How much was written since the last sync.
    pub(super) fn unsynced_bytes(&self) -> u64 {
        self.unsynced.iter().map(Change::size_bytes).sum()
    }

    /// How much more space the file uses after a change.
    pub(super) fn growth_bytes(&self, change: &Change) -> u64 {
        let after = match change {
            Change::Write(position, bytes) => position + bytes.len() as u64,
            Change::Size(size_bytes) => *size_bytes,
        };
        after.saturating_sub(self.size_bytes())
    }

    /// The content without unsynced changes.
    pub(super) fn synced(&self) -> Self {
        Self::safe(self.synced.clone())
    }

    /// Each change since the last sync is kept, lost, or, if it is a write, torn at any byte.
    pub(super) fn after_power_cut(&self, random: &mut Random) -> Self {
        let keeps_all = random.once_in(4);
        let loses_all = random.once_in(3);
        let mut bytes = self.synced.clone();
        for change in &self.unsynced {
            match (keeps_all, loses_all, random.below(3)) {
                (true, ..) | (false, false, 0) => change.apply(&mut bytes),
                (false, true, _) | (false, false, 1) => {}
                _ => change.torn(random).apply(&mut bytes),
            }
        }
        Self::safe(bytes)
    }

    fn safe(bytes: Vec<u8>) -> Self {
        Self {
            synced: bytes.clone(),
            bytes,
            unsynced: Vec::new(),
        }
    }
}

impl Change {
    /// How much it writes.
    pub(super) fn size_bytes(&self) -> u64 {
        match self {
            Self::Write(_, bytes) => bytes.len() as u64,
            Self::Size(_) => 0,
        }
    }

    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Write(position, written) => {
                let position = *position as usize;
                let end = position + written.len();
                if bytes.len() < end {
                    bytes.resize(end, 0);
                }
                bytes[position..end].copy_from_slice(written);
            }
            Self::Size(size_bytes) => bytes.resize(*size_bytes as usize, 0),
        }
    }

    fn torn(&self, random: &mut Random) -> Self {
        match self {
            Self::Write(position, bytes) if !bytes.is_empty() => {
                let (from, to) = (random.place(bytes.len()), random.place(bytes.len()));
                let (from, to) = (from.min(to), from.max(to));
                // More often the beginning than a piece from the middle.
                let from = if random.once_in(3) { from } else { 0 };
                Self::Write(position + from as u64, bytes[from..to].to_owned())
            }
            whole => whole.clone(),
        }
    }
}
