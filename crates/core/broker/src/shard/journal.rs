//! From a decision to the journal and the state.

use bytes::Bytes;
use smallvec::SmallVec;
use stele_base_types::{Offset, PartitionId};
use stele_core_engine::{CatalogueRecord, CloseLog, Decision, Durability, Record};
use stele_core_storage::Target;

use super::{Shard, lane::LaneCommand};
use crate::{Failure, limits::BLOCK_SIZE_BYTES_TARGET};

impl Shard {
    /// Journals and applies a decision's records and carries out its effects; gives its reply.
    /// A failure means that nothing was changed.
    pub(super) fn apply_decision<R>(
        &mut self,
        decision: Decision<R>,
        body: Option<&Bytes>,
    ) -> Result<R, Failure> {
        for record in &decision.records {
            self.push(record, body)?;
            self.apply(record);
        }
        for effect in decision.effects {
            self.take_effect(effect, decision.durability);
        }
        Ok(decision.reply)
    }

    /// The same for a decision of the shard's own; tells whether anything came of it.
    pub(super) fn apply_own(&mut self, decision: Decision) -> bool {
        let is_something = !decision.is_nothing();
        self.apply_decision(decision, None)
            .expect("only an append with its body can be too large for a block");
        is_something
    }

    /// Puts a record into the block being filled.
    fn push(&mut self, record: &Record, body: Option<&Bytes>) -> Result<(), Failure> {
        if !record.is_journalled() {
            return Ok(());
        }
        let body_size_bytes = body.map_or(0, Bytes::len);
        if self.builder.size_bytes() + body_size_bytes > BLOCK_SIZE_BYTES_TARGET
            && !self.builder.is_empty()
        {
            self.seal();
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
                .push_append(&targets, std::slice::from_ref(body))
                .map_err(|error| Failure::TooLarge(error.to_string().into()))?;
        }
        self.builder
            .push_control(&self.scratch)
            .map_err(|error| Failure::TooLarge(error.to_string().into()))
    }

    fn apply(&mut self, record: &Record) {
        self.state.apply(record);
        self.counters.note(record);
        match record {
            Record::Appended { targets, count, .. } => {
                for (partition, base) in targets {
                    self.note_end(*partition, base.plus(u64::from(*count)));
                }
            }
            Record::Catalogue(record) => self.note_catalogue(record),
            Record::Log(..)
            | Record::Committed(..)
            | Record::Group(..)
            | Record::ProducerIds(_)
            | Record::SessionEnded(_)
            | Record::SessionForgotten(_)
            | Record::Recovered(_) => {}
        }
    }

    /// A partition has grown: it may be shown up to there when that is durable in its class, and no
    /// sooner than its block is finished, since nobody can read from one that is being filled.
    fn note_end(&mut self, partition: PartitionId, end: Offset) {
        let durability = self
            .state
            .logs
            .log(partition.log)
            .map_or(Durability::Synced, |log| log.config.durability);
        self.waiting
            .back_mut()
            .expect("there is an entry for the block being filled")
            .note_end(partition, end, durability);
    }

    /// A definition has changed: the log's own shard and the replicas follow when it is durable,
    /// or records could come to lie in a partition whose definition a crash takes back. A log that
    /// is deleted is closed at once: recovery goes on with a deletion that has come so far.
    fn note_catalogue(&mut self, record: &CatalogueRecord) {
        if let CatalogueRecord::LogDeleted(log) = record {
            let close = CloseLog::anyway(*log);
            self.tell_owner(*log, LaneCommand::Close(close));
        }
        let record = record.clone();
        self.waiting_for(Durability::Synced)
            .expect("the record is in the block being filled")
            .catalogue
            .push(record);
    }
}
