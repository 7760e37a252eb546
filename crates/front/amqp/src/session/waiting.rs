//! Deliveries that can't be sent yet.
//!
//! - The channel's bound doesn't let them through: each shard of the broker keeps to it by itself,
//!   and what several of them have leased to one channel together may be more. The rest waits until
//!   the client has acknowledged enough.
//! - The client is slow to read, or memory is short.

use stele_base_types::{ConsumerId, LogId};
use stele_core_broker::LeasedMessages;

use super::unacked::Unacked;

/// A delivery of the broker's, or what is left of one.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) log: LogId,
    pub(crate) consumer: ConsumerId,
    /// Whether the channel's bound counts it.
    pub(crate) is_counted: bool,
    pub(crate) messages: LeasedMessages,
    /// The consumer's credit that it takes.
    pub(crate) charged_bytes: u64,
    /// What the next message takes beside the stored bytes, where that is known.
    pub(crate) next_bytes: usize,
}

impl Waiting {
    /// The leases of what is left.
    pub(crate) fn unacked(&self) -> impl Iterator<Item = Unacked> + '_ {
        let partition = self.messages.partition();
        let leases = self.messages.leases().iter();
        leases.map(move |lease| Unacked {
            log: self.log,
            partition,
            offset: lease.offset,
            lease: lease.lease,
            is_counted: false,
        })
    }
}
