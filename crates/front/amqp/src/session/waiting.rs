//! Deliveries that a channel's bound doesn't let through yet.
//!
//! Each shard of the broker keeps to the bound by itself. What several of them have leased to one
//! channel together may be more: the rest waits here until the client has acknowledged enough.

use std::vec;

use stele_base_types::{ConsumerId, LogId};
use stele_core_broker::LeasedMessage;

use super::unacked::Unacked;

/// A delivery of the broker's, or what is left of one.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) log: LogId,
    pub(crate) consumer: ConsumerId,
    pub(crate) messages: vec::IntoIter<LeasedMessage>,
    /// The consumer's credit that it takes.
    pub(crate) charged_bytes: u64,
}

impl Waiting {
    /// The leases of what is left.
    pub(crate) fn unacked(&self) -> impl Iterator<Item = Unacked> + '_ {
        let messages = self.messages.as_slice().iter();
        messages.map(|message| Unacked::of(self.log, message))
    }
}
