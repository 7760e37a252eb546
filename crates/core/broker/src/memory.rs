//! The account of the memory that clients use.
//!
//! Whatever a client sends or requests takes its share of a pool before it takes its bytes, and
//! returns the share with them. There is a pool for each [`Kind`] of use, each with its part of the
//! total, so that one kind can't starve another.
//!
//! Invariants
//! - A share is granted if it fits. One that is larger than its pool is granted beside what is in
//!   use, but to one client at a time, whatever the pool ([`Large`]): so all shares together exceed
//!   the pools by the largest one at most.
//! - Waiters are served in order: a share that would fit doesn't overtake one that waits.
//! - Nobody waits for a pool while holding a share of it, because that could deadlock. Whoever
//!   holds a share uses [`Memory::try_take`], or [`Memory::note`] for data that is there before its
//!   size is known.
//! - Whoever keeps others waiting gets less time than usual ([`Memory::pressed`]).

mod large;

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    sync::Arc,
};

use bytes::Bytes;
use parking_lot::Mutex;
use stele_base_types::ShardId;
use stele_core_engine::StateBytes;
use tokio::sync::{Notify, oneshot};

use self::large::{ClientId, Large};

/// What memory is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Requests that are being received or worked on.
    Requests,
    /// Requests that arrived while [`Kind::Requests`] had no room, one after the other.
    LateRequests,
    /// Requests of clients that haven't authenticated yet, where they must.
    UnknownClients,
    /// Batches from Kafka and SQS clients on their way to a shard.
    Appends,
    /// Messages that AMQP clients publish, until they are in the journals of their queues.
    Publishes,
    /// Compressed batches that have been opened.
    Opened,
    /// Records on their way to clients.
    Responses,
    /// The same for small responses.
    SmallResponses,
}

/// The kinds with their names in metrics and their percentage of the total. A third is left for
/// uses that clients don't control: state, caches, blocks being written, and the allocator's
/// overhead.
const KINDS: [(Kind, &str, usize); 8] = [
    (Kind::Requests, "requests", 14),
    (Kind::LateRequests, "late_requests", 8),
    (Kind::UnknownClients, "unknown_clients", 2),
    (Kind::Appends, "appends", 8),
    (Kind::Publishes, "publishes", 8),
    (Kind::Opened, "opened", 10),
    (Kind::Responses, "responses", 12),
    (Kind::SmallResponses, "small_responses", 4),
];

/// What the catalogue's shard may have of definitions, in percent of the ceiling: of the third that
/// no kind has.
const DEFINITIONS_PERCENT: usize = 10;

/// What all shards together may know of single records, likewise.
const RECORDS_PERCENT: usize = 10;

/// Kinds of what goes to shards, and so to the disk.
const TO_SHARDS: [Kind; 3] = [Kind::LateRequests, Kind::Appends, Kind::Publishes];

/// Kinds of what is taken first, for what clients send.
const FIRST: [Kind; 4] = [
    Kind::Requests,
    Kind::LateRequests,
    Kind::UnknownClients,
    Kind::Publishes,
];

/// Kinds of work whose shares are returned without waiting for anything: a large share of them has
/// its pool to itself.
const WORK: [Kind; 2] = [Kind::Appends, Kind::Opened];

/// A response up to this size is small: large responses to other clients don't delay it.
const SMALL_RESPONSE_BYTES_MAX: usize = 64 * 1024;

/// One response may take this fraction of the free memory, so that some is left for the next one,
/// and each of many gets less.
const PARTS_OF_FREE: usize = 8;

/// What the state of each of so many shards may take.
pub(crate) fn state_bounds(ceiling_bytes: usize, shards: usize) -> StateBytes {
    StateBytes {
        definitions: ceiling_bytes / 100 * DEFINITIONS_PERCENT,
        records: ceiling_bytes / 100 * RECORDS_PERCENT / shards.max(1),
    }
}

/// The account, as a client uses it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Memory {
    account: Arc<Account>,
    /// Who takes shares.
    client: ClientId,
}

#[derive(Debug)]
struct Account {
    pools: [Arc<Pool>; KINDS.len()],
    large: Arc<Large>,
    /// What may wait for the disk of each shard.
    waiting_max: Mutex<BTreeMap<ShardId, usize>>,
}

/// How much of a pool is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Use {
    /// The pool's name in metrics.
    pub kind: &'static str,
    /// Bytes in use.
    pub used_bytes: usize,
    /// Its size in bytes.
    pub max_bytes: usize,
    /// How many wait for a share.
    pub waiting: usize,
}

