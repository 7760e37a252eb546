//! A store in memory.

mod letters;
mod rows;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use stele_toolkit_envelope::Timestamp;
use tokio::sync::Notify;

pub use self::letters::MemoryLetters;
pub(super) use self::rows::{MessageKey, Rows};
use super::{
    fault::{Crash, Fault, Faults},
    tx::Data,
    work::MemoryWork,
};
use crate::{
    Backlog, Begun, Burial, Claim, Clock, Due, DueQuery, Outgoing, Parking, Store, StoreError,
    Transport, Unclaimed,
};

/// A store in memory, with the semantics of a database: inbox, parked and dead messages, counts of
/// attempts, an outbox, and a service's own data. Clones are the same store.
#[derive(Clone, Debug)]
pub struct MemoryStore(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    clock: Arc<dyn Clock>,
    remember_for: Duration,
    is_away: AtomicBool,
    faults: Faults,
    /// Woken when a claim ends, or there is something to send.
    changed: Notify,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) data: Data,
    pub(super) handled: BTreeSet<MessageKey>,
    attempts: BTreeMap<MessageKey, u32>,
    /// Claimed in a unit of work that hasn't ended.
    pub(super) claimed: BTreeSet<MessageKey>,
    pub(super) rows: Rows,
    pub(super) outbox: VecDeque<(Timestamp, Outgoing)>,
    /// Messages that the broker refused for good.
    refused: Vec<Outgoing>,
    /// How often messages became due by other means than a service's calls.
    due_changes: u64,
}

