//! Deliveries that can't be sent yet, for one of these reasons:
//!
//! - The channel's limit is reached: each shard of the broker enforces it by itself, so several
//!   shards together may lease more to one channel. The excess waits until the client has
//!   acknowledged enough.
//! - The client is slow to read, or memory is short.

use stele_base_types::{ConsumerId, LogId};
use stele_core_broker::LeasedMessages;

use super::unacked::Unacked;

/// A delivery from the broker, or the rest of one.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) log: LogId,
    pub(crate) consumer: ConsumerId,
    /// Whether it counts against the channel's limit.
    pub(crate) is_counted: bool,
    pub(crate) messages: LeasedMessages,
    /// The consumer credit that it uses.
    pub(crate) charged_bytes: u64,
    /// The memory that the next message needs besides the stored bytes, if it is known.
    pub(crate) next_bytes: usize,
}

impl Waiting {
    /// The leases of the remaining messages.
    pub(crate) fn unacked(&self) -> impl Iterator<Item = Unacked> + '_ {
        let partition = self.messages.partition();
        let leases = self.messages.leases().iter();
        leases.map(move |lease| Unacked {
            log: self.log,
            partition,
            offset: lease.offset,
            lease: lease.lease,
            is_counted: false,
            read_by: None,
        })
    }
}
