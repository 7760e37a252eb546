//! Ledgers: the state of each record of a log for one subscription.
//!
//! ```text
//!   Ledger ─┬─ Part for each partition: what is ready, leased, returned, delayed, moving
//!           ├─ Attempts: leases by the attempt that requested them (FIFO queues)
//!           └─ Demand: consumers and waits, in turn            not journalled
//! ```
//!
//! Each operation has one file with its decision and the resulting change.

mod attempt;
mod behind;
mod bodies;
mod consumer;
mod dead;
mod deadline;
mod demand;
mod dispatch;
mod extend;
mod fifo;
mod lease;
mod length;
mod lifetimes;
mod line;
mod moved;
mod moving;
mod part;
mod peek;
mod purge;
mod ranges;
mod ready;
mod regroup;
mod settle;
mod sweep;
mod times;
mod wait;

use std::collections::BTreeSet;

use stele_base_types::{LogId, Name, Offset, PartitionIndex, Timestamp};

pub(crate) use self::{
    attempt::Attempts,
    demand::Site,
    fifo::Fifo,
    length::Taken,
    part::{Delayed, Lease as PartLease, Part, Seen},
    ranges::Ranges,
    times::Marks,
    wait::answer_empty,
};
pub use self::{
    consumer::{ConsumerRef, Credit, Prefetch, Subscribe, Subscription, Unsubscribe},
    dead::{DeadRun, DeathReason, DeathReasons},
    dispatch::Delivery,
    extend::{Extend, Extension, Renewal},
    lease::{Lease, LeaseRequest, LeasedRecord, LeasedRun},
    length::RoomLeft,
    moved::{HeaderChange, MoveEnd, MovedRun, MovingRun, Origin, PerRecord, TakenBy},
    moving::Move,
    peek::{Peek, PeekState, Peeked, PeekedRecord},
    purge::Purge,
    settle::{Missing, Outcome, Settle, SettleItem},
    wait::CancelWait,
};
use self::{demand::Demand, ready::ReadyParts};
use super::{
    Columns, LedgerId,
    columns::Piece,
    index::{Deadline, Indexes, Place},
    partition::Partition,
    record::{LedgerRecord, Run},
};
use crate::{LedgerConfig, stored::stored_fields};

/// The state of a log's records for one subscription.
#[derive(Debug, Default, PartialEq)]
pub struct Ledger {
    id: LedgerId,
    /// `None` for the log's queue.
    name: Option<Name>,
    config: LedgerConfig,
    pub(crate) parts: Vec<Part>,
    /// The partition to look at first, so that all of them are served in turn.
    pub(crate) rotation: PartitionIndex,
    pub(crate) attempts: Attempts,
    /// Partitions with dead records to be moved. This and the following fields aren't stored.
    dying: BTreeSet<PartitionIndex>,
    ready: ReadyParts,
    demand: Demand,
}

stored_fields! {
    Ledger {
        Id id: LedgerId,
        Config config: LedgerConfig,
        Parts parts: Vec<Part>,
        Rotation rotation: PartitionIndex,
        Attempts attempts: Attempts,
        Name name: Option<Name>,
    }
}

impl Ledger {
    /// Ready records; in a FIFO queue including those that their group holds back.
    pub fn ready(&self) -> u64 {
        self.parts.iter().map(Part::ready).sum()
    }

    /// Leased records.
    pub fn leased(&self) -> u64 {
        self.parts.iter().map(|part| part.leased.len() as u64).sum()
    }

    /// Delayed records.
    pub fn delayed(&self) -> u64 {
        let parts = self.parts.iter();
        parts.map(|part| part.delayed.len() as u64).sum()
    }

    /// Records that are being moved to other logs.
    pub fn moving(&self) -> u64 {
        self.parts.iter().map(|part| part.moving.len() as u64).sum()
    }

    /// Subscribed consumers.
    pub fn consumers(&self) -> u64 {
        u64::from(self.demand.subscribed())
    }

    /// The consumer that is served, if the ledger serves one at a time.
    pub fn active_consumer(&self) -> Option<ConsumerRef> {
        self.demand.active()
    }

