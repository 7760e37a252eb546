//! A commit whose messages are on their way to their queues.
//!
//! The connection goes on meanwhile, apart from what its client sends: it may have to wait for as
//! long as space is short.

use stele_core_broker as broker;
use stele_core_engine::AppendError;

use super::{Connection, publishing::Gathered};
use crate::session::transaction::Transaction;

/// A transaction that is being committed.
#[derive(Debug)]
pub(crate) struct Committing {
    /// The channel.
    pub(crate) number: u16,
    /// What is settled once the messages are taken.
    pub(crate) transaction: Transaction,
    /// Its batches have this tag and those after it.
    first_tag: u64,
    /// How many batches aren't answered yet.
    waiting: usize,
    /// Not all were taken.
    pub(crate) is_cut_short: bool,
}

impl Committing {
    pub(crate) fn new(number: u16, transaction: Transaction) -> Self {
        Self {
            number,
            transaction,
            first_tag: u64::MAX,
            waiting: 0,
            is_cut_short: false,
        }
    }

    /// Whether every message has found its queues, or is lost.
    pub(crate) fn is_answered(&self) -> bool {
        self.waiting == 0
    }

    /// Takes note of the outcome of a batch, where it is of this transaction.
    pub(super) fn answered(&mut self, tag: u64, result: &Result<(), broker::Error<AppendError>>) {
        if tag < self.first_tag {
            return;
        }
        self.waiting -= 1;
        let is_gone = |error| matches!(error, &broker::Error::Refused(AppendError::NoSuchLog));
        self.is_cut_short |= result.as_ref().is_err_and(|error| !is_gone(error));
    }
}

impl Connection {
    /// Sends a batch of a transaction's.
    pub(crate) async fn publish_of(&mut self, committing: &mut Committing, gathered: Gathered) {
        let tag = self.session.in_flight.push(gathered.confirms);
        committing.first_tag = committing.first_tag.min(tag);
        committing.waiting += 1;
        self.holder.publish(tag, gathered.publish).await;
    }

    /// Goes on with a commit once its messages are taken; takes no more of its client until then.
    pub(crate) fn commit(&mut self, committing: Committing) {
        self.committing = Some(committing);
    }
}
