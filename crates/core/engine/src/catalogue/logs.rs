//! The logs of the catalogue, by id.

use std::collections::BTreeMap;

use stele_base_types::LogId;

use super::LogDefinition;

/// Definitions by id, and the next id.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct LogTable {
    by_id: BTreeMap<LogId, LogDefinition>,
    /// Larger than every id assigned, including those of deleted logs: ids are never reused.
    next: LogId,
    /// What they take in memory.
    bytes: usize,
    /// How many of them refuse messages when they are full.
    refusing: usize,
}

impl LogTable {
    /// An empty table that assigns ids from `next`.
    pub(super) fn starting_at(next: LogId) -> Self {
        Self {
            by_id: BTreeMap::new(),
            next,
            bytes: 0,
            refusing: 0,
        }
    }

    pub(super) fn insert(&mut self, definition: LogDefinition) {
        self.next = self.next.max(LogId(definition.id.0 + 1));
        self.bytes += definition.bytes();
        self.refusing += usize::from(definition.refuses());
        if let Some(former) = self.by_id.insert(definition.id, definition) {
            self.bytes -= former.bytes();
            self.refusing -= usize::from(former.refuses());
        }
    }

    pub(super) fn remove(&mut self, log: LogId) -> Option<LogDefinition> {
        let removed = self.by_id.remove(&log)?;
        self.bytes -= removed.bytes();
        self.refusing -= usize::from(removed.refuses());
        Some(removed)
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn by_id(&self, log: LogId) -> Option<&LogDefinition> {
        self.by_id.get(&log)
    }

    /// Whether one of these logs refuses messages when it is full.
    pub(super) fn refuse(&self, logs: &[LogId]) -> bool {
        let mut found = logs.iter().filter_map(|log| self.by_id(*log));
        self.refusing > 0 && found.any(LogDefinition::refuses)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &LogDefinition> {
        self.by_id.values()
    }

    /// The definitions of the ids from `first` to `last`.
    pub(super) fn between(
        &self,
        first: LogId,
        last: LogId,
    ) -> impl Iterator<Item = &LogDefinition> {
        self.by_id.range(first..=last).map(|(_, log)| log)
    }

    /// Makes sure that no id below this one is assigned.
    pub(super) fn raise_next(&mut self, next: LogId) {
        self.next = self.next.max(next);
    }

    /// The id of the next new log.
    pub(super) fn next(&self) -> LogId {
        self.next
    }

    /// The logs that don't survive the process.
    pub(super) fn fleeting(&self) -> impl Iterator<Item = LogId> {
        let fleeting = self.iter().filter(|log| log.config.ends_with_process());
        fleeting.map(|log| log.id)
    }
}