    /// When the oldest unsettled record was appended, or somewhat earlier.
    pub fn oldest(&self) -> Option<Timestamp> {
        let parts = self.parts.iter();
        parts.filter_map(|part| part.times.of(part.floor())).min()
    }

    /// The first unsettled record of a partition, or the one after the last.
    pub fn floor(&self, partition: PartitionIndex) -> Option<Offset> {
        Some(self.part(partition)?.floor())
    }

    /// The first record of a partition before `to` that a purge leaves: leased or moving.
    pub(crate) fn kept_before(&self, partition: PartitionIndex, to: Offset) -> Option<Offset> {
        let floor = self.floor(partition)?;
        (floor < to).then_some(floor)
    }

    /// Whether one of these records is unsettled.
    pub(crate) fn has_any(&self, run: Run) -> bool {
        let part = self.part(run.partition);
        part.is_some_and(|part| run.offsets().any(|offset| part.is_unsettled(offset)))
    }

    /// A ledger without partitions.
    pub(crate) fn new(id: LedgerId, name: Option<Name>, config: LedgerConfig) -> Self {
        Self {
            id,
            name,
            config,
            parts: Vec::new(),
            rotation: PartitionIndex(0),
            attempts: Attempts::default(),
            dying: BTreeSet::new(),
            ready: ReadyParts::default(),
            demand: Demand::default(),
        }
    }

    pub(crate) fn name(&self) -> Option<&Name> {
        self.name.as_ref()
    }

    pub(crate) fn config(&self) -> &LedgerConfig {
        &self.config
    }

    pub(crate) fn id(&self) -> LedgerId {
        self.id
    }

    /// Adds missing partitions, each from its start or the given offset, and applies a changed
    /// configuration.
    pub(crate) fn open(
        &mut self,
        config: LedgerConfig,
        partitions: &[Partition],
        starts: &[(PartitionIndex, Offset)],
        at: Timestamp,
        site: &mut Site<'_>,
    ) {
        for (index, partition) in partitions.iter().enumerate().skip(self.parts.len()) {
            let index = partition_index(index);
            let given = starts.iter().find(|(given, _)| *given == index);
            let start = given.map_or(partition.start, |(_, start)| *start);
            let end = partition.end;
            let mut part = Part::new(start, end, partition.committed, config.fifo);
            if start < end {
                let records = (start, end);
                let expiry_ms = config.expiry_ms;
                part.times.note(records, at, start, at, expiry_ms);
            }
            self.parts.push(part);
            self.note_expiry(index, site);
            self.refresh(index);
        }
        if config.fifo && !self.config.fifo {
            self.become_fifo(partitions);
        }
        if config.expiry_ms != self.config.expiry_ms {
            self.change_expiry(config, site);
        }
        self.config = config;
        self.open_bodies(&config, partitions);
        self.demand.serve_one(config.single_active, site.indexes);
    }

    /// Adds new records that were appended at this time. Records from before `doubted` may have
    /// been handed out by a crashed process, and are kept apart from them. Each of the records has
    /// about `each_bytes`.
    pub(crate) fn append(
        &mut self,
        run: Run,
        (columns, each_bytes): (&Columns, u32),
        (at, doubted): (Timestamp, Timestamp),
        site: &mut Site<'_>,
    ) {
        if columns.is_control()
            && let Some(part) = self.part_mut(run.partition)
        {
            return part.pass(run.first, run.count);
        }
        if self.config.ready_bytes_max.is_some() {
            self.note_bodies(run, columns, each_bytes);
        }
        let expiry_ms = self.config.expiry_ms;
        let expiry_before = self.next_expiry(run.partition);
        let mut first = run.first;
        for piece in columns.pieces(run.count) {
            let run = Run {
                partition: run.partition,
                first,
                count: piece.count,
            };
            first = run.end();
            self.append_piece(run, &piece, at, site);
        }
        let Some(part) = self.part_mut(run.partition) else {
            return;
        };
        let floor = part.floor();
        let records = (run.first, run.end());
        part.times.note(records, at, floor, doubted, expiry_ms);
        self.move_expiry(run.partition, expiry_before, site);
    }

