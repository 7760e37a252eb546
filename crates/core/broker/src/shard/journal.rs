//! From a decision to the journal and the state.

use bytes::Bytes;
use smallvec::SmallVec;
use stele_base_types::{Offset, PartitionId};
use stele_core_engine::{
    CatalogueRecord, Command, Decision, Durability, Error as Refusal, LogCommand, Record, Reply,
};
use stele_core_storage::Target;

use super::Shard;
use crate::{Error, limits::BLOCK_SIZE_BYTES_TARGET, reply_to::ReplyTo};

impl Shard {
    /// Journals and applies a decision's records and carries out its effects; gives its reply.
    /// An error means that nothing was changed.
    pub(super) fn apply_decision(
        &mut self,
        decision: Decision,
        body: Option<Bytes>,
    ) -> Result<Option<Result<Reply, Refusal>>, Error> {
        for record in &decision.records {
            self.push(record, body.as_ref())?;
            self.apply(record);
        }
        for effect in decision.effects {
            self.carry_out(effect, decision.durability);
        }
        Ok(decision.reply)
    }

    /// Decides on a command of the shard's own; tells whether anything came of it.
    pub(super) fn decide_and_apply(&mut self, command: Command) -> bool {
        let decision = self.state.decide(command, self.now);
        let is_something = !decision.is_nothing();
        if is_something {
            self.carry_through(decision);
        }
        is_something
    }

    /// Applies a decision of the shard's own, which has no body.
    pub(super) fn carry_through(&mut self, decision: Decision) {
        self.apply_decision(decision, None)
            .expect("only an append with its body can be too large for a block");
    }

    /// Puts a record into the block being filled.
    fn push(&mut self, record: &Record, body: Option<&Bytes>) -> Result<(), Error> {
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
                .map_err(|error| Error::TooLarge(error.to_string().into()))?;
        }
        self.builder
            .push_control(&self.scratch)
            .map_err(|error| Error::TooLarge(error.to_string().into()))
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
            self.tell_owner(*log, LogCommand::Close(Default::default()));
        }
        let record = record.clone();
        self.waiting_for(Durability::Synced)
            .expect("the record is in the block being filled")
            .catalogue
            .push(record);
    }

    /// Hands a command to the shard that has the log. In the lane it comes before every request
    /// that a front sends after it has heard of the change.
    pub(super) fn tell_owner(&mut self, log: stele_base_types::LogId, command: LogCommand) {
        let owner = self.shard_of(log);
        let command = Command::Log(log, command);
        if owner == self.id {
            self.command(command, None, ReplyTo::Nobody);
        } else {
            self.lanes[usize::from(owner.0)].push(command);
        }
    }
}