impl Memory {
    /// Creates an account of this much memory for all kinds together.
    pub fn new(ceiling_bytes: usize) -> Self {
        let large = Arc::new(Large::default());
        let pool = |(kind, _, percent): (Kind, _, usize)| {
            debug_assert_eq!(
                KINDS[kind as usize].0, kind,
                "kinds must be listed in the order of the enum"
            );
            Arc::new(Pool {
                max_bytes: ceiling_bytes / 100 * percent,
                state: Mutex::new(State {
                    max_bytes: ceiling_bytes / 100 * percent,
                    ..State::default()
                }),
                pressed: Notify::new(),
                large: Arc::clone(&large),
                is_first: FIRST.contains(&kind),
                is_work: WORK.contains(&kind),
            })
        };
        let pools = KINDS.map(pool);
        Self {
            client: large.new_client(),
            account: Arc::new(Account {
                pools,
                large,
                waiting_max: Mutex::default(),
            }),
        }
    }

    /// The account as another client uses it. Each connection has its own, so that it can go on
    /// from one large share to the next while others wait.
    #[must_use]
    pub fn for_client(&self) -> Self {
        Self {
            account: Arc::clone(&self.account),
            client: self.account.large.new_client(),
        }
    }

    /// Keeps each kind of what goes to shards to so many bytes, since the disk of one takes no more
    /// in a short time. Of several shards the slowest counts.
    pub(crate) fn keep_waiting_to(&self, shard: ShardId, bytes: usize) {
        let mut each = self.account.waiting_max.lock();
        each.insert(shard, bytes);
        let slowest = each.values().copied().min().unwrap_or(usize::MAX);
        for kind in TO_SHARDS {
            Pool::set_max(self.pool(kind), slowest);
        }
    }

    /// Takes a share, waiting for it if needed. Safe to cancel.
    pub async fn take(&self, kind: Kind, bytes: usize) -> Share {
        let pool = self.pool(kind);
        let asked = match pool.is_large(bytes) {
            true => Large::ask(pool, bytes, self.client),
            false => Pool::ask(pool, bytes),
        };
        let mut asked = match asked {
            Ok(share) => return share,
            Err(asked) => asked,
        };
        pool.pressed.notify_waiters();
        // The pool is borrowed here, so it can't be dropped with the answer unsent.
        (&mut asked.answer).await.unwrap_or_default()
    }

    /// Takes a share if it fits now.
    pub fn try_take(&self, kind: Kind, bytes: usize) -> Option<Share> {
        let pool = self.pool(kind);
        match pool.is_large(bytes) {
            true => Large::try_take(pool, bytes, self.client),
            false => Pool::try_take(pool, bytes),
        }
    }

    /// Takes a share whether or not it fits, for memory that is already in use.
    pub fn note(&self, kind: Kind, bytes: usize) -> Share {
        let mut share = Share::of(self.pool(kind), 0);
        share.grow(bytes);
        share
    }

    /// Returns once memory of this kind is short: somebody waits for a share, or more is in use
    /// than the pool has.
    pub async fn pressed(&self, kind: Kind) {
        let pool = self.pool(kind);
        let mut pressed = std::pin::pin!(pool.pressed.notified());
        loop {
            pressed.as_mut().enable();
            if pool.is_short() {
                return;
            }
            pressed.as_mut().await;
            pressed.set(pool.pressed.notified());
        }
    }

    /// The kind for a response of this size.
    pub fn kind_of_response(bytes: usize) -> Kind {
        match bytes {
            0..=SMALL_RESPONSE_BYTES_MAX => Kind::SmallResponses,
            _ => Kind::Responses,
        }
    }

    /// The largest response that its pool's free memory allows; a small response is always allowed.
    pub fn response_bytes_max(&self) -> usize {
        let free = self.pool(Kind::Responses).free_bytes();
        (free / PARTS_OF_FREE).max(SMALL_RESPONSE_BYTES_MAX)
    }

    /// Whether memory of this kind is short.
    pub fn is_short(&self, kind: Kind) -> bool {
        self.pool(kind).is_short()
    }

    /// The size of a pool.
    pub fn max_bytes(&self, kind: Kind) -> usize {
        self.pool(kind).max_bytes
    }