impl MemoryStore {
    /// An empty store that lives by this clock, and remembers messages for 7 days.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);
        Self(Arc::new(Shared {
            state: Mutex::default(),
            clock,
            remember_for: WEEK,
            is_away: AtomicBool::new(false),
            faults: Faults::default(),
            changed: Notify::new(),
        }))
    }

    /// Makes it unreachable, or reachable again.
    pub fn set_away(&self, is_away: bool) {
        self.0.is_away.store(is_away, Ordering::Release);
    }

    /// Orders a crash for the next unit of work.
    pub fn crash(&self, point: Crash) {
        self.0.faults.order(Fault::Crash(point), 1);
    }

    /// Returns once a crash has struck here.
    pub async fn crashed(&self) {
        self.0.faults.crashed().await;
    }

    /// The text of a name in the service's own data.
    pub fn value(&self, name: &str) -> Option<String> {
        self.state().data.get(name).cloned()
    }

    /// How many messages are parked or dead.
    pub fn put_aside(&self) -> usize {
        self.state().rows.len()
    }

    /// How many messages are to be sent, those that are delayed included.
    pub fn unsent(&self) -> usize {
        self.state().outbox.len()
    }

    /// Messages that the broker refused for good, which are kept here.
    pub fn refused(&self) -> Vec<Outgoing> {
        self.state().refused.clone()
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn faults(&self) -> &Faults {
        &self.0.faults
    }

    pub(super) fn clock(&self) -> &Arc<dyn Clock> {
        &self.0.clock
    }

    pub(super) fn changed(&self) {
        self.0.changed.notify_waiters();
    }

    pub(super) fn due_has_changed(&self) {
        self.state().due_changes += 1;
        self.changed();
    }

    pub(super) fn reachable(&self) -> Result<(), StoreError> {
        match self.0.is_away.load(Ordering::Acquire) {
            true => Err(StoreError::Unavailable("the test has it away".into())),
            false => Ok(()),
        }
    }

    /// Claims a message as soon as nobody else has it.
    pub(super) async fn claim(&self, claim: &Claim<'_>) -> Result<Option<Unclaimed>, StoreError> {
        let key = MessageKey::of(claim);
        loop {
            let mut changed = pin!(self.0.changed.notified());
            changed.as_mut().enable();
            self.reachable()?;
            {
                let mut state = self.state();
                if let Some(unclaimed) = self.unclaimed(&state, claim, &key) {
                    return Ok(Some(unclaimed));
                }
                if state.claimed.insert(key.clone()) {
                    return Ok(None);
                }
            }
            changed.await;
        }
    }

    fn unclaimed(&self, state: &State, claim: &Claim<'_>, key: &MessageKey) -> Option<Unclaimed> {
        let is_old = claim.now.since(claim.timestamp) > self.0.remember_for;
        if is_old && !claim.is_parked {
            return Some(Unclaimed::TooOld);
        }
        if state.handled.contains(key) {
            return Some(Unclaimed::Duplicate);
        }
        if !claim.is_parked && state.rows.contains(key) {
            return Some(Unclaimed::Waiting);
        }
        let is_behind = state.rows.is_behind(claim, key);
        is_behind.then_some(Unclaimed::Behind)
    }

    /// The next messages to send, or when there are some.
    fn outbox(&self, now: Timestamp) -> Result<Vec<Outgoing>, Option<Timestamp>> {
        let state = self.state();
        let due = state.outbox.iter().filter(|(at, _)| *at <= now);
        let messages: Vec<Outgoing> = due.map(|(_, message)| message.clone()).collect();
        match messages.is_empty() {
            true => Err(state.outbox.iter().map(|(at, _)| *at).min()),
            false => Ok(messages),
        }
    }

    fn sent(&self, message: &Outgoing, is_refused: bool) {
        let mut state = self.state();
        let position = state.outbox.iter().position(|(_, it)| it == message);
        if let Some(position) = position {
            state.outbox.remove(position);
        }
        if is_refused {
            state.refused.push(message.clone());
        }
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn begin(&self, claim: &Claim<'_>) -> Result<Begun, StoreError> {
        Ok(match self.claim(claim).await? {
            Some(unclaimed) => Begun::Not(unclaimed),
            None => Begun::Work(Box::new(MemoryWork::new(self.clone(), claim))),
        })
    }

    async fn count_attempt(&self, claim: &Claim<'_>) -> Result<u32, StoreError> {
        self.reachable()?;
        let mut state = self.state();
        let count = state.attempts.entry(MessageKey::of(claim)).or_default();
        *count += 1;
        Ok(*count)
    }

    async fn park(&self, claim: &Claim<'_>, parking: &Parking<'_>) -> Result<(), StoreError> {
        self.reachable()?;
        self.state().rows.park(claim, parking);
        Ok(())
    }

    async fn due(&self, query: &DueQuery<'_>) -> Result<Due, StoreError> {
        self.reachable()?;
        Ok(self.state().rows.due(query))
    }

    async fn bury(&self, claim: &Claim<'_>, burial: &Burial<'_>) -> Result<(), StoreError> {
        self.reachable()?;
        let mut state = self.state();
        if state.rows.bury(claim, burial) {
            state.outbox.push_back((claim.now, burial.letter.clone()));
        }
        drop(state);
        self.changed();
        Ok(())
    }

    async fn backlog(&self, service: &str) -> Result<Option<Backlog>, StoreError> {
        self.reachable()?;
        Ok(Some(self.state().rows.backlog(service)))
    }

    fn is_durable(&self) -> bool {
        true
    }

    async fn due_changed(&self, seen: u64) -> u64 {
        loop {
            let mut changed = pin!(self.0.changed.notified());
            changed.as_mut().enable();
            let now = self.state().due_changes;
            if now != seen {
                return now;
            }
            changed.await;
        }
    }

    async fn relay(&self, transport: Arc<dyn Transport>) -> StoreError {
        loop {
            let mut changed = pin!(self.0.changed.notified());
            changed.as_mut().enable();
            let messages = match self.outbox(self.0.clock.now()) {
                Ok(messages) => messages,
                Err(None) => {
                    changed.await;
                    continue;
                }
                Err(Some(at)) => {
                    tokio::select! {
                        biased;
                        () = changed => {}
                        () = self.0.clock.sleep_until(at) => {}
                    }
                    continue;
                }
            };
            let results = transport.publish(&messages).await;
            let mut away = None;
            for (message, result) in messages.iter().zip(results) {
                match result {
                    Ok(()) => self.sent(message, false),
                    Err(error) if error.is_transient() => away = Some(error),
                    Err(_) => self.sent(message, true),
                }
            }
            if let Some(error) = away {
                return StoreError::Unavailable(Box::new(error));
            }
        }
    }
}
