//! The account of the memory that clients make the process hold.
//!
//! What a client sends or asks for takes its share of a pool before it takes its bytes, and gives
//! it back with them. There is a pool for each [`Kind`] of use, each with its part of the ceiling,
//! so that one kind can't starve another.
//!
//! Invariants
//! - A share is granted where it fits, or where its pool is empty: what is larger than all of the
//!   pool gets through alone.
//! - Who waits comes first: a share that would fit isn't given past one that waits.
//! - Nobody waits for a pool while holding a share of it: that is how users of an account stop each
//!   other for good. [`Memory::try_take`] is for who holds some, and [`Memory::note`] for what is
//!   there before its size is known.
//! - Who keeps others waiting is given less time than else ([`Memory::pressed`]).

use std::{collections::VecDeque, fmt, sync::Arc};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::{Notify, oneshot};

/// What memory is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Requests that are being received or worked on.
    Requests,
    /// The rest of requests that came while there was no room for them, one after the other.
    LateRequests,
    /// Requests of clients who haven't said who they are, where they have to.
    UnknownClients,
    /// The batches of Kafka's and SQS's clients on their way to a shard.
    Appends,
    /// What AMQP's clients publish, until it is in its queues' journals.
    Publishes,
    /// Compressed batches that have been opened.
    Opened,
    /// Records on their way to clients.
    Responses,
    /// The same, of clients who take little.
    SmallResponses,
}

/// Kinds with their names in metrics, what they are for, and their parts of the ceiling in percent.
/// A third of it is left for what is not for clients to decide: state, caches, blocks that are
/// being written, and what the allocator keeps.
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

/// A response up to this size is small: many clients who ask for much don't keep it waiting.
const SMALL_RESPONSE_BYTES_MAX: usize = 64 * 1024;

/// The parts of what is free that one response may take. So there is always some left for the next
/// one, and each of many gets less.
const PARTS_OF_FREE: usize = 8;

/// The account. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Memory {
    pools: Arc<[Arc<Pool>; KINDS.len()]>,
}

/// How much of a pool is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Use {
    /// The pool's name in metrics.
    pub kind: &'static str,
    /// Bytes that are taken.
    pub used_bytes: usize,
    /// Bytes that may be.
    pub max_bytes: usize,
    /// How many wait for some.
    pub waiting: usize,
}

impl Memory {
    /// An account of so much memory for all kinds together.
    pub fn new(ceiling_bytes: usize) -> Self {
        let pool = |(kind, _, percent): (Kind, _, usize)| {
            debug_assert_eq!(
                KINDS[kind as usize].0, kind,
                "kinds are listed in their order"
            );
            Arc::new(Pool {
                max_bytes: ceiling_bytes / 100 * percent,
                state: Mutex::default(),
                pressed: Notify::new(),
            })
        };
        Self {
            pools: Arc::new(KINDS.map(pool)),
        }
    }

    /// Takes a share, and waits for it. Cancelling loses nothing.
    pub async fn take(&self, kind: Kind, bytes: usize) -> Share {
        let pool = self.pool(kind);
        let mut asked = match Pool::ask(pool, bytes) {
            Ok(share) => return share,
            Err(asked) => asked,
        };
        pool.pressed.notify_waiters();
        // The pool is held here, so that it doesn't go and leave the question unanswered.
        (&mut asked.answer).await.unwrap_or_default()
    }

    /// Takes a share, where there is room at once.
    pub fn try_take(&self, kind: Kind, bytes: usize) -> Option<Share> {
        Pool::try_take(self.pool(kind), bytes)
    }

    /// Takes a share though there may be no room: what it stands for is there already.
    pub fn note(&self, kind: Kind, bytes: usize) -> Share {
        let mut share = Share::of(self.pool(kind), 0);
        share.grow(bytes);
        share
    }

    /// Returns once memory of this kind is short: somebody waits for some, or more is in use than
    /// should be.
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

    /// The kind that a response of this size belongs to.
    pub fn kind_of_response(bytes: usize) -> Kind {
        match bytes {
            0..=SMALL_RESPONSE_BYTES_MAX => Kind::SmallResponses,
            _ => Kind::Responses,
        }
    }

    /// How large a response may be that would fill all the room there is for one: a small one may
    /// be in any case.
    pub fn response_bytes_max(&self) -> usize {
        let free = self.pool(Kind::Responses).free_bytes();
        (free / PARTS_OF_FREE).max(SMALL_RESPONSE_BYTES_MAX)
    }

    /// Whether memory of this kind is short.
    pub fn is_short(&self, kind: Kind) -> bool {
        self.pool(kind).is_short()
    }

    /// How much there is of a kind.
    pub fn max_bytes(&self, kind: Kind) -> usize {
        self.pool(kind).max_bytes
    }

