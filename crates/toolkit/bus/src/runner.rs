//! A running service: one loop that takes messages and starts tasks, which it owns.
//!
//! ```text
//!  broker ── next ──┐                  ┌─ start ─► task: one message of a lane, or a batch ─┐
//!                   ├─► lanes, batches ┤                                                   │
//!  store ─── due ───┘                  └──────────────────── done ◄────────────────────────┘
//! ```
//!
//! While the breaker is open, or what the service itself needs is away, nothing is started and
//! nothing is taken.

mod attempt;
mod batches;
pub(crate) mod core;
mod handle;
mod history;
pub(crate) mod item;
mod lanes;
mod settle;

pub(crate) use batches::BatchSize;
pub(crate) use history::Histories;

use std::{sync::Arc, time::Duration};

use stele_toolkit_envelope::Timestamp;
use tokio::task::{AbortHandle, JoinError, JoinSet};

use self::{
    batches::{Batches, handle_batch},
    core::{Core, Outage},
    handle::{Done, handle},
    item::Item,
    lanes::Lanes,
};
use crate::{
    Breaker, Companion, Concurrency, Deliveries, Due, DueQuery, KeyOrder, Pass, Place,
    Subscription, TransportError, Turn, TurnEnd,
};

/// What a loop is made of.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) core: Arc<Core>,
    pub(crate) deliveries: Box<dyn Deliveries>,
    pub(crate) breaker: Option<Breaker>,
    pub(crate) batch_size: BatchSize,
    pub(crate) subscription: Subscription,
    /// How often to ask the broker what waits.
    pub(crate) depth_every: Option<Duration>,
    /// What runs beside the handlers, and where.
    pub(crate) companions: Vec<Arc<dyn Companion>>,
    pub(crate) place: Arc<Place>,
}

/// The loop.
pub(crate) struct Runner {
    core: Arc<Core>,
    deliveries: Box<dyn Deliveries>,
    breaker: Option<Breaker>,
    lanes: Lanes,
    batches: Batches,
    tasks: JoinSet<Finished>,
    /// The task that asks for due messages.
    asking: Option<AbortHandle>,
    /// When to ask for due messages; `None` if the store has none, or isn't durable.
    due_at: Option<Timestamp>,
    /// What [`crate::Store::due_changed`] said last.
    due_seen: u64,
    held_max: usize,
    is_paused: bool,
    subscription: Subscription,
    depth_every: Option<Duration>,
    companions: Vec<Arc<dyn Companion>>,
    place: Arc<Place>,
    /// The tasks of the companions.
    beside: JoinSet<()>,
}

/// What a task comes back with.
enum Finished {
    Lane {
        lane: usize,
        key: String,
        turn: Option<Turn>,
        done: Done,
    },
    Batch {
        handler: String,
        turn: Option<Turn>,
        done: Done,
    },
    /// Messages of a key were given back behind one that was.
    GaveBack {
        lane: usize,
    },
    Due(Option<Due>),
}

impl Runner {
    pub(crate) fn new(parts: Parts) -> Self {
        let core = parts.core;
        let due_at = core.store.is_durable().then(|| core.clock.now());
        Self {
            deliveries: parts.deliveries,
            breaker: parts.breaker,
            lanes: Lanes::new(core.policy.concurrency),
            batches: Batches::new(parts.batch_size),
            tasks: JoinSet::new(),
            asking: None,
            due_at,
            due_seen: 0,
            held_max: usize::try_from(parts.subscription.prefetch).unwrap_or(usize::MAX),
            is_paused: false,
            subscription: parts.subscription,
            depth_every: parts.depth_every,
            companions: parts.companions,
            place: parts.place,
            beside: JoinSet::new(),
            core,
        }
    }

    /// Runs until the service stops or its subscription ends, and leaves in good order.
    pub(crate) async fn run(mut self) -> Result<(), TransportError> {
        let relaying = tokio::spawn(relay(Arc::clone(&self.core)));
        let relaying = AbortOnDrop(relaying.abort_handle());
        let watching = self.depth_every.map(|every| {
            let watching = watch_depth(Arc::clone(&self.core), self.subscription.clone(), every);
            AbortOnDrop(tokio::spawn(watching).abort_handle())
        });
        for companion in self.companions.drain(..) {
            let place = Arc::clone(&self.place);
            self.beside
                .spawn(async move { companion.run(&place).await });
        }
        let mut stopping = self.core.stopping.clone();
        loop {
            self.start();
            let held = i64::try_from(self.held()).unwrap_or(i64::MAX);
            self.core.held.set(held);
            // What is held bounds itself: nothing is asked for. A pause for each message that is
            // one too many would cost the broker a consumer each time.
            let may_start = self.may_start();
            self.set_flow(may_start);
            let takes = may_start && self.held() < self.held_max;
            let wake_at = self.wake_at();
            tokio::select! {
                biased;
                _ = stopping.wait_for(|is_stopping| *is_stopping) => break,
                Some(finished) = self.tasks.join_next() => self.finish(finished),
                Some(ended) = self.beside.join_next() => resume_panic(ended),
                () = self.core.wake.notified() => {}
                () = sleep_until(&self.core, wake_at) => {}
                seen = self.core.store.due_changed(self.due_seen) => {
                    self.due_seen = seen;
                    self.due_at = Some(self.core.clock.now());
                }
                next = self.deliveries.next(), if takes => match next {
                    Some(delivery) => {
                        let item = Item::of(&self.core, delivery);
                        self.take(item);
                    }
                    None => break,
                },
            }
        }
        drop((relaying, watching));
        self.leave().await
    }

