//! Who wants records of a ledger: subscribed consumers and waiting requests, in turn.
//!
//! A consumer that may take more, and every wait, stands in one queue. Whoever got its share goes
//! to its end (a consumer) or leaves it (a wait). A consumer that may take nothing for a time
//! leaves the queue and keeps its number, so that it comes before those who were served since.
//!
//! What is ready is shared by rounds: all who stand in the queue when one begins get as many each,
//! by several runs where what is ready lies apart.
//! None of this outlives the process.

use std::collections::BTreeMap;

use stele_base_types::{LogId, PartitionIndex, Timestamp};

use crate::{
    ConsumerRef, LeaseRequest, LedgerId, Subscription, Token,
    log::index::{Deadline, Indexes, PoolKey},
};

#[derive(Debug, Default, PartialEq)]
pub(crate) struct Demand {
    consumers: BTreeMap<ConsumerRef, Consumer>,
    waits: BTreeMap<Token, Wait>,
    turns: BTreeMap<u64, Turn>,
    turn_next: u64,
    round: Round,
    /// Consumers that haven't unsubscribed.
    subscribed: u32,
}

/// Those whose turns come before `end` get `share` records each.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Round {
    end: u64,
    share: u32,
    /// Who has got some, but not all of its share, has this turn, and so many.
    begun: (u64, u32),
}

impl Round {
    /// What the one with this turn has got of its share.
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
    /// Whether it stands in the queue.
    is_queued: bool,
    /// It has unsubscribed; what it leases still counts in its pool.
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

/// Where a ledger is, and the indexes that know of it.
#[derive(Debug)]
pub(crate) struct Site<'a> {
    pub(crate) log: LogId,
    pub(crate) ledger: LedgerId,
    pub(crate) indexes: &'a mut Indexes,
}

impl Consumer {
    pub(crate) fn pool(&self) -> PoolKey {
        (self.terms.consumer.session, self.terms.pool)
    }

