//! A commit whose messages are on their way to their queues.
//!
//! The connection goes on meanwhile, apart from what its client sends: it may have to wait for as
//! long as space is short.

use std::collections::BTreeMap;

use stele_core_broker::{self as broker, Share};
use stele_core_engine::AppendError;

use super::{Connection, publishing::Gathered};
use crate::{session::transaction::Transaction, stored::Message};

/// A transaction that is being committed.
#[derive(Debug)]
pub(crate) struct Committing {
    /// The channel.
    pub(crate) number: u16,
    /// What is settled once the messages are taken.
    pub(crate) transaction: Transaction,
    /// Batches that aren't answered yet, by tag, each with its messages that are mandatory.
    waiting: BTreeMap<u64, Vec<Message>>,
    /// Not all were taken.
    pub(crate) is_cut_short: bool,
}

impl Committing {
    pub(crate) fn new(number: u16, transaction: Transaction) -> Self {
        Self {
            number,
            transaction,
            waiting: BTreeMap::new(),
            is_cut_short: false,
        }
    }

    /// The part of the transaction's memory that goes on with so many octets.
    fn pass(&mut self, bytes: usize) -> Share {
        self.transaction.room.split(bytes)
    }

    /// Whether every message has found its queues, or is lost.
    pub(crate) fn is_answered(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Takes note of the outcome of a batch, where it is of this transaction. Gives what is to be
    /// returned, because all of its queues have gone.
    pub(super) fn answered(
        &mut self,
        tag: u64,
        result: &Result<(), broker::Error<AppendError>>,
    ) -> Vec<Message> {
        let Some(mandatory) = self.waiting.remove(&tag) else {
            return Vec::new();
        };
        match result {
            Ok(()) => Vec::new(),
            Err(broker::Error::Refused(AppendError::NoSuchLog)) => mandatory,
            Err(_) => {
                self.is_cut_short = true;
                Vec::new()
            }
        }
    }
}

impl Connection {
    /// Sends a batch of a transaction's, with those of its messages that are mandatory.
    pub(crate) async fn publish_of(
        &mut self,
        committing: &mut Committing,
        gathered: Gathered,
        mandatory: Vec<Message>,
    ) {
        let tag = self.session.in_flight.push(gathered.confirms);
        committing.waiting.insert(tag, mandatory);
        let room = committing.pass(gathered.publish.batch.bytes().len());
        self.holder.publish(tag, gathered.publish, room).await;
    }

    /// Goes on with a commit once its messages are taken; takes no more of its client until then.
    pub(crate) fn commit(&mut self, committing: Committing) {
        self.committing = Some(committing);
    }
}