    /// Finishes what has begun, and leaves the rest to others.
    async fn leave(mut self) -> Result<(), TransportError> {
        if let Some(asking) = self.asking.take() {
            asking.abort();
        }
        drop((self.lanes, self.batches));
        while self.tasks.join_next().await.is_some() {}
        if !*self.core.stopping.borrow() {
            // The subscription ended by itself: nobody tells them.
            self.beside.abort_all();
        }
        while self.beside.join_next().await.is_some() {}
        self.deliveries.drain().await
    }

    fn held(&self) -> usize {
        self.lanes.held() + self.batches.held()
    }

    /// Whether a message that is ready may start.
    fn may_start(&self) -> bool {
        let breaker = self.breaker.as_ref().map(|it| (it.state(), it.probe_at()));
        let passes = match breaker {
            None | Some((crate::BreakerState::Closed, _)) => true,
            Some((crate::BreakerState::Open, at)) => at <= Some(self.core.clock.now()),
            Some((crate::BreakerState::HalfOpen, _)) => false,
        };
        passes && !self.core.has_outage()
    }

    /// When something is to be done although nothing has happened.
    fn wake_at(&self) -> Option<Timestamp> {
        if self.core.has_outage() {
            return None;
        }
        let probe_at = self.breaker.as_ref().and_then(Breaker::probe_at);
        if probe_at.is_some() || !self.may_start() {
            return probe_at.filter(|at| *at > self.core.clock.now());
        }
        let can_ask = self.asking.is_none() && self.held() < self.held_max;
        let due_at = self.due_at.filter(|_| can_ask);
        due_at.into_iter().chain(self.batches.ready_at()).min()
    }

    fn set_flow(&mut self, may_start: bool) {
        match (may_start, self.is_paused) {
            (true, true) => self.deliveries.resume(),
            (false, false) => self.deliveries.pause(),
            _ => return,
        }
        self.is_paused = !may_start;
    }

    fn take(&mut self, item: Box<Item>) {
        match &item.entry {
            Ok(entry) if entry.is_batch => {
                let entry = Arc::clone(entry);
                self.batches.push(entry, item, self.core.clock.now());
            }
            _ => self.lanes.push(item),
        }
    }

    /// Starts all that may start.
    fn start(&mut self) {
        while self.may_start() && self.lanes.has_next() {
            let Some(turn) = self.turn() else { break };
            let Some((lane, item)) = self.lanes.start() else {
                break;
            };
            let core = Arc::clone(&self.core);
            self.tasks.spawn(async move {
                let key = item.key().to_owned();
                let done = handle(core, item).await;
                Finished::Lane {
                    lane,
                    key,
                    turn,
                    done,
                }
            });
        }
        while self.may_start() && self.batches.ready_at() <= Some(self.core.clock.now()) {
            let Some((handler, entry, items)) = self.batches.start(self.core.clock.now()) else {
                break;
            };
            let turn = self.turn().flatten();
            let core = Arc::clone(&self.core);
            self.tasks.spawn(async move {
                let done = handle_batch(core, entry, items).await;
                Finished::Batch {
                    handler,
                    turn,
                    done,
                }
            });
        }
        self.ask();
    }

    /// A turn of the breaker: `None` if it doesn't let anything pass.
    #[expect(clippy::option_option, reason = "without a breaker there are no turns")]
    fn turn(&mut self) -> Option<Option<Turn>> {
        let Some(breaker) = &mut self.breaker else {
            return Some(None);
        };
        let pass = breaker.pass(self.core.clock.now());
        self.core
            .metrics
            .breaker(&self.core.service, breaker.state());
        match pass {
            Pass::Go(turn) => Some(Some(turn)),
            Pass::WaitUntil(_) | Pass::WaitForProbe => None,
        }
    }

    /// Asks the store for due messages, if it is time.
    fn ask(&mut self) {
        let now = self.core.clock.now();
        let is_time = self.due_at.is_some_and(|at| at <= now);
        let room = self.held_max.saturating_sub(self.held());
        if !is_time || room == 0 || self.asking.is_some() || !self.may_start() {
            return;
        }
        self.due_at = None;
        let core = Arc::clone(&self.core);
        let asking = self
            .tasks
            .spawn(async move { Finished::Due(due(&core, room).await) });
        self.asking = Some(asking);
    }

