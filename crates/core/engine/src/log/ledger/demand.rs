//! The demand for a ledger's records: subscribed consumers and waiting requests, served in turn.
//!
//! Consumers that may take more records, and all waits, are in one queue: those of a higher
//! priority come first; waits have priority 0. After getting its share, a consumer goes behind the
//! others of its priority, and a wait leaves the queue. A consumer that currently may take nothing
//! leaves the queue but keeps its number, so that it comes before those served since. In a ledger
//! that serves one consumer at a time, the others aren't in the queue (`line.rs`).
//!
//! Ready records are shared in rounds: all of one priority who are in the queue when a round begins
//! get the same number, in several runs if the ready records aren't adjacent. None of this survives
//! the process.

use std::{cmp::Reverse, collections::BTreeMap};

use stele_base_types::{LogId, Timestamp};

use crate::{
    ConsumerRef, LeaseRequest, LedgerId, Subscription, Token,
    log::index::{Deadline, Indexes, PoolKey},
};

use super::line::Line;

#[derive(Debug, Default, PartialEq)]
pub(crate) struct Demand {
    consumers: BTreeMap<ConsumerRef, Consumer>,
    waits: BTreeMap<Token, Wait>,
    turns: BTreeMap<Position, Turn>,
    turn_next: u64,
    levels: Levels,
    /// Consumers that haven't unsubscribed.
    subscribed: u32,
    /// In a ledger that serves one consumer at a time: whose turn it is to be that one.
    line: Option<Box<Line>>,
}

/// The priority of waits.
const WAIT_PRIORITY: Reverse<i64> = Reverse(0);

/// A position in the queue: the priority, and the number of a turn.
pub(super) type Position = (Reverse<i64>, u64);

/// Those in the queue, by their priorities.
#[derive(Debug, Default, PartialEq)]
struct Levels {
    /// Those of priority 0: nearly always all.
    usual: Level,
    /// The others, without empty levels.
    unusual: BTreeMap<i64, Level>,
}

/// Those in the queue who have the same priority.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Level {
    queued: usize,
    round: Round,
}

impl Levels {
    fn level(&self, priority: i64) -> Option<&Level> {
        match priority {
            0 => Some(&self.usual),
            _ => self.unusual.get(&priority),
        }
    }

    fn level_mut(&mut self, priority: i64) -> &mut Level {
        match priority {
            0 => &mut self.usual,
            _ => self.unusual.entry(priority).or_default(),
        }
    }
}

/// A round: those whose turns come before `end` get `share` records each.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Round {
    end: u64,
    share: u32,
    /// A turn that has got some, but not all of its share, and how many records it got.
    begun: (u64, u32),
}

impl Round {
    /// How much of its share this turn has got.
    fn got(&self, turn: u64) -> u32 {
        let (begun, got) = self.begun;
        if turn == begun { got } else { 0 }
    }
}

#[derive(Debug, PartialEq)]
pub(crate) struct Consumer {
    pub(crate) terms: Subscription,
    pub(crate) unsettled: u32,
    pub(crate) credit_bytes: i64,
    turn: u64,
    /// Whether it is in the queue.
    is_queued: bool,
    /// It has unsubscribed; its leased records still count in its pool.
    ended: bool,
}

#[derive(Debug, PartialEq)]
pub(crate) struct Wait {
    pub(crate) request: LeaseRequest,
    until: Timestamp,
    turn: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    Consumer(ConsumerRef),
    Wait(Token),
}

/// The location of a ledger, and the indexes that contain it.
#[derive(Debug)]
pub(crate) struct Site<'a> {
    pub(crate) log: LogId,
    pub(crate) ledger: LedgerId,
    pub(crate) indexes: &'a mut Indexes,
}

impl Site<'_> {
    /// Enters a deadline of the log, if there is one.
    pub(super) fn plan(&mut self, at: Option<Timestamp>, deadline: Deadline) {
        let planned = at.map(|at| (at, self.log, deadline));
        self.indexes.deadlines.extend(planned);
    }

    /// Removes it.
    pub(super) fn unplan(&mut self, at: Option<Timestamp>, deadline: Deadline) {
        if let Some(at) = at {
            self.indexes.deadlines.remove(&(at, self.log, deadline));
        }
    }
}

