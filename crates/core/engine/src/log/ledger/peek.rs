//! Looking at a ledger's unsettled records, which changes nothing.
//!
//! A page lists records in order of partition and offset, from several ordered sources: the maps of
//! leased, delayed and moving records, and the ready records, most of which aren't listed anywhere.
//! Each source gives at most as many records as the page has room for, and a page looks at a
//! limited number of partitions, so its cost doesn't depend on how many records wait.

use std::collections::BTreeMap;

use stele_base_types::{LogId, Offset, PartitionIndex, Timestamp};

use super::{ConsumerRef, Ledger, dead::DeathReason, part::Part};
use crate::{
    LeaseId, LedgerId, LogError,
    limits::{PEEK_EXAMINED_MAX, PEEK_PARTITIONS_MAX, PEEK_RECORDS_MAX},
    log::{Log, Logs},
};

/// A request to look at a ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peek {
    /// The log.
    pub log: LogId,
    /// The ledger.
    pub ledger: LedgerId,
    /// Only records in this state; `None` for all that aren't settled.
    pub state: Option<PeekState>,
    /// Only records behind this one.
    pub after: Option<(PartitionIndex, Offset)>,
    /// The most records of a page, from 1 to [`PEEK_RECORDS_MAX`].
    pub records_max: usize,
}

/// The state of an unsettled record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeekState {
    /// It can be leased, or its group holds it back.
    Ready,
    /// Somebody has it.
    Leased,
    /// It will be ready later.
    Delayed,
    /// It is being moved to another log.
    Moving,
    /// It has left the queue without having been acknowledged, and waits to be moved.
    Dead,
}

/// A record as a look at the ledger finds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeekedRecord {
    /// Its partition.
    pub partition: PartitionIndex,
    /// Its offset.
    pub offset: Offset,
    /// Its state.
    pub state: PeekState,
    /// How often it has been delivered.
    pub deliveries: u32,
    /// The lease, and who has it.
    pub lease: Option<(LeaseId, ConsumerRef)>,
    /// When its lease or its delay ends. A lease without a time ends with its session.
    pub until: Option<Timestamp>,
    /// Why it is dead.
    pub reason: Option<DeathReason>,
}

/// A page of records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Peeked {
    /// In order.
    pub records: Vec<PeekedRecord>,
    /// What to continue after; `None` if there is no more. A page that is short, or empty, may have
    /// one: then it was much work to find so little.
    pub next: Option<(PartitionIndex, Offset)>,
}

/// What a partition has for a page.
#[derive(Default)]
struct Found {
    records: Vec<PeekedRecord>,
    /// Nothing behind this one was looked at.
    stopped_at: Option<Offset>,
}

impl Logs {
    /// A page of a ledger's unsettled records. If the log has no default ledger yet, these are the
    /// records that it would start with.
    pub fn peek(&self, peek: &Peek) -> Result<Peeked, LogError> {
        let log = self.known(peek.log)?;
        let ledger = log.ledger(peek.ledger);
        if ledger.is_none() && peek.ledger != LedgerId::DEFAULT {
            return Err(LogError::NoSuchLedger);
        }
        let first = peek.after.map_or(PartitionIndex(0), |(index, _)| index);
        let mut page = Peeked::default();
        for nth in 0..PEEK_PARTITIONS_MAX {
            let index = PartitionIndex(first.0.saturating_add(nth));
            if log.partition(index).is_none() {
                page.next = None;
                return Ok(page);
            }
            let after = peek.after.filter(|(partition, _)| *partition == index);
            let from = after.map_or(0, |(_, offset)| offset.0.saturating_add(1));
            if page.add(index, peek, |max| match ledger {
                Some(ledger) => ledger.peek(index, Offset(from), peek.state, max),
                None => log.peek_unopened(index, Offset(from), peek.state, max),
            }) {
                return Ok(page);
            }
        }
        Ok(page)
    }
}

impl Peeked {
    /// Adds what a partition has. Returns whether the page ends here.
    fn add(
        &mut self,
        index: PartitionIndex,
        peek: &Peek,
        find: impl FnOnce(usize) -> Found,
    ) -> bool {
        let records_max = peek.records_max.clamp(1, PEEK_RECORDS_MAX);
        let left = records_max - self.records.len();
        // One more shows whether there is a next page.
        let mut found = find(left + 1);
        let is_full = found.records.len() > left;
        found.records.truncate(left);
        self.records.extend(found.records);
        let last = self.records.last();
        self.next = match found.stopped_at {
            _ if is_full => last.map(|last| (last.partition, last.offset)),
            Some(stopped_at) => Some((index, stopped_at)),
            None => Some((index, Offset(u64::MAX))),
        };
        is_full || found.stopped_at.is_some()
    }
}

impl PeekedRecord {
    fn new(partition: PartitionIndex, offset: Offset, state: PeekState, deliveries: u32) -> Self {
        Self {
            partition,
            offset,
            state,
            deliveries,
            lease: None,
            until: None,
            reason: None,
        }
    }
}

