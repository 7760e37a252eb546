//! The part of a ledger for one partition: the state of each of its records.
//!
//! ```text
//!   offset  0 ─────────────────────────── next ─────────────────── visible ─────── end
//!           settled, except what is       ready, except what is    not durable yet
//!           leased, returned or delayed   delayed or in `ahead`
//!
//!            append                        lease                 settle
//!   (delayed) ──► delayed ──due──► ready ───────► leased ─────────────────► settled
//!                    ▲               ▲                │ return                ▲
//!                    └── with delay ─┴────────────────┘     purge, expiry ────┘
//!
//!   ready: in order of offsets; those in `behind` come at their place there
//!                                     ▲                                       ▲
//!            move                     │ refused                  has gone     │
//!   (any of these) ──► moving ────────┴───────────────────────────────────────┘
//!
//!   (any of these) ──► dead ──► moving ──► settled, or dead again: see `dead.rs`
//! ```
//!
//! Invariants
//! - A record below `next` that is in none of the maps is settled. Neither ready nor settled
//!   records are listed, however many there are.
//! - `next` itself is never in `ahead`; records in `ahead` are delayed, moving or settled.
//! - The maps are disjoint, except that dead records that are being moved are in both. In a FIFO
//!   part `next` is the end, and [`Fifo`] lists the queued records.

use std::{collections::BTreeMap, iter};

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use stele_base_types::{Offset, PartitionIndex, Timestamp};

use super::{
    behind::Behind,
    bodies::Bodies,
    dead::Dead,
    fifo::Fifo,
    lifetimes::Lifetimes,
    ranges::Ranges,
    times::{Marks, Times},
};
use crate::{
    ConsumerRef, LeaseId, LedgerConfig,
    log::{record::Run, sweep::shed},
    stored::stored_fields,
};

#[derive(Debug, Default, PartialEq)]
pub(crate) struct Part {
    pub(crate) next: Offset,
    /// One after the last record that may be leased: the partition's high watermark. Not stored.
    visible: Offset,
    /// Records before this one existed when a process ended that may have handed them out without a
    /// trace. Not stored.
    doubted: Offset,
    /// Records before this one were ready at some time while nobody wanted them. Not stored.
    offered: Offset,
    pub(crate) leased: BTreeMap<Offset, Lease>,
    /// Ready again: those below `next`. In a FIFO part: delivered before and queued again.
    pub(crate) returned: BTreeMap<Offset, Seen>,
    pub(crate) delayed: BTreeMap<Offset, Delayed>,
    pub(crate) ahead: Ranges,
    pub(crate) fifo: Option<Box<Fifo>>,
    pub(crate) times: Times,
    /// Leased and moving records before this one have expired and don't return.
    pub(crate) expired: Offset,
    /// Being moved to other logs: not handed out, and not settled until they have arrived.
    pub(crate) moving: BTreeMap<Offset, Seen>,
    /// Ready again, behind the records that were ready when they were returned. Empty in a FIFO
    /// part, where the groups are served in turn.
    pub(crate) behind: Behind,
    /// Left without having been acknowledged, and to be moved to other logs.
    pub(crate) dead: Option<Box<Dead>>,
    /// The records with a time to live of their own.
    pub(crate) lifetimes: Option<Box<Lifetimes>>,
    /// The sizes of the records, if the ledger limits how many bytes are ready.
    pub(crate) bodies: Option<Box<Bodies>>,
}

stored_fields! {
    Part {
        Next next: Offset,
        Leased leased: BTreeMap<Offset, Lease>,
        Returned returned: BTreeMap<Offset, Seen>,
        Delayed delayed: BTreeMap<Offset, Delayed>,
        Ahead ahead: Ranges,
        Fifo fifo: Option<Box<Fifo>>,
        Marks times = Marks,
        Expired expired: Offset,
        Moving moving: BTreeMap<Offset, Seen>,
        Behind behind: Behind,
        Times times: Times,
        Dead dead: Option<Box<Dead>>,
        Lifetimes lifetimes: Option<Box<Lifetimes>>,
        Bodies bodies: Option<Box<Bodies>>,
    }
}

