//! Cursors: how far consumer groups have read. A group's offsets are its own shard's; what is here
//! comes from there over the link, so that a log knows what it still needs.

use std::collections::BTreeMap;

use stele_base_types::{LogId, Name, Offset, PartitionIndex};

use super::{Log, LogRecord, Logs};
use crate::{Decision, Record};

/// The groups that have a position on a log, with the next record to read of each partition.
pub(crate) type Cursors = BTreeMap<Name, BTreeMap<PartitionIndex, Offset>>;

/// A group's next record to read of a partition; `None` where it has a position no more.
pub type CursorMove = (PartitionIndex, Option<Offset>);

impl Logs {
    /// A group has moved.
    pub(crate) fn move_cursor(&self, log: LogId, group: Name, moves: Vec<CursorMove>) -> Decision {
        if self.log(log).is_none() {
            return Decision::nothing();
        }
        Decision::record(Record::Log(log, LogRecord::CursorMoved { group, moves }))
    }
}

impl Log {
    /// Whether a group has a position on it.
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

    /// The groups that have yet to read a record of a partition.
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

    /// The first record of a partition that a group has yet to read.
    pub(super) fn first_unread(&self, index: PartitionIndex) -> Option<Offset> {
        let positions = self.cursors.values();
        positions
            .filter_map(|cursor| cursor.get(&index))
            .min()
            .copied()
    }
}
