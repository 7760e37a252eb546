//! What a transactional channel has published and settled since its last commit.

use stele_core_engine::Outcome;

use super::unacked::Unacked;
use crate::{connection::publishing::Targets, errors::Fault, stored::Message};

/// Octets that an open transaction may hold: the client decides when it ends, and not how much
/// memory that takes.
const TRANSACTION_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// What each message or settlement counts beside its body.
const ENTRY_BYTES: u64 = 512;

/// An open transaction.
#[derive(Debug, Default)]
pub(crate) struct Transaction {
    /// Messages with where they go, in order; nowhere for those without a route.
    pub(crate) publishes: Vec<(Targets, Message)>,
    /// Deliveries by tag, with what becomes of them.
    pub(crate) settlements: Vec<(u64, Unacked, Outcome)>,
    size_bytes: u64,
}

impl Transaction {
    pub(crate) fn publish(&mut self, targets: Targets, message: Message) -> Result<(), Fault> {
        self.grow(ENTRY_BYTES + message.content.body.size_bytes())?;
        self.publishes.push((targets, message));
        Ok(())
    }

    pub(crate) fn settle(
        &mut self,
        tag: u64,
        unacked: Unacked,
        outcome: Outcome,
    ) -> Result<(), Fault> {
        // Kept even when it is one too many: the channel that closes for it returns it.
        self.settlements.push((tag, unacked, outcome));
        self.grow(ENTRY_BYTES)
    }

    fn grow(&mut self, size_bytes: u64) -> Result<(), Fault> {
        self.size_bytes += size_bytes;
        if self.size_bytes > TRANSACTION_BYTES_MAX {
            return Err(Fault::precondition(format!(
                "transaction is larger than {TRANSACTION_BYTES_MAX} bytes"
            )));
        }
        Ok(())
    }
}