/// How often a record has been delivered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Seen {
    pub(crate) deliveries: u32,
    pub(crate) first: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Lease {
    pub(crate) id: LeaseId,
    pub(crate) holder: ConsumerRef,
    /// `None`: until the holder's session ends.
    pub(crate) until: Option<Timestamp>,
    pub(crate) seen: Seen,
}

/// The term of a lease.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Term {
    pub(crate) lease: LeaseId,
    pub(crate) holder: ConsumerRef,
    pub(crate) until: Option<Timestamp>,
    pub(crate) at: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Delayed {
    pub(crate) until: Timestamp,
    pub(super) seen: Seen,
}

/// The state of a record before it was settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Was {
    Leased(Lease),
    Delayed(Timestamp),
    Moving,
    Dead,
    Ready,
    Settled,
}

impl Seen {
    /// The count after one more delivery.
    pub(crate) fn again(self, at: Timestamp) -> Self {
        Self {
            deliveries: self.deliveries.saturating_add(1),
            first: if self.deliveries == 0 { at } else { self.first },
        }
    }
}

impl Part {
    /// For existing records from `start` to `end`, all ready.
    pub(super) fn new(start: Offset, end: Offset, visible: Offset, fifo: bool) -> Self {
        let mut part = Self {
            next: start,
            visible,
            fifo: fifo.then(Box::default),
            ..Self::default()
        };
        if let Some(fifo) = &mut part.fifo {
            part.next = end;
            fifo.append(start, end.since(start), None, &part.delayed);
        }
        part
    }

    /// Adds new records at the partition's end.
    pub(super) fn append(
        &mut self,
        first: Offset,
        count: u32,
        group: Option<u64>,
        hidden_until: Option<Timestamp>,
    ) {
        let end = first.plus(u64::from(count));
        if let Some(until) = hidden_until {
            let delayed = Delayed {
                until,
                seen: Seen::default(),
            };
            let offsets = (first.0..end.0).map(Offset);
            self.delayed.extend(offsets.map(|offset| (offset, delayed)));
        }
        if let Some(fifo) = &mut self.fifo {
            self.next = end;
            fifo.append(first, u64::from(count), group, &self.delayed);
        } else if hidden_until.is_some() {
            self.skip(first, count);
        }
    }

    /// Adds new offsets at the partition's end that aren't messages.
    pub(super) fn pass(&mut self, first: Offset, count: u32) {
        if let Some(fifo) = &mut self.fifo {
            self.next = first.plus(u64::from(count));
            fifo.pass(first, u64::from(count));
        } else {
            self.skip(first, count);
        }
    }

    /// Leases a ready record for the given term.
    pub(super) fn lease(&mut self, offset: Offset, term: &Term) {
        let lease = Lease {
            id: term.lease,
            holder: term.holder,
            until: term.until,
            seen: self.seen(offset).again(term.at),
        };
        self.hold(offset, lease);
    }

    /// Puts a ready record under a lease.
    pub(super) fn hold(&mut self, offset: Offset, lease: Lease) {
        if let Some(fifo) = &mut self.fifo {
            fifo.lease(offset, &self.delayed);
        } else if offset >= self.next {
            self.skip(offset, 1);
        }
        self.take_returned(offset);
        self.leased.insert(offset, lease);
    }

