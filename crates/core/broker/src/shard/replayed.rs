//! The engine's state as storage keeps it: built from the journal, saved in parts.

use std::mem;

use hashbrown::HashSet;
use stele_base_types::LogId;
use stele_core_engine::{State, StatePart, StoredRecord, Touched};
use stele_core_storage::{PartKey, Parts, Replay, ReplayError};

/// The engine's state, with the parts of it that have changed.
#[derive(Debug, Default)]
pub struct Replayed {
    pub(super) state: State,
    changed: HashSet<StatePart>,
    /// All logs that there were at some time are among those.
    are_logs_changed: bool,
}

// The kinds of parts in snapshots.
const HEADER: u8 = 1;
const CATALOGUE: u8 = 2;
const LOG: u8 = 3;
const GROUPS: u8 = 4;

/// A newer program has saved a part that this one doesn't know.
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
        Ok(self.state.load_part(part_at(key)?, bytes)?)
    }

    fn parts_of(&self, record: &[u8]) -> Result<Parts, ReplayError> {
        let touched = StoredRecord::read(record)?.touched();
        Ok(Parts {
            keys: touched.parts.into_iter().map(key_of).collect(),
            kinds: touched.all_logs.then_some(LOG).into_iter().collect(),
        })
    }

    fn control(&mut self, record: &[u8]) -> Result<(), ReplayError> {
        let record = StoredRecord::read(record)?;
        self.note(record.touched());
        record.apply_to(&mut self.state);
        Ok(())
    }

    fn take_changed(&mut self) -> Vec<PartKey> {
        self.are_logs_changed = false;
        let changed = mem::take(&mut self.changed);
        changed.into_iter().map(key_of).collect()
    }

    fn save(&self, key: PartKey) -> Result<Option<Vec<u8>>, ReplayError> {
        Ok(self.state.store_part(part_at(key)?))
    }
}

impl Replayed {
    /// Counts what a record touches as changed. All logs are counted once: those that are made
    /// later are touched by their own records.
    fn note(&mut self, touched: Touched) {
        self.changed.extend(touched.parts);
        if touched.all_logs && !mem::replace(&mut self.are_logs_changed, true) {
            let logs = self.state.logs.iter();
            self.changed
                .extend(logs.map(|(log, _)| StatePart::Log(log)));
        }
    }
}

fn key_of(part: StatePart) -> PartKey {
    let (kind, id) = match part {
        StatePart::Header => (HEADER, 0),
        StatePart::Catalogue => (CATALOGUE, 0),
        StatePart::Log(LogId(log)) => (LOG, log),
        StatePart::Groups(bucket) => (GROUPS, u64::from(bucket)),
    };
    PartKey { kind, id }
}

fn part_at(key: PartKey) -> Result<StatePart, UnknownPart> {
    let PartKey { kind, id } = key;
    match (kind, u8::try_from(id)) {
        (HEADER, Ok(0)) => Ok(StatePart::Header),
        (CATALOGUE, Ok(0)) => Ok(StatePart::Catalogue),
        (LOG, _) => Ok(StatePart::Log(LogId(id))),
        (GROUPS, Ok(bucket)) => Ok(StatePart::Groups(bucket)),
        _ => Err(UnknownPart { kind, id }),
    }
}

#[cfg(test)]
mod tests;