impl Consumer {
    pub(crate) fn pool(&self) -> PoolKey {
        (self.terms.consumer.session, self.terms.pool)
    }

    fn position(&self) -> Position {
        (Reverse(self.terms.priority), self.turn)
    }

    /// How many records it may take by its own limits.
    pub(crate) fn room(&self) -> u32 {
        match self.terms.prefetch {
            _ if self.ended || self.credit_bytes <= 0 => 0,
            Some(limit) if !self.terms.settle => limit.saturating_sub(self.unsettled),
            _ => u32::MAX,
        }
    }
}

impl Demand {
    pub(crate) fn subscribe(&mut self, terms: &Subscription, site: &mut Site<'_>) {
        let reference = terms.consumer;
        let consumer = Consumer {
            terms: *terms,
            unsettled: 0,
            credit_bytes: i64::try_from(terms.credit_bytes).unwrap_or(i64::MAX),
            turn: self.give_turn(),
            is_queued: false,
            ended: false,
        };
        let member = (site.log, site.ledger, reference.consumer);
        site.indexes
            .join_pool(consumer.pool(), member, terms.pool_prefetch);
        site.indexes
            .consumers
            .insert(reference, (site.log, site.ledger));
        if let Some(line) = &mut self.line {
            line.join(reference, consumer.position());
        }
        self.consumers.insert(reference, consumer);
        self.subscribed += 1;
        self.queue(reference, site.indexes);
    }

    /// Ends a subscription. With `lingers`, the next consumer takes over only when all leases of
    /// this one have ended.
    pub(crate) fn unsubscribe(
        &mut self,
        reference: ConsumerRef,
        lingers: bool,
        site: &mut Site<'_>,
    ) {
        let Some(consumer) = self.consumers.get_mut(&reference) else {
            return;
        };
        if !consumer.ended {
            consumer.ended = true;
            self.subscribed -= 1;
        }
        self.queue(reference, site.indexes);
        if !lingers {
            self.leave_line(reference, site.indexes);
        }
        self.forget_if_through(reference, site);
    }

    /// Begins or ends serving one consumer at a time.
    pub(crate) fn serve_one(&mut self, is_on: bool, indexes: &Indexes) {
        if is_on == self.line.is_some() {
            return;
        }
        self.line = is_on.then(|| {
            let mut line = Line::default();
            let staying = self.consumers.iter().filter(|(_, one)| !one.ended);
            let staying: BTreeMap<_, _> = staying.map(|(who, it)| (it.position(), *who)).collect();
            for (position, consumer) in staying {
                line.join(consumer, position);
            }
            Box::new(line)
        });
        for consumer in self.references().collect::<Vec<_>>() {
            self.queue(consumer, indexes);
        }
    }

    /// The consumer that is served, if one is at a time.
    pub(crate) fn active(&self) -> Option<ConsumerRef> {
        self.line.as_ref()?.active()
    }

    fn leave_line(&mut self, reference: ConsumerRef, indexes: &Indexes) {
        let (Some(line), Some(consumer)) = (&mut self.line, self.consumers.get(&reference)) else {
            return;
        };
        if let Some(next) = line.leave(reference, consumer.position()) {
            self.queue(next, indexes);
        }
    }

    /// Removes a consumer whose session has ended.
    pub(crate) fn drop_consumer(&mut self, reference: ConsumerRef, site: &mut Site<'_>) {
        self.unsubscribe(reference, false, site);
        if let Some(consumer) = self.consumers.get_mut(&reference) {
            consumer.unsettled = 0;
            self.forget_if_through(reference, site);
        }
    }

    pub(crate) fn credit(&mut self, reference: ConsumerRef, bytes: u64, indexes: &Indexes) {
        let Some(consumer) = self.consumers.get_mut(&reference) else {
            return;
        };
        consumer.credit_bytes = consumer.credit_bytes.saturating_add_unsigned(bytes);
        self.queue(reference, indexes);
    }

    /// Notes that a consumer got records, which reduces its room. A holder that isn't subscribed
    /// only made a request, and isn't counted.
    pub(crate) fn charge(
        &mut self,
        reference: ConsumerRef,
        leased: u32,
        bytes: u64,
        indexes: &mut Indexes,
    ) {
        let Some(consumer) = self.consumers.get_mut(&reference) else {
            return;
        };
        consumer.credit_bytes = consumer.credit_bytes.saturating_sub_unsigned(bytes);
        consumer.unsettled += leased;
        if leased > 0 {
            indexes.change_pool(consumer.pool(), |pool| pool.unsettled += leased);
        }
        self.queue(reference, indexes);
    }

