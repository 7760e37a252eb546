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

/// The position in a partition that was added, until the group's shard tells one: the group holds
/// all of it. The group's shard doesn't know of it, so it goes when the group's other positions go.
const ADDED: Offset = Offset(u64::MAX);

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
        if cursor.values().all(|position| *position == ADDED) {
            self.cursors.remove(group);
        }
    }

    /// Partitions were added after the first `former` ones: a group with a position on the log
    /// holds them from their start. Its members learn of them with the next rebalance only.
    pub(super) fn hold_added(&mut self, former: u32) {
        for cursor in self.cursors.values_mut() {
            let added = (former..self.config.partitions).map(PartitionIndex);
            cursor.extend(added.map(|index| (index, ADDED)));
        }
    }

    /// The groups that haven't read a record of a partition yet.
    pub(super) fn unread_by(
        &self,
        index: PartitionIndex,
        record: Offset,
    ) -> impl Iterator<Item = &Name> {
        let unread = move |cursor: &BTreeMap<PartitionIndex, Offset>| {
            next_of(cursor, index).is_some_and(|next| next <= record)
        };
        let groups = self.cursors.iter();
        groups.filter_map(move |(group, cursor)| unread(cursor).then_some(group))
    }

    /// The first record of a partition that some group hasn't read yet.
    pub(super) fn first_unread(&self, index: PartitionIndex) -> Option<Offset> {
        let positions = self.cursors.values();
        positions.filter_map(|cursor| next_of(cursor, index)).min()
    }
}

fn next_of(cursor: &BTreeMap<PartitionIndex, Offset>, index: PartitionIndex) -> Option<Offset> {
    let position = *cursor.get(&index)?;
    Some(if position == ADDED {
        Offset::ZERO
    } else {
        position
    })
}
