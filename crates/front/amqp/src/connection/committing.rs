//! A commit whose messages are being stored.
//!
//! Meanwhile the connection continues, but processes no input: the commit may wait as long as disk
//! space is short.

use std::collections::BTreeMap;

use stele_core_broker::{self as broker, Share};
use stele_core_engine::AppendError;

use super::{Connection, publishing::Gathered};
use crate::{session::transaction::Transaction, stored::Message};

/// A transaction being committed.
#[derive(Debug)]
pub(crate) struct Committing {
    /// The channel.
    pub(crate) number: u16,
    /// Settled once the messages are stored.
    pub(crate) transaction: Transaction,
    /// Batches without a reply, by tag, each with its mandatory messages.
    waiting: BTreeMap<u64, Vec<Message>>,
    /// Whether some messages were not stored.
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

    /// The part of the transaction's memory for this number of bytes.
    fn pass(&mut self, bytes: usize) -> Share {
        self.transaction.room.split(bytes)
    }

    /// Whether every message has been stored or has failed.
    pub(crate) fn is_answered(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Records the outcome of a batch, if it belongs to this transaction. Gives the messages to
    /// return because all of their queues are gone.
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
    /// Sends a batch of a transaction, with its mandatory messages.
    pub(crate) async fn publish_of(
        &mut self,
        committing: &mut Committing,
        gathered: Gathered,
        mandatory: Vec<Message>,
    ) {
        let tag = self.session.in_flight.push(gathered.confirms);
        committing.waiting.insert(tag, mandatory);
        let room = committing.pass(gathered.publish.batch.bytes().len());
        self.send_publish(tag, gathered.publish, gathered.is_persistent, room)
            .await;
    }

    /// Continues a commit once its messages are stored, and processes no input until then.
    pub(crate) fn commit(&mut self, committing: Committing) {
        self.committing = Some(committing);
    }
}