    /// Notes that a consumer got this many records (already charged). It is the others' turn if
    /// that was its share, it has no more room, or nothing more is ready.
    pub(crate) fn pass_turn(&mut self, reference: ConsumerRef, count: u32, is_more_ready: bool) {
        let Some(consumer) = self.consumers.get_mut(&reference) else {
            return;
        };
        let before = consumer.position();
        let (Reverse(priority), turn) = before;
        if consumer.is_queued {
            let round = &mut self.levels.level_mut(priority).round;
            let got = round.got(turn) + count;
            if turn < round.end && got < round.share && is_more_ready {
                round.begun = (turn, got);
                return;
            }
        }
        consumer.turn = self.turn_next;
        self.turn_next += 1;
        if consumer.is_queued {
            self.turns.remove(&before);
            let position = consumer.position();
            self.turns.insert(position, Turn::Consumer(reference));
        }
    }

    /// Notes that a lease of a consumer has ended.
    pub(crate) fn release(&mut self, reference: ConsumerRef, site: &mut Site<'_>) {
        let Some(consumer) = self.consumers.get_mut(&reference) else {
            return;
        };
        consumer.unsettled = consumer.unsettled.saturating_sub(1);
        site.indexes.change_pool(consumer.pool(), |pool| {
            pool.unsettled = pool.unsettled.saturating_sub(1);
        });
        if consumer.ended {
            self.forget_if_through(reference, site);
        } else if !consumer.is_queued {
            self.queue(reference, site.indexes);
        }
    }

    /// Puts a consumer in the queue if it may take something, and removes it if not.
    pub(crate) fn queue(&mut self, reference: ConsumerRef, indexes: &Indexes) {
        let Some(consumer) = self.consumers.get_mut(&reference) else {
            return;
        };
        let pool = indexes.pool(consumer.pool());
        let pool_has_room = pool.is_none_or(|pool| pool.has_room());
        let may_be_served = self
            .line
            .as_ref()
            .is_none_or(|line| line.is_active(reference));
        let is_queued = may_be_served && consumer.room() > 0 && pool_has_room;
        if is_queued == std::mem::replace(&mut consumer.is_queued, is_queued) {
            return;
        }
        let position = consumer.position();
        if is_queued {
            self.enter(position, Turn::Consumer(reference));
        } else {
            self.leave(position);
        }
    }

    fn enter(&mut self, position: Position, turn: Turn) {
        self.turns.insert(position, turn);
        self.levels.level_mut(position.0.0).queued += 1;
    }

    fn leave(&mut self, position: Position) {
        self.turns.remove(&position);
        let (Reverse(priority), _) = position;
        let level = self.levels.level_mut(priority);
        level.queued -= 1;
        if level.queued == 0 && priority != 0 {
            self.levels.unusual.remove(&priority);
        }
    }

    /// How many of these ready records the first in the queue may take.
    pub(crate) fn share(&self, ready: u64) -> u32 {
        let Some(((_, turn), level)) = self.first() else {
            return 0;
        };
        let round = self.round_at(turn, level, ready);
        round.share - round.got(turn)
    }

    /// Begins a turn: this many records are ready, and the first in the queue is about to get some.
    pub(crate) fn begin_turn(&mut self, ready: u64) {
        if let Some(((Reverse(priority), turn), level)) = self.first() {
            let round = self.round_at(turn, level, ready);
            self.levels.level_mut(priority).round = round;
        }
    }

    /// The level's current round, or a new one that begins with this turn.
    fn round_at(&self, turn: u64, level: &Level, ready: u64) -> Round {
        if turn < level.round.end {
            return level.round;
        }
        let share = ready / level.queued.max(1) as u64;
        Round {
            end: self.turn_next,
            share: u32::try_from(share).unwrap_or(u32::MAX).max(1),
            begun: Default::default(),
        }
    }

    fn first(&self) -> Option<(Position, &Level)> {
        let (first, _) = self.turns.first_key_value()?;
        Some((*first, self.levels.level(first.0.0)?))
    }