    /// Ends a record's lease. The record returns, unless it has expired or has been delivered as
    /// often as it may be. From a lease with a deadline, it goes behind the ready records: queues
    /// with such leases promise no order (SQS), and a message that can't be processed must not hold
    /// up others. From a lease that ends with its session, it returns to its place. In a FIFO part,
    /// it returns to its place in its group, and the group goes behind the others.
    pub(super) fn give_back(
        &mut self,
        offset: Offset,
        until: Option<Timestamp>,
        config: &LedgerConfig,
    ) -> Option<Lease> {
        let lease = self.leased.remove(&offset)?;
        let seen = lease.seen;
        if let Some(reason) = self.death_of(offset, seen, config) {
            self.die(offset, reason, config);
            return Some(lease);
        }
        match until {
            Some(until) => {
                self.delayed.insert(offset, Delayed { until, seen });
            }
            None if lease.until.is_some() && self.fifo.is_none() => {
                self.behind.insert(offset, self.times.end(), seen);
            }
            None => {
                self.returned.insert(offset, seen);
            }
        }
        if let Some(fifo) = &mut self.fifo {
            fifo.give_back(offset, &self.delayed);
        }
        Some(lease)
    }

    /// Makes a delayed record ready.
    pub(super) fn end_delay(&mut self, offset: Offset) -> Option<Timestamp> {
        let delayed = self.delayed.remove(&offset)?;
        if let Some(fifo) = &mut self.fifo {
            if delayed.seen.deliveries > 0 {
                self.returned.insert(offset, delayed.seen);
            }
            fifo.end_delay(offset, &self.delayed);
        } else if offset >= self.next {
            self.ahead.remove(offset);
        } else {
            self.returned.insert(offset, delayed.seen);
        }
        Some(delayed.until)
    }

    /// Settles a record in any state.
    pub(super) fn settle(&mut self, offset: Offset) -> Was {
        let was = self.settle_listed(offset);
        if let Some(fifo) = &mut self.fifo {
            let waited = fifo.settle(offset, &self.delayed);
            if was == Was::Settled && waited {
                return Was::Ready;
            }
        } else if was == Was::Settled && offset >= self.next && !self.ahead.contains(offset) {
            self.skip(offset, 1);
            return Was::Ready;
        }
        was
    }

    /// Settles the records before `to` that aren't leased. Returns the delayed ones among them,
    /// with their times.
    pub(super) fn purge(&mut self, to: Offset) -> Vec<(Offset, Timestamp)> {
        while pop_before(&mut self.returned, to).is_some() {}
        self.behind.remove_before(to);
        let delayed = iter::from_fn(|| pop_before(&mut self.delayed, to));
        let delayed = delayed.map(|(offset, delayed)| (offset, delayed.until));
        let delayed = delayed.collect();
        if let Some(fifo) = &mut self.fifo {
            fifo.purge(to, &self.delayed);
        } else if self.next < to {
            self.next = to;
            self.ahead.remove_before(to);
            self.hop();
        }
        delayed
    }

    /// The same, and the leased ones won't return.
    pub(super) fn expire(&mut self, to: Offset) -> Vec<(Offset, Timestamp)> {
        self.expired = self.expired.max(to);
        self.times.forget_before(to);
        self.purge(to)
    }

    /// Removes up to `left` entries other than leases and delays, because the log is gone.
    pub(super) fn shed(&mut self, left: &mut usize) {
        shed(&mut self.returned, left);
        shed(&mut self.moving, left);
        self.behind.shed(left);
        self.ahead.shed(left);
        if let Some(fifo) = &mut self.fifo {
            fifo.shed(left);
        }
        if let Some(dead) = &mut self.dead {
            dead.shed(left);
        }
    }

    pub(super) fn show_to(&mut self, visible: Offset) {
        self.visible = visible;
        if let Some(fifo) = &mut self.fifo {
            fifo.show_to(visible);
        }
    }

    pub(super) fn visible(&self) -> Offset {
        self.visible
    }

    /// Notes that records from before this time may have been handed out without a trace.
    pub(super) fn doubt(&mut self, at: Timestamp) {
        self.doubted = self.times.begun_before(at).unwrap_or_default();
    }

    pub(super) fn doubted(&self) -> Offset {
        self.doubted
    }

    /// Notes that nobody wants the records that are ready now.
    pub(super) fn offer(&mut self) {
        self.offered = self.visible;
    }