    /// How much is in use, kind by kind.
    pub fn uses(&self) -> impl Iterator<Item = Use> + '_ {
        let pools = KINDS.iter().zip(&self.account.pools);
        pools.map(|((_, name, _), pool)| {
            let waiting_large = pool.large.waiting_for(pool);
            let state = pool.state.lock();
            Use {
                kind: name,
                used_bytes: state.used_bytes,
                max_bytes: pool.max_bytes,
                waiting: state.waiting.len() + waiting_large,
            }
        })
    }

    fn pool(&self, kind: Kind) -> &Arc<Pool> {
        &self.account.pools[kind as usize]
    }
}

/// The memory of one kind.
struct Pool {
    max_bytes: usize,
    state: Mutex<State>,
    /// Notified when the pool becomes short.
    pressed: Notify,
    large: Arc<Large>,
    /// Whether clients take shares of it first, before those of others.
    is_first: bool,
    /// Whether a large share has it to itself.
    is_work: bool,
}

#[derive(Default)]
struct State {
    used_bytes: usize,
    /// What may be used now: all of the pool, or less.
    max_bytes: usize,
    /// Whether the client that may have large shares has one here.
    has_large: bool,
    /// Whether nothing is granted until all is returned, for a large share.
    drains: bool,
    /// In order of arrival.
    waiting: VecDeque<Waiting>,
}

struct Waiting {
    bytes: usize,
    granted: oneshot::Sender<Share>,
}

impl State {
    fn fits(&self, bytes: usize) -> bool {
        let has_room = self.used_bytes.saturating_add(bytes) <= self.max_bytes;
        !self.drains && (self.used_bytes == 0 || has_room)
    }

    /// Whether a waiter is left that hasn't given up.
    fn has_waiting(&self) -> bool {
        self.waiting.iter().any(|it| !it.granted.is_closed())
    }
}

impl Pool {
    fn is_short(&self) -> bool {
        let state = self.state.lock();
        state.used_bytes > state.max_bytes || state.has_waiting()
    }

    /// Whether more is in use than it has.
    fn is_over(&self) -> bool {
        self.state.lock().used_bytes > self.max_bytes
    }

    /// Whether a share of this size is larger than the pool.
    fn is_large(&self, bytes: usize) -> bool {
        bytes > self.max_bytes
    }

    /// Has the pool give out so much, or all that it has.
    fn set_max(pool: &Arc<Self>, bytes: usize) {
        pool.state.lock().max_bytes = bytes.min(pool.max_bytes);
        Self::give_back(pool, 0);
    }

    fn free_bytes(&self) -> usize {
        let state = self.state.lock();
        match state.has_waiting() {
            true => 0,
            false => state.max_bytes.saturating_sub(state.used_bytes),
        }
    }

    fn try_take(pool: &Arc<Self>, bytes: usize) -> Option<Share> {
        let mut state = pool.state.lock();
        (!state.has_waiting() && state.fits(bytes)).then(|| {
            state.used_bytes += bytes;
            Share::of(pool, bytes)
        })
    }

    /// Returns a share, or a place in the queue for it.
    fn ask(pool: &Arc<Self>, bytes: usize) -> Result<Share, Asked<'_>> {
        if let Some(share) = Self::try_take(pool, bytes) {
            return Ok(share);
        }
        let (granted, answer) = oneshot::channel();
        pool.state
            .lock()
            .waiting
            .push_back(Waiting { bytes, granted });
        // Shares may have been returned in between.
        Self::give_back(pool, 0);
        let is_large = false;
        Err(Asked {
            pool,
            is_large,
            answer,
        })
    }

    /// Returns bytes to the pool, and grants the waiting shares that now fit.
    fn give_back(pool: &Arc<Self>, bytes: usize) {
        let mut state = pool.state.lock();
        let was_over = state.used_bytes > pool.max_bytes;
        state.used_bytes -= bytes;
        let is_over = state.used_bytes > pool.max_bytes;
        let leaves = !is_over && std::mem::take(&mut state.has_large);
        let is_drained = state.drains && state.used_bytes == 0;
        while let Some(first) = state.waiting.front()
            && (first.granted.is_closed() || state.fits(first.bytes))
        {
            let Some(Waiting { bytes, granted }) = state.waiting.pop_front() else {
                break;
            };
            state.used_bytes += bytes;
            if let Err(mut unwanted) = granted.send(Share::of(pool, bytes)) {
                // The waiter has gone. Dropping the share would ask for the lock that is held.
                state.used_bytes -= std::mem::take(&mut unwanted.bytes);
            }
        }
        // The other lock is never taken inside of this one.
        drop(state);
        if leaves {
            pool.large.leave();
        } else if is_drained || (was_over && !is_over) {
            pool.large.grant();
        }
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state.lock();
        f.debug_struct("Pool")
            .field("used_bytes", &state.used_bytes)
            .field("max_bytes", &self.max_bytes)
            .finish_non_exhaustive()
    }
}