    fn finish(&mut self, finished: Result<Finished, JoinError>) {
        match finished {
            Ok(Finished::Lane {
                lane,
                key,
                turn,
                done,
            }) => {
                self.end(turn, &done);
                match done.given_back {
                    Some(after) => self.give_back(lane, &key, after),
                    None => self.lanes.finish(lane),
                }
            }
            Ok(Finished::Batch {
                handler,
                turn,
                done,
            }) => {
                self.end(turn, &done);
                self.batches.finish(&handler);
            }
            Ok(Finished::GaveBack { lane }) => self.lanes.finish(lane),
            Ok(Finished::Due(due)) => self.take_due(due),
            // The toolkit's own code panicked: its message is lost to this process, and comes again
            // from the broker once the subscription is made anew.
            Err(error) => resume_panic(Err(error)),
        }
    }

    fn end(&mut self, turn: Option<Turn>, done: &Done) {
        if let (Some(breaker), Some(turn)) = (&mut self.breaker, turn) {
            let end = done.end.unwrap_or(TurnEnd::Abandoned);
            breaker.end(turn, end, self.core.clock.now());
            self.core
                .metrics
                .breaker(&self.core.service, breaker.state());
        }
        if self.core.store.is_durable() {
            self.due_at = self.due_at.into_iter().chain(done.due).min();
        }
    }

    /// Gives back the messages behind one that was given back, so that none overtakes it.
    fn give_back(&mut self, lane: usize, key: &str, after: Duration) {
        let behind = self.lanes.take_key(key);
        let core = Arc::clone(&self.core);
        self.tasks.spawn(async move {
            for item in behind {
                settle::keep(&core, item, after).await;
            }
            Finished::GaveBack { lane }
        });
    }

    fn take_due(&mut self, due: Option<Due>) {
        self.asking = None;
        let Some(due) = due else { return };
        let now = self.core.clock.now();
        let polls = self.core.store.poll_every().map(|every| now + every);
        let next = due.next.into_iter().chain(polls).chain(self.due_at).min();
        self.due_at = next;
        for parked in due.messages {
            let item = Item::of_parked(&self.core, parked);
            self.take(item);
        }
    }
}

/// Ends the service as the panic of a task of its own would.
fn resume_panic(ended: Result<(), JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        std::panic::resume_unwind(error.into_panic());
    }
}

/// Due messages; `None` if the service stops first.
async fn due(core: &Core, count_max: usize) -> Option<Due> {
    // A handler that takes as long as it may is done before the lease is, and so is its settling.
    let lease = core.policy.timeout.saturating_mul(2) + Duration::from_secs(30);
    let mut outage = Outage::none(core);
    loop {
        let query = DueQuery {
            service: &core.service,
            now: core.clock.now(),
            lease,
            count_max,
        };
        match core.store.due(&query).await {
            Ok(due) => return Some(due),
            Err(error) => {
                if !outage.wait("asking for due messages", &error).await {
                    return None;
                }
            }
        }
    }
}

/// Has the store send what was committed, for as long as it is polled.
async fn relay(core: Arc<Core>) {
    const AGAIN: Duration = Duration::from_secs(1);
    loop {
        let error = core.store.relay(Arc::clone(&core.transport)).await;
        tracing::warn!(
            service = core.service,
            "sending committed messages: {error}"
        );
        core.clock.sleep(AGAIN).await;
    }
}

/// Asks the broker and the store again and again what waits, for the metrics.
async fn watch_depth(core: Arc<Core>, subscription: Subscription, every: Duration) {
    let (service, is_log) = (&core.service, core.caps.replay);
    loop {
        match core.transport.depth(&subscription).await {
            Ok(depths) => core.metrics.depth(service, &depths, is_log),
            Err(error) => tracing::debug!(service, "asking what waits: {error}"),
        }
        match core.store.backlog(service).await {
            Ok(Some(backlog)) => core.metrics.backlog(service, backlog),
            Ok(None) => {}
            Err(error) => tracing::debug!(service, "asking what is put aside: {error}"),
        }
        core.clock.sleep(every).await;
    }
}

async fn sleep_until(core: &Core, at: Option<Timestamp>) {
    match at {
        Some(at) => core.clock.sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// Ends a task when it is dropped.
struct AbortOnDrop(AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// How many messages a service holds at most, if nothing else is said: enough that no lane runs
/// dry while the next message is fetched.
pub(crate) fn prefetch(concurrency: Concurrency) -> usize {
    const PER_LANE: usize = 4;
    let lanes = concurrency.lanes();
    match concurrency.order() {
        KeyOrder::Strict => lanes * PER_LANE,
        KeyOrder::Relaxed => lanes * 2,
    }
}
