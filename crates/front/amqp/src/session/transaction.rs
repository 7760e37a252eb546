//! What a transactional channel has published and settled since its last commit.

use smallvec::SmallVec;
use stele_base_types::Name;
use stele_core_broker::Share;
use stele_core_engine::Outcome;

use super::unacked::Unacked;
use crate::{errors::Fault, stored::Message};

/// Octets that an open transaction may hold: the client decides when it ends, and not how much
/// memory that takes.
const TRANSACTION_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// What each message or settlement counts beside its body.
const ENTRY_BYTES: u64 = 512;

/// The names of the queues that a message goes to.
pub(crate) type Queues = SmallVec<[Name; 1]>;

/// An open transaction.
#[derive(Debug, Default)]
pub(crate) struct Transaction {
    /// Messages with the queues that they go to, in order; none for those without a route. By name:
    /// a queue that is deleted and declared anew before the commit is the same one.
    pub(crate) publishes: Vec<(Queues, Message)>,
    /// Deliveries by tag, with what becomes of them.
    pub(crate) settlements: Vec<(u64, Unacked, Outcome)>,
    size_bytes: u64,
    /// What its messages take of the memory.
    pub(crate) room: Share,
}

impl Transaction {
    /// Takes in a message, which takes `room` of the memory.
    pub(crate) fn publish(
        &mut self,
        queues: Queues,
        mut message: Message,
        room: Share,
    ) -> Result<(), Fault> {
        self.grow(ENTRY_BYTES + message.content.body.size_bytes())?;
        message.content.body.detach();
        self.publishes.push((queues, message));
        self.room.merge(room);
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
