//! A decision on a group, in the making.

use stele_base_types::Name;

use super::GroupRecord;
use crate::{Decision, Durability, Effect, Error, Record, Reply, command::Token};

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

    /// Answers someone who waits.
    pub(super) fn respond(&mut self, token: Token, answer: Result<Reply, Error>) {
        self.decision.effects.push(Effect::Respond(token, answer));
    }

    /// Answers the command, now.
    pub(super) fn answered(mut self, answer: Result<Reply, Error>) -> Decision {
        self.decision.reply = Some(answer);
        self.decision
    }

    /// The command is answered later, or there is none.
    pub(super) fn unanswered(self) -> Decision {
        self.decision
    }
}
