//! Shares that are larger than their pools.
//!
//! ```text
//!              ask, nobody has one ┌──────┐  its last one is returned,
//!  wait, in order ────────────────►│client│  or stands aside
//!                                  └┬────▲┘ ────────────────────────────► the next one
//!                    asks for more, │    │
//!                    of other pools └────┘
//! ```
//!
//! One client at a time has such shares, in order of arrival. It may have one of each pool, since
//! it needs some to go on and return the others: a produce request is received, opened and
//! appended. So whoever has one doesn't wait for another client that has one. For what it sends
//! next, however, it queues like all others. What others wait for ends by itself: it is work, or a
//! client that is given up if it doesn't read or send. Whoever may wait longer, or for those who
//! wait here, lets the next one go ahead ([`Share::stand_aside`]).
//!
//! A pool that has a large share in use grants no other share until that is returned, and one that
//! has more in use than its size for another reason grants no large one. Of a pool of work (data
//! that is opened or appended) a large share is granted alone: once it is somebody's turn, the pool
//! grants nothing until all is returned, which nothing holds up. Otherwise those who wait for a
//! large share don't hold up the shares that fit into its pool.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::{Asked, Pool, Share};

/// Who takes shares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ClientId(u64);

/// Who has large shares, and who waits for one.
#[derive(Debug, Default)]
pub(super) struct Large {
    state: Mutex<State>,
    next_client: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    /// Who has large shares, and how many.
    client: ClientId,
    count: usize,
    /// In order of arrival.
    waiting: VecDeque<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    pool: Arc<Pool>,
    bytes: usize,
    client: ClientId,
    granted: oneshot::Sender<Share>,
}

impl State {
    /// Whether a client may have a share of a pool. `is_next`: nobody whose pool allows it is
    /// before it in the queue.
    fn is_turn_of(&self, client: ClientId, pool: &Pool, is_next: bool) -> bool {
        match self.count {
            0 => is_next,
            _ => self.client == client && (is_next || !pool.is_first),
        }
    }

    /// Takes a share if its pool allows it. `drains`: otherwise, a pool of work is to grant nothing
    /// until it does.
    fn enter(
        &mut self,
        pool: &Arc<Pool>,
        bytes: usize,
        client: ClientId,
        drains: bool,
    ) -> Option<Share> {
        let mut state = pool.state.lock();
        if state.used_bytes > pool.max_bytes {
            return None;
        }
        if pool.is_work && state.used_bytes > 0 {
            state.drains |= drains;
            return None;
        }
        state.drains = false;
        state.used_bytes += bytes;
        state.has_large = true;
        drop(state);
        self.client = client;
        self.count += 1;
        Some(Share::of(pool, bytes))
    }

    /// Takes a share back that was granted to somebody who has gone. Dropping it would ask for the
    /// locks that are held.
    fn take_back(&mut self, mut unwanted: Share) {
        if let Some(pool) = &unwanted.pool {
            let mut state = pool.state.lock();
            state.used_bytes -= std::mem::take(&mut unwanted.bytes);
            state.has_large = false;
            drop(state);
            self.count -= 1;
        }
    }

    fn grant(&mut self) {
        // Whose turn it was may have changed.
        for Waiting { pool, .. } in &self.waiting {
            pool.state.lock().drains = false;
        }
        let mut left = VecDeque::new();
        let mut is_next = true;
        for waiting in std::mem::take(&mut self.waiting) {
            if waiting.granted.is_closed() {
                continue;
            }
            let Waiting { pool, client, .. } = &waiting;
            let is_turn = self.is_turn_of(*client, pool, is_next);
            let share = is_turn.then(|| self.enter(pool, waiting.bytes, *client, true));
            match share.flatten() {
                Some(share) => {
                    if let Err(unwanted) = waiting.granted.send(share) {
                        self.take_back(unwanted);
                    }
                }
                None => {
                    is_next &= pool.is_over();
                    left.push_back(waiting);
                }
            }
        }
        for Waiting { pool, .. } in &left {
            Pool::give_back(pool, 0);
        }
        self.waiting = left;
    }
}

impl Large {
    pub(super) fn new_client(&self) -> ClientId {
        ClientId(self.next_client.fetch_add(1, Relaxed))
    }

    /// Takes a share if nobody else has a large one or waits for one.
    pub(super) fn try_take(pool: &Arc<Pool>, bytes: usize, client: ClientId) -> Option<Share> {
        let mut state = pool.large.state.lock();
        let waiting = state.waiting.iter();
        let mut waiting = waiting.filter(|it| !it.granted.is_closed());
        let is_next = waiting.all(|it| it.pool.is_over());
        let is_turn = state.is_turn_of(client, pool, is_next);
        let share = is_turn.then(|| state.enter(pool, bytes, client, false));
        share.flatten()
    }

    /// Returns a share, or a place in the queue for it.
    pub(super) fn ask(
        pool: &Arc<Pool>,
        bytes: usize,
        client: ClientId,
    ) -> Result<Share, Asked<'_>> {
        if let Some(share) = Self::try_take(pool, bytes, client) {
            return Ok(share);
        }
        let (granted, answer) = oneshot::channel();
        let mut state = pool.large.state.lock();
        state.waiting.push_back(Waiting {
            pool: Arc::clone(pool),
            bytes,
            client,
            granted,
        });
        // Shares may have been returned in between.
        state.grant();
        let is_large = true;
        Err(Asked {
            pool,
            is_large,
            answer,
        })
    }

    /// Notes that a large share has been returned.
    pub(super) fn leave(&self) {
        let mut state = self.state.lock();
        state.count -= 1;
        state.grant();
    }

    /// Grants the waiting shares that may be granted now.
    pub(super) fn grant(&self) {
        self.state.lock().grant();
    }

    /// How many wait for a large share of a pool.
    pub(super) fn waiting_for(&self, pool: &Arc<Pool>) -> usize {
        let state = self.state.lock();
        let waiting = state.waiting.iter();
        waiting.filter(|it| Arc::ptr_eq(&it.pool, pool)).count()
    }
}
