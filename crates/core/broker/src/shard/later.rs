//! Requests that may be answered later: deletions of logs, joins and syncs of groups. Each has a
//! token, with which the engine names it when its answer is due.

use stele_core_engine::{
    Decision, DeleteLog, Durability, GroupError, JoinGroup, JoinReply, JoinedGroup, LogError,
    SyncGroup, SyncedGroup, Token,
};

use super::Shard;
use crate::{Error, request::Reply};

impl Shard {
    pub(super) fn delete(&mut self, delete: DeleteLog, reply: Reply<u64, LogError>) {
        let token = self.give_token();
        let decided = delete.decide(token, &self.state, self.now);
        if let Some(waiting) = self.answer_or_wait(decided, reply) {
            self.deletions.insert(token, waiting);
        }
    }

    /// Answers a waiting deletion.
    pub(super) fn deleted(&mut self, token: Token, ready: u64, durability: Durability) {
        if let Some(reply) = self.deletions.remove(&token) {
            self.answer_call(reply, Ok(ready), durability);
        }
    }

    pub(super) fn join(&mut self, join: JoinGroup, reply: Reply<JoinReply, GroupError>) {
        let token = self.give_token();
        let decided = join.decide(token, &self.state, self.now);
        if let Some(waiting) = self.answer_or_wait(decided, reply) {
            self.joins.insert(token, waiting);
        }
    }

    pub(super) fn sync(&mut self, sync: SyncGroup, reply: Reply<SyncedGroup, GroupError>) {
        let token = self.give_token();
        let decided = sync.decide(token, &self.state, self.now);
        if let Some(waiting) = self.answer_or_wait(decided, reply) {
            self.syncs.insert(token, waiting);
        }
    }

    /// Answers a waiting join.
    pub(super) fn joined(
        &mut self,
        token: Token,
        answer: Result<Box<JoinedGroup>, GroupError>,
        durability: Durability,
    ) {
        if let Some(reply) = self.joins.remove(&token) {
            self.answer_call(reply, answer.map(JoinReply::Joined), durability);
        }
    }

    /// Answers a waiting sync.
    pub(super) fn synced(
        &mut self,
        token: Token,
        answer: Result<SyncedGroup, GroupError>,
        durability: Durability,
    ) {
        if let Some(reply) = self.syncs.remove(&token) {
            self.answer_call(reply, answer, durability);
        }
    }

    /// Applies a decision and answers it, or returns the reply channel if the caller has to wait.
    pub(super) fn answer_or_wait<R: Send + 'static, E: Send + 'static>(
        &mut self,
        decided: Result<Decision<Option<R>>, E>,
        reply: Reply<R, E>,
    ) -> Option<Reply<R, E>> {
        let decision = match decided {
            Ok(decision) => decision,
            Err(refusal) => {
                drop(reply.send(Err(Error::Refused(refusal))));
                return None;
            }
        };
        let durability = decision.durability;
        match self.apply_decision(decision, &[]) {
            Ok(Some(answer)) => self.answer_call(reply, Ok(answer), durability),
            Ok(None) => return Some(reply),
            Err(failure) => drop(reply.send(Err(failure.into()))),
        }
        None
    }
}