    /// Records that it may take by its own limit.
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
        self.consumers.insert(reference, consumer);
        self.subscribed += 1;
        self.queue(reference, site.indexes);
    }

    pub(crate) fn unsubscribe(&mut self, reference: ConsumerRef, site: &mut Site<'_>) {
        let Some(consumer) = self.consumers.get_mut(&reference) else {
            return;
        };
        if !consumer.ended {
            consumer.ended = true;
            self.subscribed -= 1;
        }
        self.queue(reference, site.indexes);
        self.forget_if_through(reference, site);
    }

    /// Drops a consumer whose session has ended.
    pub(crate) fn drop_consumer(&mut self, reference: ConsumerRef, site: &mut Site<'_>) {
        self.unsubscribe(reference, site);
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

    /// A consumer got records: it has less room. One that isn't subscribed has only asked, and
    /// isn't counted.
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

    /// A consumer got so many records, and was charged. It is the others' turn once that was its
    /// share, or it has no more room, or nothing more is ready.
    pub(crate) fn pass_turn(&mut self, reference: ConsumerRef, count: u32, is_more_ready: bool) {
        let Some(consumer) = self.consumers.get_mut(&reference) else {
            return;
        };
        let got = self.round.got(consumer.turn) + count;
        let is_begun = consumer.turn < self.round.end && got < self.round.share;
        if is_begun && is_more_ready && consumer.is_queued {
            self.round.begun = (consumer.turn, got);
            return;
        }
        self.turns.remove(&consumer.turn);
        consumer.turn = self.turn_next;
        self.turn_next += 1;
        if consumer.is_queued {
            self.turns.insert(consumer.turn, Turn::Consumer(reference));
        }
    }

    /// A lease of a consumer has ended.
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

    /// Lets a consumer stand in the queue exactly while it may take something.
    pub(crate) fn queue(&mut self, reference: ConsumerRef, indexes: &Indexes) {
        let Some(consumer) = self.consumers.get_mut(&reference) else {
            return;
        };
        let pool = indexes.pool(consumer.pool());
        let pool_has_room = pool.is_none_or(|pool| pool.has_room());
        consumer.is_queued = consumer.room() > 0 && pool_has_room;
        if consumer.is_queued {
            self.turns.insert(consumer.turn, Turn::Consumer(reference));
        } else {
            self.turns.remove(&consumer.turn);
        }
    }

    /// What the first in the queue may take of so many ready records.
    pub(crate) fn share(&self, ready: u64) -> u32 {
        let round = self.round_at(ready);
        let first = self.turns.first_key_value();
        let got = first.map_or(0, |(turn, _)| round.got(*turn));
        round.share - got
    }

    /// So many records are ready, and the first in the queue is about to get some.
    pub(crate) fn begin_turn(&mut self, ready: u64) {
        self.round = self.round_at(ready);
    }

    /// The round that goes on, or the one that begins with the first in the queue.
    fn round_at(&self, ready: u64) -> Round {
        let first = self.turns.first_key_value();
        if first.is_some_and(|(turn, _)| *turn < self.round.end) {
            return self.round;
        }
        let share = ready / self.turns.len().max(1) as u64;
        Round {
            end: self.turn_next,
            share: u32::try_from(share).unwrap_or(u32::MAX).max(1),
            begun: Default::default(),
        }
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
        // A token names one wait: where a caller uses it again, that is the one it means.
        self.end_wait(token, site);
        let turn = self.give_turn();
        self.turns.insert(turn, Turn::Wait(token));
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
        self.turns.remove(&wait.turn);
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

    /// How many may take something now.
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

    /// All consumers, also those that have unsubscribed but still hold records.
    pub(crate) fn references(&self) -> impl Iterator<Item = ConsumerRef> + use<'_> {
        self.consumers.keys().copied()
    }

    /// Consumers that haven't unsubscribed.
    pub(crate) fn subscribed(&self) -> u32 {
        self.subscribed
    }

    pub(crate) fn subscribers(&self) -> impl Iterator<Item = &Subscription> + use<'_> {
        let consumers = self.consumers.values();
        consumers
            .filter(|consumer| !consumer.ended)
            .map(|consumer| &consumer.terms)
    }

    /// Forgets a consumer that has unsubscribed and holds nothing.
    fn forget_if_through(&mut self, reference: ConsumerRef, site: &mut Site<'_>) {
        let Some(consumer) = self.consumers.get(&reference) else {
            return;
        };
        if consumer.ended && consumer.unsettled == 0 {
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

/// Which partitions have something ready: one bit each, so that looking for the next one of ten
/// thousand is quick.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct ReadyParts {
    words: Vec<u64>,
    count: u32,
}

impl ReadyParts {
    pub(crate) fn set(&mut self, partition: PartitionIndex, is_ready: bool) {
        let (word, bit) = (partition.0 as usize / 64, 1 << (partition.0 % 64));
        if word >= self.words.len() {
            if !is_ready {
                return;
            }
            self.words.resize(word + 1, 0);
        }
        let was_ready = self.words[word] & bit != 0;
        match (was_ready, is_ready) {
            (false, true) => self.count += 1,
            (true, false) => self.count -= 1,
            _ => return,
        }
        self.words[word] ^= bit;
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// All of them, from the one at or after `start` round to the one before it.
    pub(crate) fn from(
        &self,
        start: PartitionIndex,
    ) -> impl Iterator<Item = PartitionIndex> + use<'_> {
        let wrapped = (!self.is_empty()).then_some(0..start.0);
        self.between(start.0..u32::MAX)
            .chain(wrapped.into_iter().flat_map(|range| self.between(range)))
    }

    fn between(
        &self,
        range: std::ops::Range<u32>,
    ) -> impl Iterator<Item = PartitionIndex> + use<'_> {
        let mut at = range.start;
        std::iter::from_fn(move || {
            let found = self.next_from(at)?;
            at = found + 1;
            (found < range.end).then_some(PartitionIndex(found))
        })
    }

    fn next_from(&self, at: u32) -> Option<u32> {
        let mut word = at as usize / 64;
        let mut bits = self.words.get(word)? & (u64::MAX << (at % 64));
        while bits == 0 {
            word += 1;
            bits = *self.words.get(word)?;
        }
        u32::try_from(word * 64 + bits.trailing_zeros() as usize).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_partitions_are_found_all_round() {
        let mut ready = ReadyParts::default();
        for index in [3, 64, 200] {
            ready.set(PartitionIndex(index), true);
        }
        ready.set(PartitionIndex(1), false);
        ready.set(PartitionIndex(500), false);
        let from = |start| -> Vec<u32> {
            let found = ready.from(PartitionIndex(start));
            found.map(|partition| partition.0).collect()
        };
        assert_eq!(from(0), [3, 64, 200]);
        assert_eq!(from(64), [64, 200, 3]);
        assert_eq!(from(201), [3, 64, 200]);
        ready.set(PartitionIndex(64), false);
        assert_eq!(
            ready.from(PartitionIndex(4)).next(),
            Some(PartitionIndex(200))
        );
    }
}
