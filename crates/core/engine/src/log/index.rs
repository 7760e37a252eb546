//! The indexes of a shard's logs: deadlines, sessions, pools, and logs with work to do.
//!
//! Everything here is derived from the logs, and rebuilt from them after a snapshot is read. It is
//! only used by decisions, and by records about sessions.

use std::collections::{BTreeMap, BTreeSet};

use smallvec::SmallVec;
use stele_base_types::{ConsumerId, LogId, Offset, PartitionIndex, SessionId, Timestamp};

use super::LedgerId;
use crate::{ConsumerRef, Token};

/// The location of a record in a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) ledger: LedgerId,
    pub(crate) partition: PartitionIndex,
    pub(crate) offset: Offset,
}

/// What happens to a log at a certain time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Deadline {
    /// A lease ends.
    Lease(Place),
    /// A delay ends.
    Delay(Place),
    /// A wait ends unanswered.
    Wait(LedgerId, Token),
    /// Records expire.
    Expiry(LedgerId, PartitionIndex),
    /// Expired deduplication ids, attempts and producers are removed.
    Windows,
    /// The log has been unused for too long.
    End,
    /// Records reach the end of their own time to live.
    Life(LedgerId, PartitionIndex),
}

/// A limit shared by consumers of a session.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    pub(crate) limit: Option<u32>,
    pub(crate) unsettled: u32,
    pub(crate) members: Vec<(LogId, LedgerId, ConsumerId)>,
}

pub(crate) type PoolKey = (SessionId, u64);

#[derive(Debug, Default)]
pub(crate) struct Indexes {
    pub(crate) deadlines: BTreeSet<(Timestamp, LogId, Deadline)>,
    /// Leases that end with their session.
    held: BTreeSet<(SessionId, LogId, Place)>,
    /// Consumers, including those that have unsubscribed but still hold records.
    pub(crate) consumers: BTreeMap<ConsumerRef, (LogId, LedgerId)>,
    pub(crate) waits: BTreeSet<(SessionId, LogId, LedgerId, Token)>,
    /// Ended sessions of which something is left.
    pub(crate) ended: BTreeSet<SessionId>,
    pools: BTreeMap<PoolKey, Pool>,
    /// Pools that became full or got room, whose consumers must be queued or unqueued.
    turned: SmallVec<[PoolKey; 1]>,
    /// Logs with both a ready record and someone to take it.
    pub(crate) hot: BTreeSet<LogId>,
    /// Logs with more ready records than they may have.
    pub(crate) long: BTreeSet<LogId>,
    /// Logs with dead records to be moved.
    pub(crate) dead: BTreeSet<LogId>,
    /// How many deduplication ids the logs know.
    pub(crate) ids: usize,
    /// Logs that limit how many bytes are ready.
    pub(crate) sized: BTreeSet<LogId>,
    /// What the sizes of single bodies take.
    pub(crate) bodies_bytes: usize,
}

impl Pool {
    pub(crate) fn has_room(&self) -> bool {
        self.room() > 0
    }

    pub(crate) fn room(&self) -> u32 {
        match self.limit {
            Some(limit) => limit.saturating_sub(self.unsettled),
            None => u32::MAX,
        }
    }
}

impl Indexes {
    /// Adds a lease, or a new deadline of it.
    pub(crate) fn lease(
        &mut self,
        log: LogId,
        place: Place,
        session: SessionId,
        until: Option<Timestamp>,
    ) {
        match until {
            Some(until) => self.deadlines.insert((until, log, Deadline::Lease(place))),
            None => self.held.insert((session, log, place)),
        };
    }

    /// Removes a lease with this deadline.
    pub(crate) fn unlease(
        &mut self,
        log: LogId,
        place: Place,
        session: SessionId,
        until: Option<Timestamp>,
    ) {
        match until {
            Some(until) => self.deadlines.remove(&(until, log, Deadline::Lease(place))),
            None => self.held.remove(&(session, log, place)),
        };
    }

    /// How many records are listed here, leased or hidden for a time, with the few other things
    /// that have a deadline.
    pub(crate) fn listed(&self) -> usize {
        self.held.len() + self.deadlines.len()
    }

