//! The engine's state as the storage keeps it: built from the journal, saved in parts.

use std::mem;

use hashbrown::HashSet;
use stele_base_types::LogId;
use stele_core_engine::{PartKind, State, StatePart, StoredRecord, Touched};
use stele_core_storage::{PartKey, Parts, Replay, ReplayError, Words};

/// The engine's state, and which of its parts have changed.
#[derive(Debug, Default)]
pub struct Replayed {
    pub(super) state: State,
    changed: HashSet<StatePart>,
    /// Kinds of which all existing parts are already in `changed`.
    kinds_changed: HashSet<PartKind>,
}

// The kinds of parts in snapshots. The numbers are part of the format.
const HEADER: u8 = 1;
const WHOLE_CATALOGUE: u8 = 2;
const LOG: u8 = 3;
const GROUPS: u8 = 4;
const CATALOGUE: u8 = 5;
const EXCHANGES: u8 = 6;
const DEFINITIONS: u8 = 7;
const BINDINGS: u8 = 8;

/// A newer version has saved a part that this one doesn't know.
#[derive(Debug, thiserror::Error)]
#[error("the snapshot has a part {id} of kind {kind}, which this stele doesn't know")]
struct UnknownPart {
    kind: u8,
    id: u64,
}

impl Replay for Replayed {
    fn load_whole(&mut self, state: &[u8]) -> Result<(), ReplayError> {
        self.state = State::read_whole(state)?;
        self.changed.extend(self.state.parts());
        Ok(())
    }

    fn load(&mut self, key: PartKey, bytes: &[u8]) -> Result<(), ReplayError> {
        let part = part_at(key)?;
        self.state.load_part(part, bytes)?;
        if part == StatePart::WholeCatalogue {
            // The old form is removed, and its content stored in parts.
            self.changed.insert(part);
            self.changed.extend(self.state.catalogue_parts());
        }
        Ok(())
    }

    fn parts_of(&self, record: &[u8]) -> Result<Parts, ReplayError> {
        let touched = StoredRecord::read(record)?.touched();
        Ok(Parts {
            keys: touched.parts.into_iter().map(key_of).collect(),
            kinds: touched.kinds.into_iter().map(key_kind_of).collect(),
        })
    }

    fn control(&mut self, record: &[u8]) -> Result<(), ReplayError> {
        let record = StoredRecord::read(record)?;
        self.note(record.touched());
        record.apply_to(&mut self.state);
        Ok(())
    }

    fn take_changed(&mut self) -> Vec<PartKey> {
        self.kinds_changed.clear();
        let changed = mem::take(&mut self.changed);
        changed.into_iter().map(key_of).collect()
    }

    fn save(&self, key: PartKey) -> Result<Option<Vec<u8>>, ReplayError> {
        Ok(self.state.store_part(part_at(key)?))
    }
}

impl Replayed {
    /// Marks what a record touches as changed. All parts of a kind are marked once; parts created
    /// later are marked by their own records.
    fn note(&mut self, touched: Touched) {
        let parts = touched.parts.into_iter();
        let written = parts.filter(|part| *part != StatePart::WholeCatalogue);
        self.changed.extend(written);
        for kind in touched.kinds {
            if self.kinds_changed.insert(kind) {
                self.changed.extend(self.state.parts_of(kind));
            }
        }
    }
}

/// How `stele storage dump` shows a shard's storage.
pub const WORDS: Words = Words {
    record: |bytes| StoredRecord::read(bytes).ok().map(|it| it.to_string()),
    part: |key| part_at(key).ok().map(|part| format!("{part:?}")),
};

fn key_of(part: StatePart) -> PartKey {
    let (kind, id) = match part {
        StatePart::Header => (HEADER, 0),
        StatePart::WholeCatalogue => (WHOLE_CATALOGUE, 0),
        StatePart::Catalogue => (CATALOGUE, 0),
        StatePart::Exchanges => (EXCHANGES, 0),
        StatePart::Definitions(part) => (DEFINITIONS, part),
        StatePart::Bindings(part) => (BINDINGS, part),
        StatePart::Log(LogId(log)) => (LOG, log),
        StatePart::Groups(bucket) => (GROUPS, u64::from(bucket)),
    };
    PartKey { kind, id }
}

fn key_kind_of(kind: PartKind) -> u8 {
    match kind {
        PartKind::Logs => LOG,
        PartKind::Definitions => DEFINITIONS,
        PartKind::Bindings => BINDINGS,
    }
}

fn part_at(key: PartKey) -> Result<StatePart, UnknownPart> {
    let PartKey { kind, id } = key;
    match (kind, u8::try_from(id)) {
        (HEADER, Ok(0)) => Ok(StatePart::Header),
        (WHOLE_CATALOGUE, Ok(0)) => Ok(StatePart::WholeCatalogue),
        (CATALOGUE, Ok(0)) => Ok(StatePart::Catalogue),
        (EXCHANGES, Ok(0)) => Ok(StatePart::Exchanges),
        (DEFINITIONS, _) => Ok(StatePart::Definitions(id)),
        (BINDINGS, _) => Ok(StatePart::Bindings(id)),
        (LOG, _) => Ok(StatePart::Log(LogId(id))),
        (GROUPS, Ok(bucket)) => Ok(StatePart::Groups(bucket)),
        _ => Err(UnknownPart { kind, id }),
    }
}

#[cfg(test)]
mod tests;
