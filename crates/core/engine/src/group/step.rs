//! A decision on a group, in the making.

use std::collections::BTreeMap;

use stele_base_types::{LogId, Name, Offset, PartitionId};

use super::{GroupError, GroupRecord, JoinedGroup, SyncedGroup, member::Waits};
use crate::{CursorMove, Decision, Durability, Effect, LinkCommand, Record, Token};

/// Collects what a command on `group` changes and is answered with.
#[derive(Debug)]
pub(super) struct Step<'a> {
    group: &'a Name,
    decision: Decision,
}

impl<'a> Step<'a> {
    pub(super) fn new(group: &'a Name) -> Self {
        Self {
            group,
            decision: Decision::nothing(),
        }
    }

    /// One more change. What is journalled is waited for.
    pub(super) fn record(&mut self, record: GroupRecord) {
        if record.is_journalled() {
            self.decision.durability = Durability::Synced;
        }
        let record = Record::Group(self.group.clone(), record);
        self.decision.records.push(record);
    }

    /// Tells logs how far the group has read of them.
    pub(super) fn move_cursors(
        &mut self,
        positions: impl IntoIterator<Item = (PartitionId, Option<Offset>)>,
    ) {
        let mut logs: BTreeMap<LogId, Vec<CursorMove>> = BTreeMap::new();
        for (partition, position) in positions {
            let moves = logs.entry(partition.log).or_default();
            moves.push((partition.index, position));
        }
        for (log, moves) in logs {
            let group = self.group.clone();
            let command = LinkCommand::MoveCursor { log, group, moves };
            self.decision.sends.push(command);
        }
    }

    /// Answers a join that waits.
    pub(super) fn tell_joined(&mut self, token: Token, answer: Result<JoinedGroup, GroupError>) {
        let answer = answer.map(Box::new);
        self.decision.effects.push(Effect::Joined(token, answer));
    }

    /// Answers a sync that waits.
    pub(super) fn tell_synced(&mut self, token: Token, answer: Result<SyncedGroup, GroupError>) {
        self.decision.effects.push(Effect::Synced(token, answer));
    }

    /// Refuses what a member waits for.
    pub(super) fn refuse(&mut self, waits: Waits, error: GroupError) {
        match waits {
            Waits::No => {}
            Waits::Join(token) => self.tell_joined(token, Err(error)),
            Waits::Sync(token) => self.tell_synced(token, Err(error)),
        }
    }

    /// Answers the command.
    pub(super) fn answered<R>(self, reply: R) -> Decision<R> {
        self.decision.answered(reply)
    }

    /// There is nothing to answer.
    pub(super) fn done(self) -> Decision {
        self.decision
    }
}