impl Log {
    fn peek_unopened(
        &self,
        index: PartitionIndex,
        from: Offset,
        state: Option<PeekState>,
        max: usize,
    ) -> Found {
        let known = self.partition(index);
        let known = known.filter(|_| state.is_none_or(|state| state == PeekState::Ready));
        let records = known.map_or(0..0, |known| from.max(known.start).0..known.committed.0);
        let ready = records.map(|offset| {
            let offset = Offset(offset);
            PeekedRecord::new(index, offset, PeekState::Ready, 0)
        });
        Found {
            records: ready.take(max).collect(),
            stopped_at: None,
        }
    }
}

impl Ledger {
    fn peek(
        &self,
        index: PartitionIndex,
        from: Offset,
        state: Option<PeekState>,
        max: usize,
    ) -> Found {
        let Some(part) = self.part(index) else {
            return Found::default();
        };
        let states = [
            PeekState::Ready,
            PeekState::Leased,
            PeekState::Delayed,
            PeekState::Moving,
            PeekState::Dead,
        ];
        let wanted = states
            .into_iter()
            .filter(|of| state.is_none_or(|state| state == *of));
        let mut found = Found::default();
        for state in wanted {
            part.peek(state, index, from, max, &mut found);
        }
        let records = &mut found.records;
        records.sort_unstable_by_key(|record| record.offset);
        if let Some(stopped_at) = found.stopped_at {
            records.retain(|record| record.offset <= stopped_at);
        }
        records.truncate(max);
        found
    }
}

impl Part {
    /// Adds up to `max` of the first records in this state.
    fn peek(
        &self,
        state: PeekState,
        index: PartitionIndex,
        from: Offset,
        max: usize,
        found: &mut Found,
    ) {
        let record = |offset, deliveries| PeekedRecord::new(index, offset, state, deliveries);
        match state {
            PeekState::Ready => {
                let (ready, stopped_at) = self.ready_from(from, max, PEEK_EXAMINED_MAX);
                let ready = ready.into_iter();
                let ready = ready.map(|offset| record(offset, self.seen(offset).deliveries));
                found.records.extend(ready);
                found.stopped_at = stopped_at;
            }
            PeekState::Leased => {
                found
                    .records
                    .extend(
                        first(&self.leased, from, max).map(|(offset, lease)| PeekedRecord {
                            lease: Some((lease.id, lease.holder)),
                            until: lease.until,
                            ..record(offset, lease.seen.deliveries)
                        }),
                    )
            }
            PeekState::Delayed => found
                .records
                .extend(
                    self.shown(&self.delayed, from, max)
                        .map(|(offset, delayed)| PeekedRecord {
                            until: Some(delayed.until),
                            ..record(offset, delayed.seen.deliveries)
                        }),
                ),
            PeekState::Moving => found.records.extend(
                first(&self.moving, from, max)
                    .map(|(offset, seen)| record(offset, seen.deliveries)),
            ),
            PeekState::Dead => {
                let dead = self.dead.iter();
                let dead = dead.flat_map(|dead| dead.waiting_from(from, max));
                found
                    .records
                    .extend(dead.map(|(offset, reason)| PeekedRecord {
                        reason: Some(reason),
                        ..record(offset, 0)
                    }));
            }
        }
    }

    /// Up to `max` ready records from an offset on, in order; in a FIFO part including those that
    /// their group holds back. Of these it examines a limited number, and also returns the last one
    /// if there may be more.
    fn ready_from(
        &self,
        from: Offset,
        max: usize,
        examined_max: usize,
    ) -> (Vec<Offset>, Option<Offset>) {
        if let Some(fifo) = &self.fifo {
            let queued = fifo.queued_from(from).take(examined_max);
            let queued: Vec<_> = queued.take_while(|it| *it < self.visible()).collect();
            let last = queued.last().copied();
            let stopped_at = last.filter(|_| queued.len() == examined_max);
            let ready = queued.into_iter();
            let ready = ready.filter(|offset| !self.delayed.contains_key(offset));
            return (ready.take(max).collect(), stopped_at);
        }
        let returned = self.returned.range(from..self.visible().max(from));
        let returned = returned.map(|(offset, _)| *offset).take(max);
        let behind = self.behind.offsets_from(from).take(max);
        let mut ready: Vec<_> = returned.chain(behind).collect();
        let mut left = u32::try_from(max).unwrap_or(u32::MAX);
        let mut next = from.max(self.next);
        while left > 0
            && let Some(first) = self.fresh_from(next)
        {
            let count = self.fresh_count(first, left);
            next = first.plus(u64::from(count));
            left -= count;
            ready.extend((first.0..next.0).map(Offset));
        }
        ready.sort_unstable();
        ready.truncate(max);
        (ready, None)
    }

    fn shown<'a, V>(
        &self,
        map: &'a BTreeMap<Offset, V>,
        from: Offset,
        max: usize,
    ) -> impl Iterator<Item = (Offset, &'a V)> + use<'a, V> {
        let visible = self.visible();
        first(map, from, max).take_while(move |(offset, _)| *offset < visible)
    }
}

fn first<V>(
    map: &BTreeMap<Offset, V>,
    from: Offset,
    max: usize,
) -> impl Iterator<Item = (Offset, &V)> {
    let records = map.range(from..).take(max);
    records.map(|(offset, value)| (*offset, value))
}
