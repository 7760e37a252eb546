//! Deletions, whose answers may come later.

use stele_core_engine::{DeleteLog, Durability, LogError, Token};

use super::Shard;
use crate::request::Reply;

impl Shard {
    pub(super) fn delete(&mut self, delete: DeleteLog, reply: Reply<u64, LogError>) {
        let token = self.give_token();
        let decided = delete.decide(token, &self.state, self.now);
        if let Some(waiting) = self.answer_or_wait(decided, reply) {
            self.deletions.insert(token, waiting);
        }
    }

    /// Answers a deletion that waits.
    pub(super) fn deleted(&mut self, token: Token, ready: u64, durability: Durability) {
        if let Some(reply) = self.deletions.remove(&token) {
            self.answer_call(reply, Ok(ready), durability);
        }
    }
}