    fn append_piece(&mut self, run: Run, piece: &Piece, at: Timestamp, site: &mut Site<'_>) {
        let delay_ms = piece.delay_ms.unwrap_or(self.config.delay_ms);
        let hidden_until = (delay_ms > 0).then(|| at.plus_ms(delay_ms));
        let Some(part) = self.part_mut(run.partition) else {
            return;
        };
        part.append(run.first, run.count, piece.group, hidden_until);
        if let Some(life_ms) = piece.expiry_ms {
            let life_ms = life_ms.saturating_add(delay_ms);
            self.note_lives(run, at, life_ms, site);
        }
        if let Some(until) = hidden_until {
            for offset in run.offsets() {
                let deadline = Deadline::Delay(self.place(run.partition, offset));
                site.indexes.deadlines.insert((until, site.log, deadline));
            }
        }
    }

    /// Notes that the high watermark has moved.
    pub(crate) fn show_to(
        &mut self,
        partition: PartitionIndex,
        visible: Offset,
        site: &mut Site<'_>,
    ) {
        let expiry_before = self.next_expiry(partition);
        self.unnote_lifetimes(partition, site);
        if let Some(part) = self.part_mut(partition) {
            let before = part.visible();
            part.show_to(visible);
            part.show_bodies(before);
            self.note_lifetimes(partition, site);
            self.move_expiry(partition, expiry_before, site);
            self.refresh(partition);
        }
    }

    /// Applies a change. `bytes` is the size of the records it hands out.
    fn change(&mut self, record: &LedgerRecord, bytes: u64, site: &mut Site<'_>) {
        match record {
            LedgerRecord::Leased { .. } => self.apply_leased(record, bytes, site),
            LedgerRecord::Taken { run, holder } => self.apply_taken(*run, *holder, bytes, site),
            LedgerRecord::Settled(run) => self.apply_settled(*run, site),
            LedgerRecord::Returned { run, until } => self.apply_returned(*run, *until, site),
            LedgerRecord::Extended { run, until } => self.apply_extended(*run, *until, site),
            LedgerRecord::DelayEnded(run) => self.apply_delay_ended(*run, site),
            LedgerRecord::Purged(ends) => {
                for (partition, to) in ends {
                    self.apply_purged(*partition, *to, site);
                }
            }
            LedgerRecord::Cleared(ends) => {
                for (partition, to) in ends {
                    self.apply_cleared(*partition, *to, site);
                }
            }
            LedgerRecord::Expired { partition, to } => self.apply_expired(*partition, *to, site),
            LedgerRecord::Subscribed(terms) => self.demand.subscribe(terms, site),
            LedgerRecord::Unsubscribed { consumer, lingers } => {
                self.demand.unsubscribe(*consumer, *lingers, site);
            }
            LedgerRecord::Dropped(consumer) => self.demand.drop_consumer(*consumer, site),
            LedgerRecord::Credited { consumer, bytes } => {
                self.demand.credit(*consumer, *bytes, site.indexes);
            }
            LedgerRecord::Waiting {
                request,
                until,
                token,
            } => self.demand.wait(request, *until, *token, site),
            LedgerRecord::WaitEnded(token) => self.demand.end_wait(*token, site),
            LedgerRecord::Moving(run) => self.apply_moving(*run, &[], site),
            LedgerRecord::Copying { run, to } => self.apply_moving(*run, to, site),
            LedgerRecord::Copied { run, to } => self.apply_copied(*run, to),
            LedgerRecord::Left { run, reason } => self.apply_left(*run, *reason, site),
            LedgerRecord::LifeEnded(run) => self.apply_life_ended(*run, site),
            LedgerRecord::Renewed {
                run,
                lease,
                holder,
                until,
            } => self.apply_renewed(*run, *lease, *holder, *until, site),
        }
    }

    /// Removes expired attempts.
    pub(crate) fn forget(&mut self, at: Timestamp) {
        self.attempts.forget(at);
    }