    /// Whether others in the queue have the same priority as the first.
    pub(crate) fn is_shared(&self) -> bool {
        self.turns.len() > 1 && self.first().is_some_and(|(_, level)| level.queued > 1)
    }

    fn give_turn(&mut self) -> u64 {
        let turn = self.turn_next;
        self.turn_next += 1;
        turn
    }

    pub(crate) fn wait(
        &mut self,
        request: &LeaseRequest,
        until: Timestamp,
        token: Token,
        site: &mut Site<'_>,
    ) {
        // A token identifies one wait, so reusing it replaces that wait.
        self.end_wait(token, site);
        let turn = self.give_turn();
        self.enter((WAIT_PRIORITY, turn), Turn::Wait(token));
        let wait = Wait {
            request: *request,
            until,
            turn,
        };
        self.waits.insert(token, wait);
        let session = request.holder.session;
        site.indexes
            .waits
            .insert((session, site.log, site.ledger, token));
        let deadline = Deadline::Wait(site.ledger, token);
        site.indexes.deadlines.insert((until, site.log, deadline));
    }

    pub(crate) fn end_wait(&mut self, token: Token, site: &mut Site<'_>) {
        let Some(wait) = self.waits.remove(&token) else {
            return;
        };
        self.leave((WAIT_PRIORITY, wait.turn));
        let session = wait.request.holder.session;
        site.indexes
            .waits
            .remove(&(session, site.log, site.ledger, token));
        let deadline = Deadline::Wait(site.ledger, token);
        site.indexes
            .deadlines
            .remove(&(wait.until, site.log, deadline));
    }

    /// Whose turn it is.
    pub(crate) fn turn(&self) -> Option<Turn> {
        self.turns.first_key_value().map(|(_, turn)| *turn)
    }

    /// How many are in the queue.
    pub(crate) fn turns(&self) -> usize {
        self.turns.len()
    }

    pub(crate) fn consumer(&self, reference: ConsumerRef) -> Option<&Consumer> {
        self.consumers.get(&reference)
    }

    pub(crate) fn wait_of(&self, token: Token) -> Option<&Wait> {
        self.waits.get(&token)
    }

    pub(crate) fn waits(&self) -> impl Iterator<Item = Token> + use<'_> {
        self.waits.keys().copied()
    }

    pub(crate) fn has_waits(&self) -> bool {
        !self.waits.is_empty()
    }

    /// Whether a consumer hasn't unsubscribed.
    pub(crate) fn is_subscribed(&self, reference: ConsumerRef) -> bool {
        self.consumer(reference)
            .is_some_and(|consumer| !consumer.ended)
    }

    /// All consumers, including those that have unsubscribed but still hold records.
    pub(crate) fn references(&self) -> impl Iterator<Item = ConsumerRef> + use<'_> {
        self.consumers.keys().copied()
    }

    /// The number of consumers that haven't unsubscribed.
    pub(crate) fn subscribed(&self) -> u32 {
        self.subscribed
    }

    pub(crate) fn subscribers(&self) -> impl Iterator<Item = &Subscription> + use<'_> {
        let consumers = self.consumers.values();
        consumers
            .filter(|consumer| !consumer.ended)
            .map(|consumer| &consumer.terms)
    }

    /// Removes a consumer that has unsubscribed and holds nothing.
    fn forget_if_through(&mut self, reference: ConsumerRef, site: &mut Site<'_>) {
        let Some(consumer) = self.consumers.get(&reference) else {
            return;
        };
        if consumer.ended && consumer.unsettled == 0 {
            self.leave_line(reference, site.indexes);
            let Some(consumer) = self.consumers.get(&reference) else {
                return;
            };
            let member = (site.log, site.ledger, reference.consumer);
            site.indexes.leave_pool(consumer.pool(), member);
            // It may have subscribed to another log since this one was closed.
            if site.indexes.consumers.get(&reference) == Some(&(site.log, site.ledger)) {
                site.indexes.consumers.remove(&reference);
            }
            self.consumers.remove(&reference);
        }
    }
}

#[cfg(test)]
impl super::Ledger {
    /// How many priorities other than 0 those in the queue have.
    pub(crate) fn priorities_queued(&self) -> usize {
        self.demand.levels.unusual.len()
    }
}
