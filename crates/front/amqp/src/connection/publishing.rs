//! Publishes on their way to the broker.
//!
//! Consecutive messages for the same logs form one batch: one command, one journal entry, one
//! reply. A batch never waits for input that hasn't been read from the socket, so messages sent one
//! at a time are published one at a time.

use smallvec::SmallVec;
use stele_base_types::{LogId, Timestamp, murmur2};
use stele_core_broker::Publish;
use stele_core_engine::{AppendTarget, Columns, Schedule};
use stele_wire_batch::{BatchBuilder, Error};

use crate::{
    limits::{BATCH_BYTES, BATCH_RECORDS},
    routing::Destination,
    session::in_flight::{ToConfirm, ToConfirms},
    stored::Message,
};

/// The logs that a message is routed to, in order.
pub(crate) type Targets = SmallVec<[LogId; 4]>;

/// A batch being gathered.
#[derive(Debug, Default)]
pub(crate) struct Gathering {
    /// The same for all messages, with their priority, because a batch goes to one partition.
    to: Destination,
    /// The hash of the key, which selects the partition: likewise, or none.
    key: Option<u32>,
    batch: Option<BatchBuilder>,
    /// The messages' delays and times to live.
    times_ms: SmallVec<[(Option<u64>, Option<u64>); 4]>,
    confirms: ToConfirms,
    /// Whether one of the messages is persistent.
    is_persistent: bool,
}

/// A batch to be sent.
#[derive(Debug)]
pub(crate) struct Gathered {
    pub(crate) publish: Publish,
    pub(crate) confirms: ToConfirms,
    /// Whether one of the messages is persistent.
    pub(crate) is_persistent: bool,
}

impl Gathering {
    /// Whether a message with this destination may join the batch. If it is to be published alone,
    /// the batch is taken before it and after it.
    pub(crate) fn has_room_for(&self, to: &Destination, message: &Message) -> bool {
        let Some(batch) = &self.batch else {
            return true;
        };
        let size_bytes = message.content.body.size_bytes();
        !to.alone
            && self.to == *to
            && self.key == hash_of_key(message)
            && batch.len() < BATCH_RECORDS
            && batch.size_bytes() as u64 + size_bytes <= BATCH_BYTES as u64
    }

    /// Adds a message.
    pub(crate) fn push(
        &mut self,
        to: Destination,
        message: &Message,
        now: Timestamp,
        confirm: Option<ToConfirm>,
    ) -> Result<(), Error> {
        let batch = self.batch.get_or_insert_with(|| {
            // Approximate size of headers and framing of a small message.
            const BESIDE_BODY_BYTES: u64 = 256;
            let size = message.content.body.size_bytes() + BESIDE_BODY_BYTES;
            BatchBuilder::with_capacity(usize::try_from(size).unwrap_or(0))
        });
        message.push(batch, now)?;
        self.to = to;
        self.key = hash_of_key(message);
        self.times_ms.push(message.times_ms());
        self.is_persistent |= message.is_persistent();
        self.confirms.extend(confirm);
        Ok(())
    }

    /// Takes the gathered batch.
    pub(crate) fn take(&mut self) -> Option<Gathered> {
        let batch = self.batch.take()?;
        let to = std::mem::take(&mut self.to);
        let times_ms = std::mem::take(&mut self.times_ms);
        let confirms = std::mem::take(&mut self.confirms);
        let is_persistent = std::mem::take(&mut self.is_persistent);
        if batch.is_empty() {
            return None;
        }
        let is_plain = self.key.is_none() && to.priority.is_none();
        let columns = match is_plain && times_ms.iter().all(|times| *times == (None, None)) {
            true => Columns::default(),
            false => Columns::of(times_ms.into_iter().map(|(delay_ms, expiry_ms)| Schedule {
                key: self.key,
                delay_ms,
                expiry_ms,
                priority: to.priority,
                ..Schedule::default()
            })),
        };
        Some(Gathered {
            publish: Publish {
                targets: to
                    .logs
                    .into_iter()
                    .map(AppendTarget::any_partition)
                    .collect(),
                batch: batch.finish(),
                columns,
            },
            confirms,
            is_persistent,
        })
    }
}

fn hash_of_key(message: &Message) -> Option<u32> {
    message.key().map(|key| murmur2(key))
}
