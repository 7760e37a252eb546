//! A store that counts attempts, and has faults on order.

use std::{
    collections::{BTreeMap, VecDeque},
    error::Error,
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use async_trait::async_trait;
use stele_toolkit_bus::{
    Backlog, Begun, Burial, Claim, Due, DueQuery, Extensions, FailureClass, Outgoing, Parking,
    Store, StoreError, Transport, Unclaimed, Work, memory::Crash,
};
use tokio::sync::Notify;

/// What a harness knows and decides of its stores.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// How often each message was claimed, by service and message id.
    attempts: Mutex<BTreeMap<(String, String), usize>>,
    crashes: Mutex<VecDeque<Crash>>,
    pub(super) crashed: Notify,
    is_away: AtomicBool,
    away: Notify,
}

impl Watch {
    pub(super) fn attempts(&self, service: &str, message_id: &str) -> usize {
        let key = (service.to_owned(), message_id.to_owned());
        locked(&self.attempts).get(&key).copied().unwrap_or(0)
    }

    pub(super) fn order(&self, crash: Crash) {
        locked(&self.crashes).push_back(crash);
    }

    pub(super) fn set_away(&self, is_away: bool) {
        self.is_away.store(is_away, Ordering::Release);
        self.away.notify_waiters();
    }

    fn claimed(&self, claim: &Claim<'_>) {
        let key = (claim.service.to_owned(), claim.message_id.to_owned());
        *locked(&self.attempts).entry(key).or_default() += 1;
    }

    /// Takes a crash, if it was ordered: the caller must not go on then.
    pub(super) fn strikes(&self, point: Crash) -> bool {
        let mut ordered = locked(&self.crashes);
        match ordered.iter().position(|crash| *crash == point) {
            Some(index) => {
                ordered.remove(index);
                self.crashed.notify_one();
                true
            }
            None => false,
        }
    }

    pub(super) fn is_away(&self) -> bool {
        self.is_away.load(Ordering::Acquire)
    }

    fn reachable(&self) -> Result<(), StoreError> {
        match self.is_away() {
            true => Err(away()),
            false => Ok(()),
        }
    }

    /// Returns once the store is away.
    async fn until_away(&self) {
        loop {
            let mut changed = pin!(self.away.notified());
            changed.as_mut().enable();
            if self.reachable().is_err() {
                return;
            }
            changed.await;
        }
    }
}

fn away() -> StoreError {
    StoreError::Unavailable("the test has it away".into())
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A store under a watch.
#[derive(Debug)]
pub(super) struct Watched<S> {
    pub(super) inner: S,
    pub(super) watch: Arc<Watch>,
}

#[async_trait]
impl<S: Store> Store for Watched<S> {
    async fn begin(&self, claim: &Claim<'_>) -> Result<Begun, StoreError> {
        self.watch.reachable()?;
        Ok(match self.inner.begin(claim).await? {
            Begun::Work(inner) => {
                self.watch.claimed(claim);
                let watch = Arc::clone(&self.watch);
                Begun::Work(Box::new(WatchedWork { inner, watch }))
            }
            not => not,
        })
    }

    async fn count_attempt(&self, claim: &Claim<'_>) -> Result<u32, StoreError> {
        self.watch.reachable()?;
        self.inner.count_attempt(claim).await
    }

    async fn park(&self, claim: &Claim<'_>, parking: &Parking<'_>) -> Result<(), StoreError> {
        self.watch.reachable()?;
        self.inner.park(claim, parking).await
    }

    async fn due(&self, query: &DueQuery<'_>) -> Result<Due, StoreError> {
        self.watch.reachable()?;
        self.inner.due(query).await
    }

    async fn bury(&self, claim: &Claim<'_>, burial: &Burial<'_>) -> Result<(), StoreError> {
        self.watch.reachable()?;
        self.inner.bury(claim, burial).await
    }

    fn is_durable(&self) -> bool {
        self.inner.is_durable()
    }

    fn class_of(&self, error: &(dyn Error + 'static)) -> Option<FailureClass> {
        self.inner.class_of(error)
    }

    async fn due_changed(&self, seen: u64) -> u64 {
        self.inner.due_changed(seen).await
    }

    fn poll_every(&self) -> Option<std::time::Duration> {
        self.inner.poll_every()
    }

    fn lend(&self, slot: &mut Extensions) {
        self.inner.lend(slot);
    }

    async fn backlog(&self, service: &str) -> Result<Option<Backlog>, StoreError> {
        self.watch.reachable()?;
        self.inner.backlog(service).await
    }

    async fn relay(&self, transport: Arc<dyn Transport>) -> StoreError {
        tokio::select! {
            biased;
            () = self.watch.until_away() => away(),
            error = self.inner.relay(transport) => error,
        }
    }
}

#[derive(Debug)]
struct WatchedWork {
    inner: Box<dyn Work>,
    watch: Arc<Watch>,
}

#[async_trait]
impl Work for WatchedWork {
    async fn join(&mut self, claim: &Claim<'_>) -> Result<Option<Unclaimed>, StoreError> {
        let unclaimed = self.inner.join(claim).await?;
        if unclaimed.is_none() {
            self.watch.claimed(claim);
        }
        Ok(unclaimed)
    }

    fn lend(&mut self, slot: &mut Extensions) {
        self.inner.lend(slot);
    }

    fn take_back(&mut self, slot: &mut Extensions) -> Result<(), StoreError> {
        self.inner.take_back(slot)
    }

    async fn send(&mut self, messages: Vec<Outgoing>) -> Result<(), StoreError> {
        self.watch.reachable()?;
        self.inner.send(messages).await
    }

    async fn commit(self: Box<Self>) -> Result<(), StoreError> {
        let Self { mut inner, watch } = *self;
        if watch.strikes(Crash::BeforeCommit) {
            // Its transaction is lent to nobody: what stands still isn't at work.
            let mut lent = Extensions::new();
            inner.lend(&mut lent);
            std::future::pending::<()>().await;
        }
        watch.reachable()?;
        inner.commit().await?;
        if watch.strikes(Crash::AfterCommit) {
            std::future::pending::<()>().await;
        }
        Ok(())
    }

    async fn rollback(self: Box<Self>) -> Result<(), StoreError> {
        self.inner.rollback().await
    }
}
