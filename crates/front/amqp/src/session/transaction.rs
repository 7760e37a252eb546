//! What a transactional channel has published and settled since its last commit.

use smallvec::SmallVec;
use stele_base_types::Name;
use stele_core_broker::Share;
use stele_core_engine::Outcome;

use super::unacked::Unacked;
use crate::{errors::Fault, stored::Message};

/// Maximum bytes of an open transaction, because the client decides how long it stays open.
const TRANSACTION_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Overhead counted for each message or settlement, besides the body.
const ENTRY_BYTES: u64 = 512;

/// The names of the queues that a message is routed to.
pub(crate) type Queues = SmallVec<[Name; 1]>;

/// An open transaction.
#[derive(Debug, Default)]
pub(crate) struct Transaction {
    /// Messages with their queues, in order; unroutable ones have no queue. By name: a queue that
    /// is deleted and declared again before the commit counts as the same.
    pub(crate) publishes: Vec<(Queues, Message)>,
    /// Deliveries by tag, with their outcomes.
    pub(crate) settlements: Vec<(u64, Unacked, Outcome)>,
    size_bytes: u64,
    /// The memory of its messages.
    pub(crate) room: Share,
}

impl Transaction {
    /// Adds a message that uses `room` of the memory.
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
        // The client decides how long it stays open.
        self.room.stand_aside();
        Ok(())
    }

    pub(crate) fn settle(
        &mut self,
        tag: u64,
        unacked: Unacked,
        outcome: Outcome,
    ) -> Result<(), Fault> {
        // Added even when the limit is exceeded: the channel then closes and returns it.
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
