//! A decision on a group that is being made.

use std::collections::BTreeMap;

use stele_base_types::{LogId, Name, Offset, PartitionId};

use super::{GroupError, GroupRecord, JoinedGroup, SyncedGroup, member::Waits};
use crate::{CursorMove, Decision, Durability, Effect, LinkCommand, Record, Token};

/// Collects the changes and answers of a command to `group`.
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

    /// Adds a change. The reply waits for those that are journalled.
    pub(super) fn record(&mut self, record: GroupRecord) {
        if record.is_journalled() {
            self.decision.durability = Durability::Synced;
        }
        let record = Record::Group(self.group.clone(), record);
        self.decision.records.push(record);
    }

    /// Tells logs how far the group has read.
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

    /// Answers a waiting join.
    pub(super) fn tell_joined(&mut self, token: Token, answer: Result<JoinedGroup, GroupError>) {
        let answer = answer.map(Box::new);
        self.decision.effects.push(Effect::Joined(token, answer));
    }

    /// Answers a waiting sync.
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

    /// Ends with a reply to the command.
    pub(super) fn answered<R>(self, reply: R) -> Decision<R> {
        self.decision.answered(reply)
    }

    /// Ends without a reply.
    pub(super) fn done(self) -> Decision {
        self.decision
    }
}
