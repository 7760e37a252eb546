//! From a decision to the journal and the state.

use bytes::Bytes;
use smallvec::SmallVec;
use stele_base_types::{Offset, PartitionId};
use stele_core_engine::{Decision, Durability, Record};
use stele_core_storage::Target;

use super::{Shard, link::Announcement};
use crate::{
    Failure,
    limits::{BLOCK_SIZE_BYTES_TARGET, SCRATCH_BYTES},
    read::LEADER_EPOCH,
};

impl Shard {
    /// Journals and applies a decision's records, carries out its effects, and returns its reply.
    /// All records go into one block, so that a crash loses all of them or none. If this fails,
    /// nothing was changed. `bodies` are those of the appended batches, or that of a command to
    /// another shard.
    pub(super) fn apply_decision<R>(
        &mut self,
        decision: Decision<R>,
        bodies: &[Bytes],
    ) -> Result<R, Failure> {
        self.make_room(bodies.iter().map(Bytes::len).sum());
        let before = self.builder.filled();
        let mut left = bodies.iter();
        for record in &decision.records {
            let body = match record {
                Record::Appended { .. } => left.next(),
                _ => None,
            };
            if let Err(failure) = self.push(record, body) {
                self.builder.take_back(before);
                return Err(failure);
            }
        }
        for record in &decision.records {
            self.apply(record, bodies.first());
        }
        self.promise_filled();
        for effect in decision.effects {
            self.take_effect(effect, decision.durability);
        }
        Ok(decision.reply)
    }

    /// The same for a decision of the shard's own; returns whether it held any records.
    pub(super) fn apply_own(&mut self, decision: Decision) -> bool {
        self.apply_own_with(decision, &[])
    }

    /// The same for a decision that may append records from another shard.
    pub(super) fn apply_own_with(&mut self, decision: Decision, bodies: &[Bytes]) -> bool {
        let is_something = !decision.is_nothing();
        self.apply_decision(decision, bodies)
            .expect("only an append can be too large for a block, and what is moved is bounded");
        is_something
    }

    /// Finishes the block being filled if the next entry would make it too large.
    fn make_room(&mut self, body_size_bytes: usize) {
        let size_bytes = self.builder.size_bytes() + body_size_bytes;
        if size_bytes > BLOCK_SIZE_BYTES_TARGET && !self.builder.is_empty() {
            self.seal();
        }
    }

    /// Adds a record to the block being filled.
    fn push(&mut self, record: &Record, body: Option<&Bytes>) -> Result<(), Failure> {
        if !record.is_journalled() {
            return Ok(());
        }
        if self.builder.is_empty() {
            self.filling_since = self.now;
        }
        self.scratch.clear();
        let scratch = std::mem::take(&mut self.scratch);
        self.scratch = record.store(scratch);
        if let Record::Appended { targets, .. } = record
            && let Some(body) = body
        {
            let targets: SmallVec<[Target; 4]> = targets
                .iter()
                .map(|(partition, base_offset)| Target {
                    partition: *partition,
                    base_offset: *base_offset,
                })
                .collect();
            self.builder
                .push_append(&targets, LEADER_EPOCH, std::slice::from_ref(body))
                .map_err(|error| Failure::TooLarge(error.to_string().into()))?;
        }
        self.builder
            .push_control(&self.scratch)
            .map_err(|error| Failure::TooLarge(error.to_string().into()))?;
        // Only a commit's part for another shard is as large.
        self.scratch.shrink_to(SCRATCH_BYTES);
        Ok(())
    }

    fn apply(&mut self, record: &Record, body: Option<&Bytes>) {
        self.state.apply(record);
        self.counters.note(record);
        match record {
            Record::Appended { targets, count, .. } => {
                for (partition, base) in targets {
                    self.note_end(*partition, base.plus(u64::from(*count)));
                }
            }
            // The fronts and the log's shard are told when this is on disk. Otherwise records could
            // be stored in a partition whose definition a crash loses.
            Record::Catalogue(record) => self.announce(Announcement::Definition(record.clone())),
            Record::Link(record) => self.note_link(record, body),
            Record::Log(..)
            | Record::Committed(..)
            | Record::Group(..)
            | Record::ProducerIds(_)
            | Record::SessionEnded(_)
            | Record::SessionForgotten(_)
            | Record::Started(_)
            | Record::Stopped => {}
        }
    }

    /// Notes that a partition has grown. Its new records become visible when they are durable in
    /// the log's class, and not before their block is finished, since a block being filled can't be
    /// read.
    fn note_end(&mut self, partition: PartitionId, end: Offset) {
        let durability = self
            .state
            .logs
            .log(partition.log)
            .map_or(Durability::Synced, |log| log.config.durability);
        self.unreleased
            .back_mut()
            .expect("there is an entry for the block being filled")
            .note_end(partition, end, durability);
    }
}