    pub(super) fn offered(&self) -> Offset {
        self.offered
    }

    /// Whether a record may be leased. Constant time.
    pub(super) fn is_ready(&self) -> bool {
        if let Some(fifo) = &self.fifo {
            return fifo.is_ready(self.visible);
        }
        let returned = self.returned.first_key_value();
        self.next < self.visible
            || returned.is_some_and(|(&offset, _)| offset < self.visible)
            || self.behind.len() > 0
    }

    /// The number of ready records; in a FIFO part including those that their group holds back.
    pub(super) fn ready(&self) -> u64 {
        if let Some(fifo) = &self.fifo {
            let hidden = self.delayed.range(self.visible..).count() as u64;
            let shown = fifo.queued_before(self.visible);
            return shown.saturating_sub(self.delayed.len() as u64 - hidden);
        }
        let fresh = self.visible.since(self.next) - self.ahead.count_before(self.visible);
        let unseen = self.returned.range(self.visible..).count();
        fresh + (self.returned.len() - unseen + self.behind.len()) as u64
    }

    /// The first unsettled record, or the one after the last.
    pub(super) fn floor(&self) -> Offset {
        let listed = [
            self.leased.first_key_value().map(|(&offset, _)| offset),
            self.returned.first_key_value().map(|(&offset, _)| offset),
            self.delayed.first_key_value().map(|(&offset, _)| offset),
            self.moving.first_key_value().map(|(&offset, _)| offset),
            self.behind.offsets().next(),
            self.dead.as_ref().and_then(|dead| dead.first()),
            self.fifo.as_ref().and_then(|fifo| fifo.first()),
        ];
        let first = listed.into_iter().flatten().min();
        first.map_or(self.next, |first| first.min(self.next))
    }

    /// Whether a visible record is unsettled.
    pub(super) fn is_unsettled(&self, offset: Offset) -> bool {
        offset < self.visible && self.is_kept(offset)
    }

    /// Whether a record is unsettled, visible or not.
    pub(super) fn is_kept(&self, offset: Offset) -> bool {
        let listed = self.leased.contains_key(&offset)
            || self.returned.contains_key(&offset)
            || self.delayed.contains_key(&offset)
            || self.moving.contains_key(&offset)
            || self.behind.contains(offset)
            || self.is_dead(offset);
        match &self.fifo {
            Some(fifo) => listed || fifo.is_queued(offset),
            None => listed || (offset >= self.next && !self.ahead.contains(offset)),
        }
    }

    /// Whether a record is unsettled and not being moved to another log: only the end of the move
    /// may settle it then.
    pub(super) fn may_be_settled(&self, offset: Offset) -> bool {
        self.is_unsettled(offset) && !self.moving.contains_key(&offset)
    }

    /// Whether a record that could once be leased no longer can.
    pub(super) fn is_settled(&self, offset: Offset) -> bool {
        offset < self.visible && !self.is_unsettled(offset)
    }

    /// The previous deliveries of a ready record.
    pub(super) fn seen(&self, offset: Offset) -> Seen {
        self.returned(offset).unwrap_or_default()
    }

    /// The same for a record that was delivered and is ready again; in a FIFO part its group may
    /// hold it back.
    pub(super) fn returned(&self, offset: Offset) -> Option<Seen> {
        let returned = self.returned.get(&offset).copied();
        returned.or_else(|| self.behind.get(offset))
    }

    fn take_returned(&mut self, offset: Offset) -> Option<Seen> {
        let returned = self.returned.remove(&offset);
        returned.or_else(|| self.behind.remove(offset))
    }