    /// How much is in use, kind by kind.
    pub fn uses(&self) -> impl Iterator<Item = Use> + '_ {
        KINDS.iter().zip(&*self.pools).map(|((_, name, _), pool)| {
            let state = pool.state.lock();
            Use {
                kind: name,
                used_bytes: state.used_bytes,
                max_bytes: pool.max_bytes,
                waiting: state.waiting.len(),
            }
        })
    }

    fn pool(&self, kind: Kind) -> &Arc<Pool> {
        &self.pools[kind as usize]
    }
}

/// The memory of one kind.
struct Pool {
    max_bytes: usize,
    state: Mutex<State>,
    /// Told when it has become short.
    pressed: Notify,
}

#[derive(Default)]
struct State {
    used_bytes: usize,
    /// First come first.
    waiting: VecDeque<Waiting>,
}

struct Waiting {
    bytes: usize,
    granted: oneshot::Sender<Share>,
}

impl State {
    fn fits(&self, bytes: usize, max_bytes: usize) -> bool {
        self.used_bytes == 0 || self.used_bytes.saturating_add(bytes) <= max_bytes
    }

    /// Whether somebody waits who hasn't given up.
    fn has_waiting(&self) -> bool {
        self.waiting.iter().any(|it| !it.granted.is_closed())
    }
}

impl Pool {
    fn is_short(&self) -> bool {
        let state = self.state.lock();
        state.used_bytes > self.max_bytes || state.has_waiting()
    }

    fn free_bytes(&self) -> usize {
        let state = self.state.lock();
        match state.has_waiting() {
            true => 0,
            false => self.max_bytes.saturating_sub(state.used_bytes),
        }
    }

    fn try_take(pool: &Arc<Self>, bytes: usize) -> Option<Share> {
        let mut state = pool.state.lock();
        (!state.has_waiting() && state.fits(bytes, pool.max_bytes)).then(|| {
            state.used_bytes += bytes;
            Share::of(pool, bytes)
        })
    }

    /// A share, or where it will be granted.
    fn ask(pool: &Arc<Self>, bytes: usize) -> Result<Share, Asked<'_>> {
        if let Some(share) = Self::try_take(pool, bytes) {
            return Ok(share);
        }
        let (granted, answer) = oneshot::channel();
        pool.state
            .lock()
            .waiting
            .push_back(Waiting { bytes, granted });
        // Some may have been given back in between.
        Self::give_back(pool, 0);
        Err(Asked { pool, answer })
    }

    /// Takes bytes back, and grants what fits now.
    fn give_back(pool: &Arc<Self>, bytes: usize) {
        let mut state = pool.state.lock();
        state.used_bytes -= bytes;
        while let Some(first) = state.waiting.front()
            && (first.granted.is_closed() || state.fits(first.bytes, pool.max_bytes))
        {
            let Some(Waiting { bytes, granted }) = state.waiting.pop_front() else {
                break;
            };
            state.used_bytes += bytes;
            if let Err(mut unwanted) = granted.send(Share::of(pool, bytes)) {
                // Who waited has gone. Dropping the share would ask for the lock that is held.
                state.used_bytes -= std::mem::take(&mut unwanted.bytes);
            }
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
    answer: oneshot::Receiver<Share>,
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        self.answer.close();
        // Who waited behind this one may get theirs now.
        Pool::give_back(self.pool, 0);
    }
}

/// Memory that is taken, given back when this is dropped.
#[derive(Debug, Default)]
pub struct Share {
    pool: Option<Arc<Pool>>,
    bytes: usize,
    /// Of another pool.
    other: Option<Box<Self>>,
}

impl Share {
    /// Of nothing.
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

    /// How much it is, of its first pool.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes more where there is room at once; says whether it did.
    pub fn try_grow(&mut self, bytes: usize) -> bool {
        let more = self.pool.as_ref().and_then(|it| Pool::try_take(it, bytes));
        more.is_some_and(|mut more| {
            self.bytes += std::mem::take(&mut more.bytes);
            true
        })
    }

    /// Takes more though there may be no room: what it stands for is there already.
    pub fn grow(&mut self, bytes: usize) {
        if let Some(pool) = &self.pool {
            pool.state.lock().used_bytes += bytes;
            self.bytes += bytes;
            if pool.is_short() {
                pool.pressed.notify_waiters();
            }
        }
    }

    /// Gives back what is beyond so many bytes.
    pub fn shrink_to(&mut self, bytes: usize) {
        drop(self.split_off(bytes));
    }

    /// Whether both are of one pool.
    pub fn is_of(&self, other: &Self) -> bool {
        let pool = |share: &Self| share.pool.as_ref().map(Arc::as_ptr);
        pool(self) == pool(other)
    }

    /// Adds a share. What is done with the sum is done with the part of the first pool; the rest is
    /// given back with it.
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

    /// So many bytes of it, or all, as a share of its own.
    pub fn split(&mut self, bytes: usize) -> Self {
        self.split_off(self.bytes.saturating_sub(bytes))
    }

    /// What is beyond so many bytes, as a share of its own.
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

/// Bytes that keep their share for as long as any part of them is kept.
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