    /// The leases that end with a session, in order.
    pub(crate) fn held_by(
        &self,
        session: SessionId,
    ) -> impl Iterator<Item = (LogId, Place)> + use<'_> {
        let from = (session, LogId(0), Place::FIRST);
        let range = self.held.range(from..);
        range
            .take_while(move |(holder, ..)| *holder == session)
            .map(|(_, log, place)| (*log, *place))
    }

    /// The location of the first record in a log whose lease ends with a session.
    pub(crate) fn held_in(&self, session: SessionId, log: LogId) -> Option<Place> {
        let from = (session, log, Place::FIRST);
        let (holder, of, place) = self.held.range(from..).next()?;
        (*holder == session && *of == log).then_some(*place)
    }

    /// The first session that holds leases ending with it.
    pub(crate) fn first_holder(&self) -> Option<SessionId> {
        self.held.first().map(|(holder, ..)| *holder)
    }

    /// The consumers of a session.
    pub(crate) fn consumers_of(
        &self,
        session: SessionId,
    ) -> impl Iterator<Item = (ConsumerRef, LogId, LedgerId)> + use<'_> {
        let first = ConsumerRef {
            session,
            consumer: ConsumerId(0),
        };
        let range = self.consumers.range(first..);
        range
            .take_while(move |(consumer, _)| consumer.session == session)
            .map(|(consumer, (log, ledger))| (*consumer, *log, *ledger))
    }

    /// The waits of a session.
    pub(crate) fn waits_of(
        &self,
        session: SessionId,
    ) -> impl Iterator<Item = (LogId, LedgerId, Token)> + use<'_> {
        let from = (session, LogId(0), LedgerId(0), Token(0));
        let range = self.waits.range(from..);
        range
            .take_while(move |(waiter, ..)| *waiter == session)
            .map(|(_, log, ledger, token)| (*log, *ledger, *token))
    }

    pub(crate) fn pool(&self, key: PoolKey) -> Option<&Pool> {
        self.pools.get(&key)
    }

    pub(crate) fn join_pool(
        &mut self,
        key: PoolKey,
        member: (LogId, LedgerId, ConsumerId),
        limit: Option<u32>,
    ) {
        self.pools.entry(key).or_default().members.push(member);
        self.change_pool(key, |pool| pool.limit = limit);
    }

    pub(crate) fn leave_pool(&mut self, key: PoolKey, member: (LogId, LedgerId, ConsumerId)) {
        let Some(pool) = self.pools.get_mut(&key) else {
            return;
        };
        pool.members.retain(|other| *other != member);
        if pool.members.is_empty() {
            self.pools.remove(&key);
        }
    }

    /// The consumers of a pool.
    pub(crate) fn members(&self, key: PoolKey) -> Vec<(LogId, LedgerId, ConsumerRef)> {
        let members = self
            .pools
            .get(&key)
            .into_iter()
            .flat_map(|pool| &pool.members);
        let references = members.map(|(log, ledger, consumer)| {
            let reference = ConsumerRef {
                session: key.0,
                consumer: *consumer,
            };
            (*log, *ledger, reference)
        });
        references.collect()
    }

    /// Changes a pool, and notes if it became full or got room.
    pub(crate) fn change_pool(&mut self, key: PoolKey, change: impl FnOnce(&mut Pool)) {
        let Some(pool) = self.pools.get_mut(&key) else {
            return;
        };
        let before = pool.has_room();
        change(pool);
        if before != pool.has_room() && !self.turned.contains(&key) {
            self.turned.push(key);
        }
    }

    /// Removes a log from the lists of logs with work to do.
    pub(crate) fn unlist(&mut self, log: LogId) {
        let lists = [
            &mut self.hot,
            &mut self.long,
            &mut self.dead,
            &mut self.sized,
        ];
        for list in lists {
            list.remove(&log);
        }
    }

    /// Takes the pools whose consumers must be queued or unqueued.
    pub(crate) fn take_turned(&mut self) -> SmallVec<[PoolKey; 1]> {
        std::mem::take(&mut self.turned)
    }
}

#[cfg(test)]
impl Indexes {
    /// The number of entries.
    pub(crate) fn entries(&self) -> usize {
        let sessions = self.held.len() + self.waits.len() + self.ended.len();
        let listed = self.hot.len() + self.long.len() + self.dead.len() + self.sized.len();
        sessions + self.deadlines.len() + self.consumers.len() + self.pools.len() + listed
    }
}

impl Place {
    const FIRST: Self = Self {
        ledger: LedgerId(0),
        partition: PartitionIndex(0),
        offset: Offset::ZERO,
    };
}