    /// Runs that may be leased together, lowest offset first, with up to `max` records in all.
    pub(super) fn runs(
        &self,
        partition: PartitionIndex,
        max: u32,
        runs: &mut SmallVec<[Run; 2]>,
    ) -> u32 {
        let mut left = max;
        if let Some(fifo) = &self.fifo {
            fifo.for_each_ready(self.visible, &self.delayed, |offset| {
                Run::push(runs, partition, offset);
                left -= 1;
                left > 0
            });
            return max - left;
        }
        let mut from = Offset::ZERO;
        let mut behind = self.behind.iter().peekable();
        while left > 0 {
            let in_place = self.run_from(from, left);
            let before = in_place.map_or(Offset(u64::MAX), |(first, _)| first);
            if let Some((_, offset)) = behind.next_if(|(end, _)| *end <= before) {
                Run::push(runs, partition, offset);
                left -= 1;
                continue;
            }
            let Some((first, count)) = in_place else {
                break;
            };
            let next = behind.peek().map_or(Offset(u64::MAX), |(end, _)| *end);
            let apart = u32::try_from(next.since(first)).unwrap_or(u32::MAX);
            let count = count.min(apart);
            runs.push(Run {
                partition,
                first,
                count,
            });
            from = first.plus(u64::from(count));
            left -= count;
        }
        max - left
    }

    /// The first run of at most `max` ready records at or after `from`.
    fn run_from(&self, from: Offset, max: u32) -> Option<(Offset, u32)> {
        let mut returned = self.returned.range(from..self.visible.max(from));
        let Some((&first, _)) = returned.next() else {
            let first = self.fresh_from(from.max(self.next))?;
            return Some((first, self.fresh_count(first, max)));
        };
        let mut count = 1;
        while count < max
            && let Some((&offset, _)) = returned.next()
            && offset == first.plus(u64::from(count))
        {
            count += 1;
        }
        let end = first.plus(u64::from(count));
        if end == self.next && count < max {
            count += self.fresh_count(end, max - count);
        }
        Some((first, count))
    }

    /// The first ready record at or after `from`, which is not before `next`.
    pub(super) fn fresh_from(&self, from: Offset) -> Option<Offset> {
        let first = self.ahead.end_of(from).unwrap_or(from);
        (first < self.visible).then_some(first)
    }

    /// How many consecutive records from `first` are ready; `first` is not before `next`.
    pub(super) fn fresh_count(&self, first: Offset, max: u32) -> u32 {
        let end = self.ahead.start_after(first).unwrap_or(Offset(u64::MAX));
        let count = end.min(self.visible).since(first).min(u64::from(max));
        u32::try_from(count).expect("it isn't over max, which is a u32")
    }

    pub(super) fn settle_listed(&mut self, offset: Offset) -> Was {
        if let Some(lease) = self.leased.remove(&offset) {
            self.forget_overdue(offset);
            return Was::Leased(lease);
        }
        if self.take_returned(offset).is_some() {
            return Was::Ready;
        }
        let was_moving = self.moving.remove(&offset).is_some();
        if was_moving {
            self.forget_overdue(offset);
        }
        if let Some(dead) = &mut self.dead
            && dead.remove(offset)
        {
            self.drop_no_dead();
            return Was::Dead;
        }
        if was_moving {
            return Was::Moving;
        }
        match self.delayed.remove(&offset) {
            Some(delayed) => Was::Delayed(delayed.until),
            None => Was::Settled,
        }
    }

    /// Marks records from `next` on as no longer ready.
    pub(super) fn skip(&mut self, first: Offset, count: u32) {
        if first == self.next {
            self.next = first.plus(u64::from(count));
            self.hop();
        } else {
            self.ahead.insert(first, u64::from(count));
        }
    }

    /// Moves `next` past the records in `ahead`.
    fn hop(&mut self) {
        if let Some(end) = self.ahead.remove_range_at(self.next) {
            self.next = end;
        }
    }
}

/// Removes and returns the first entry, if it is before `to`.
pub(super) fn pop_before<V>(map: &mut BTreeMap<Offset, V>, to: Offset) -> Option<(Offset, V)> {
    let first = map.first_entry().filter(|first| *first.key() < to)?;
    Some(first.remove_entry())
}
