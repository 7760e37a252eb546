//! A transaction that is being committed.
//!
//! Meanwhile the connection continues, but processes no input: the commit may wait as long as disk
//! space is short.

use stele_core_broker::{self as broker, Sent};
use stele_core_engine::AppendError;

use super::Connection;
use crate::{session::transaction::Transaction, stored::Message};

/// What became of a commit: the positions of the batches that no queue took.
pub(crate) type Committed = Result<Vec<usize>, broker::Error<AppendError>>;

/// A transaction being committed.
#[derive(Debug)]
pub(crate) struct Committing {
    /// The channel.
    pub(crate) number: u16,
    /// Its settlements.
    pub(crate) transaction: Transaction,
    /// Mandatory messages, with the positions of their batches.
    pub(crate) mandatory: Vec<(usize, Message)>,
    pub(crate) sent: Sent,
    pub(crate) outcome: Option<Committed>,
}

impl Connection {
    /// Continues a commit once it is final, and processes no input until then.
    pub(crate) fn commit(&mut self, committing: Committing) {
        self.committing = Some(committing);
    }

    pub(super) fn committed(&mut self, outcome: Committed) {
        if let Some(committing) = &mut self.committing {
            committing.outcome = Some(outcome);
        }
    }
}
