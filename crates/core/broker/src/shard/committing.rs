//! Committing transactions: the shard's part, which is the batches' bodies.

use bytes::Bytes;
use stele_core_engine::{Command as _, CommitPart, Durability};

use super::{Shard, release::Answer};
use crate::{Error, mailbox::Event, transaction::CommitRequest};

impl Shard {
    /// Commits a transaction for which there is space.
    pub(super) fn commit_admitted(&mut self, committing: CommitRequest) {
        let CommitRequest {
            mut commit,
            mut bodies,
            mailbox,
        } = committing;
        let gone = commit.drop_gone(&self.state.logs);
        let mut positions = 0..;
        bodies.retain(|_| {
            let position = positions.next();
            position.is_none_or(|position| gone.binary_search(&position).is_err())
        });
        for (append, body) in commit.appends.iter_mut().zip(&bodies) {
            self.tell_sizes(append, body);
        }
        let decided = commit.decide(&self.state, self.now).map_err(Error::Refused);
        let carried_out = decided.and_then(|decision| {
            let durability = decision.durability;
            self.apply_decision(decision, &bodies)?;
            Ok(durability)
        });
        let durability = carried_out
            .as_ref()
            .copied()
            .unwrap_or(Durability::Volatile);
        let result = carried_out.map(|_| gone);
        let send = move || mailbox.push(Event::Committed { result });
        let answer = Answer::Call(Box::new(send));
        match durability {
            Durability::Volatile => self.answer_sealed(answer),
            _ => self.answer(answer, durability),
        }
    }
}

/// The bodies of a part, in the order of its appends.
pub(super) fn bodies_of(part: &CommitPart) -> Vec<Bytes> {
    let appends = part.appends.iter();
    appends
        .map(|append| Bytes::from_owner(append.body.0.clone()))
        .collect()
}