/// A share that is waited for.
struct Asked<'a> {
    pool: &'a Arc<Pool>,
    is_large: bool,
    answer: oneshot::Receiver<Share>,
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        self.answer.close();
        if self.is_large {
            // Whoever comes next has it drained again.
            self.pool.state.lock().drains = false;
            self.pool.large.grant();
        }
        // The shares queued behind this one may fit now.
        Pool::give_back(self.pool, 0);
    }
}

/// A share of the memory, returned when dropped.
#[derive(Debug, Default)]
pub struct Share {
    pool: Option<Arc<Pool>>,
    bytes: usize,
    /// Shares of other pools.
    other: Option<Box<Self>>,
}

impl Share {
    /// An empty share.
    pub const NONE: Self = Self {
        pool: None,
        bytes: 0,
        other: None,
    };

    fn of(pool: &Arc<Pool>, bytes: usize) -> Self {
        Self {
            pool: Some(Arc::clone(pool)),
            bytes,
            other: None,
        }
    }

    /// Its size in its first pool.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes more if it fits now; returns whether it did.
    pub fn try_grow(&mut self, bytes: usize) -> bool {
        let more = self.pool.as_ref().and_then(|it| Pool::try_take(it, bytes));
        more.is_some_and(|mut more| {
            self.bytes += std::mem::take(&mut more.bytes);
            true
        })
    }

    /// Takes more whether or not it fits, for memory that is already in use.
    pub fn grow(&mut self, bytes: usize) {
        if let Some(pool) = &self.pool {
            pool.state.lock().used_bytes += bytes;
            self.bytes += bytes;
            if pool.is_short() {
                pool.pressed.notify_waiters();
            }
        }
    }

    /// Lets others have large shares, although this one is kept: whoever has it waits for them now,
    /// or for something that may take any time. Until it is returned, its pool gives out no other
    /// large share.
    pub fn stand_aside(&self) {
        if let Some(pool) = &self.pool {
            let mut state = pool.state.lock();
            let without = state.used_bytes.saturating_sub(self.bytes);
            // It is the large one if the pool would have enough without it.
            let is_large = without <= pool.max_bytes && std::mem::take(&mut state.has_large);
            drop(state);
            if is_large {
                pool.large.leave();
            }
        }
        if let Some(other) = &self.other {
            other.stand_aside();
        }
    }

    /// Returns what exceeds this size.
    pub fn shrink_to(&mut self, bytes: usize) {
        drop(self.split_off(bytes));
    }

    /// Whether both belong to the same pool.
    pub fn is_of(&self, other: &Self) -> bool {
        let pool = |share: &Self| share.pool.as_ref().map(Arc::as_ptr);
        pool(self) == pool(other)
    }

    /// Adds a share. Operations on the sum affect the part in the first pool; the rest is returned
    /// together with it.
    pub fn merge(&mut self, mut added: Self) {
        if self.pool.is_none() {
            *self = added;
        } else if self.is_of(&added) {
            self.bytes += std::mem::take(&mut added.bytes);
        } else if added.bytes > 0 {
            let other = self.other.get_or_insert_default();
            other.merge(added);
        }
    }

    /// Splits off this many bytes, or all, as a share of its own.
    pub fn split(&mut self, bytes: usize) -> Self {
        self.split_off(self.bytes.saturating_sub(bytes))
    }

    /// Splits off what exceeds this size, as a share of its own.
    pub fn split_off(&mut self, bytes: usize) -> Self {
        let rest = self.bytes.saturating_sub(bytes);
        self.bytes -= rest;
        Self {
            pool: self.pool.clone(),
            bytes: rest,
            other: None,
        }
    }
}

/// Bytes that keep their share until the last reference to them is dropped.
pub fn charged(bytes: Bytes, share: Share) -> Bytes {
    struct Charged {
        bytes: Bytes,
        _share: Share,
    }
    impl AsRef<[u8]> for Charged {
        fn as_ref(&self) -> &[u8] {
            &self.bytes
        }
    }
    if share.bytes() == 0 {
        return bytes;
    }
    Bytes::from_owner(Charged {
        bytes,
        _share: share,
    })
}

impl Drop for Share {
    fn drop(&mut self) {
        if let Some(pool) = &self.pool
            && self.bytes > 0
        {
            Pool::give_back(pool, self.bytes);
        }
    }
}

#[cfg(test)]
mod tests;