    pub(crate) fn has_attempts(&self) -> bool {
        !self.attempts.is_empty()
    }

    /// Whether there are both a ready record and someone waiting for it. Constant time.
    pub(crate) fn is_hot(&self) -> bool {
        !self.ready.is_empty() && self.demand.turns() > 0
    }

    /// Updates a consumer's place in the queue after its pool has changed.
    pub(crate) fn queue(&mut self, consumer: ConsumerRef, indexes: &Indexes) {
        self.demand.queue(consumer, indexes);
    }

    /// Removes the consumers and waits of the previous process, which may have handed out records
    /// from before `doubted` without a trace.
    pub(crate) fn recover(&mut self, partitions: &[Partition], doubted: Timestamp) {
        self.demand = Demand::default();
        self.demand
            .serve_one(self.config.single_active, &Indexes::default());
        self.ready = ReadyParts::default();
        for (index, partition) in partitions.iter().enumerate() {
            let Some(part) = self.parts.get_mut(index) else {
                continue;
            };
            part.show_to(partition.end);
            part.doubt(doubted);
            part.count_bodies();
            self.refresh(partition_index(index));
        }
    }

    /// Enters its content into indexes that don't have it yet.
    pub(crate) fn index(&self, site: &mut Site<'_>) {
        for (index, part) in self.parts.iter().enumerate() {
            let partition = partition_index(index);
            for (offset, lease) in &part.leased {
                let place = self.place(partition, *offset);
                let session = lease.holder.session;
                site.indexes.lease(site.log, place, session, lease.until);
            }
            for (offset, delayed) in &part.delayed {
                let deadline = Deadline::Delay(self.place(partition, *offset));
                site.indexes
                    .deadlines
                    .insert((delayed.until, site.log, deadline));
            }
            self.note_expiry(partition, site);
            self.note_lifetimes(partition, site);
        }
    }

    fn part(&self, partition: PartitionIndex) -> Option<&Part> {
        self.parts.get(usize::try_from(partition.0).ok()?)
    }

    fn part_mut(&mut self, partition: PartitionIndex) -> Option<&mut Part> {
        self.parts.get_mut(usize::try_from(partition.0).ok()?)
    }

    fn place(&self, partition: PartitionIndex, offset: Offset) -> Place {
        Place {
            ledger: self.id,
            partition,
            offset,
        }
    }

    /// The partition to lease from next.
    fn next_ready(&self) -> Option<PartitionIndex> {
        if self.config.by_priority {
            return self.ready.down().next();
        }
        self.ready.from(self.rotation).next()
    }

    /// Updates whether a partition has ready records, after a change.
    fn refresh(&mut self, partition: PartitionIndex) {
        let is_wanted = self.demand.turns() > 0;
        if let Some(part) = self.part_mut(partition) {
            let is_ready = part.is_ready();
            if is_ready && !is_wanted {
                part.offer();
            }
            self.ready.set(partition, is_ready);
        }
        self.refresh_dead(partition);
    }

    /// Removes an ended lease from all indexes.
    fn end_lease(
        &mut self,
        partition: PartitionIndex,
        offset: Offset,
        lease: &part::Lease,
        site: &mut Site<'_>,
    ) {
        let place = self.place(partition, offset);
        let session = lease.holder.session;
        site.indexes.unlease(site.log, place, session, lease.until);
        self.demand.release(lease.holder, site);
    }
}

#[cfg(test)]
impl Ledger {
    /// Memory for each partition of a ledger, without listed records.
    pub(crate) const PART_BYTES: usize = size_of::<Part>();
}

/// Converts a position to a partition index; there are far fewer partitions than 2^32.
pub(crate) fn partition_index(index: usize) -> PartitionIndex {
    PartitionIndex(u32::try_from(index).unwrap_or(u32::MAX))
}

/// The log that a site is at, for records.
pub(crate) fn ledger_record(log: LogId, ledger: LedgerId, record: LedgerRecord) -> crate::Record {
    crate::Record::Log(log, crate::LogRecord::Ledger(ledger, record))
}
