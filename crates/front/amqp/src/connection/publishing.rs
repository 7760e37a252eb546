//! Publishes on their way to the broker.
//!
//! Consecutive messages for the same logs go as one batch: one command, one journal entry, one
//! answer. What a client sends one at a time goes one at a time, since a batch never waits for
//! more than what has already been read from the socket.

use smallvec::SmallVec;
use stele_base_types::{LogId, Timestamp};
use stele_core_broker::Publish;
use stele_core_engine::{AppendTarget, Columns};
use stele_wire_batch::{BatchBuilder, Error};

use crate::{
    limits::{BATCH_BYTES, BATCH_RECORDS},
    session::in_flight::{ToConfirm, ToConfirms},
    stored::Message,
};

/// The logs that a message goes to, in order.
pub(crate) type Targets = SmallVec<[LogId; 4]>;

/// A batch being gathered.
#[derive(Debug, Default)]
pub(crate) struct Gathering {
    targets: Targets,
    batch: Option<BatchBuilder>,
    confirms: ToConfirms,
}

/// A batch to be sent.
#[derive(Debug)]
pub(crate) struct Gathered {
    pub(crate) publish: Publish,
    pub(crate) confirms: ToConfirms,
}

impl Gathering {
    /// Whether a message for these logs may join what is there.
    pub(crate) fn has_room_for(&self, targets: &Targets, size_bytes: u64) -> bool {
        let Some(batch) = &self.batch else {
            return true;
        };
        self.targets == *targets
            && batch.len() < BATCH_RECORDS
            && batch.size_bytes() as u64 + size_bytes <= BATCH_BYTES as u64
    }

    /// Adds a message.
    pub(crate) fn push(
        &mut self,
        targets: Targets,
        message: &Message,
        now: Timestamp,
        confirm: Option<ToConfirm>,
    ) -> Result<(), Error> {
        let batch = self.batch.get_or_insert_with(|| {
            // Headers and framing of a small message take about this much.
            const BESIDE_BODY_BYTES: u64 = 256;
            let size = message.content.body.size_bytes() + BESIDE_BODY_BYTES;
            BatchBuilder::with_capacity(usize::try_from(size).unwrap_or(0))
        });
        message.push(batch, now)?;
        self.targets = targets;
        self.confirms.extend(confirm);
        Ok(())
    }

    /// Takes out what was gathered.
    pub(crate) fn take(&mut self) -> Option<Gathered> {
        let batch = self.batch.take()?;
        let targets = std::mem::take(&mut self.targets);
        let confirms = std::mem::take(&mut self.confirms);
        if batch.is_empty() {
            return None;
        }
        let target = |log| AppendTarget {
            log,
            partition: None,
        };
        Some(Gathered {
            publish: Publish {
                targets: targets.into_iter().map(target).collect(),
                batch: batch.finish(),
                columns: Columns::default(),
            },
            confirms,
        })
    }
}
