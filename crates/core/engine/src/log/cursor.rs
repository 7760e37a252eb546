//! Cursors: how far consumer groups have read. A group's offsets are on its own shard, which sends
//! them here over the link, so that a log knows which records are still needed.

use std::collections::BTreeMap;

use stele_base_types::{LogId, Name, Offset, PartitionIndex};

use super::{Log, LogRecord, Logs};
use crate::{Decision, Record};

/// The groups with an offset on a log, with the next record to read of each partition.
pub(crate) type Cursors = BTreeMap<Name, BTreeMap<PartitionIndex, Offset>>;

/// A group's next record to read of a partition; `None` if it no longer has an offset there.
pub type CursorMove = (PartitionIndex, Option<Offset>);

impl Logs {
    /// Applies a group's new offsets.
    pub(crate) fn move_cursor(&self, log: LogId, group: Name, moves: Vec<CursorMove>) -> Decision {
        if self.log(log).is_none() {
            return Decision::nothing();
        }
        Decision::record(Record::Log(log, LogRecord::CursorMoved { group, moves }))
    }
}

impl Log {
    /// Whether a group has an offset on it.
    pub fn has_cursors(&self) -> bool {
        !self.cursors.is_empty()
    }

    pub(super) fn apply_cursor_moved(&mut self, group: &Name, moves: &[CursorMove]) {
        let cursor = self.cursors.entry(group.clone()).or_default();
        for (partition, position) in moves {
            match position {
                Some(position) => {
                    cursor.insert(*partition, *position);
                }
                None => {
                    cursor.remove(partition);
                }
            }
        }
        if cursor.is_empty() {
            self.cursors.remove(group);
        }
    }

    /// The groups that haven't read a record of a partition yet.
    pub(super) fn unread_by(
        &self,
        index: PartitionIndex,
        record: Offset,
    ) -> impl Iterator<Item = &Name> {
        let unread = move |cursor: &BTreeMap<PartitionIndex, Offset>| {
            cursor.get(&index).is_some_and(|next| *next <= record)
        };
        let groups = self.cursors.iter();
        groups.filter_map(move |(group, cursor)| unread(cursor).then_some(group))
    }

    /// The first record of a partition that some group hasn't read yet.
    pub(super) fn first_unread(&self, index: PartitionIndex) -> Option<Offset> {
        let positions = self.cursors.values();
        positions
            .filter_map(|cursor| cursor.get(&index))
            .min()
            .copied()
    }
}
