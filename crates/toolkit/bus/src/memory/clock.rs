//! Virtual time.

use std::{
    collections::BTreeMap,
    fmt,
    future::Future,
    pin::{Pin, pin},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    task::{Context, Poll, Waker},
    time::Duration,
};

use async_trait::async_trait;
use stele_toolkit_envelope::Timestamp;
use tokio::{
    runtime,
    sync::Notify,
    task::{self, AbortHandle},
};

use crate::Clock;

/// A clock that stands still until it is moved, or until nothing else can happen.
///
/// It moves only when no task of the runtime can run and nothing is in flight outside of it, and
/// then exactly to the next timer. That nothing can run is known, not guessed: the clock waits for
/// a timer of tokio's own paused time, and tokio fires that only when all tasks wait.
///
/// Clones are the same clock. It pauses tokio's time for the whole runtime, which has to be one of
/// the current thread, as that of `#[tokio::test]` is.
#[derive(Clone)]
pub struct VirtualClock(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    /// Woken when there is a new timer, or less is in flight.
    changed: Notify,
    driver: Mutex<Option<AbortHandle>>,
    /// Weak, since what is outside lives by this clock.
    outside: Mutex<Vec<Weak<dyn Outside>>>,
}

/// Something outside the runtime that tasks may wait for, and that says whether it works for one:
/// a database with threads of its own.
pub trait Outside: Send + Sync + 'static {
    /// Whether it works, so that time mustn't pass. Asked again and again until it doesn't.
    fn is_busy(&self, clock: &VirtualClock) -> bool;
}

struct State {
    now: Timestamp,
    /// By time, then by the order in which they were set.
    timers: BTreeMap<(Timestamp, u64), Timer>,
    next_timer: u64,
    in_flight: usize,
}

struct Timer {
    waker: Waker,
    /// The task that waits.
    task: Option<task::Id>,
}

impl VirtualClock {
    /// A clock that shows the beginning of 2024, and moves when it is told to.
    ///
    /// # Panics
    ///
    /// If the runtime isn't one of the current thread, or something else has paused its time.
    pub fn new() -> Self {
        const JANUARY_2024: Timestamp = Timestamp::from_micros(1_704_067_200_000_000);
        pause();
        Self(Arc::new(Shared {
            state: Mutex::new(State {
                now: JANUARY_2024,
                timers: BTreeMap::new(),
                next_timer: 0,
                in_flight: 0,
            }),
            changed: Notify::new(),
            driver: Mutex::new(None),
            outside: Mutex::new(Vec::new()),
        }))
    }

    /// A clock that moves by itself whenever nothing else can happen.
    ///
    /// # Panics
    ///
    /// As [`VirtualClock::new`].
    pub fn automatic() -> Self {
        let clock = Self::new();
        // Weak, so that the driver ends with the last clock.
        let shared = Arc::downgrade(&clock.0);
        let driver = tokio::spawn(async move {
            loop {
                settle().await;
                let Some(shared) = shared.upgrade() else {
                    return;
                };
                let clock = Self(shared);
                if clock.is_busy() {
                    clock.until_not_busy().await;
                    continue;
                }
                let mut changed = pin!(clock.0.changed.notified());
                changed.as_mut().enable();
                if !clock.fire_next(None) {
                    changed.await;
                }
            }
        });
        *clock
            .0
            .driver
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(driver.abort_handle());
        clock
    }

    /// Has everything run that can, without time passing.
    pub async fn settle(&self) {
        loop {
            settle().await;
            let mut changed = pin!(self.0.changed.notified());
            changed.as_mut().enable();
            if self.state().in_flight > 0 {
                changed.await;
            } else if self.is_busy() {
                self.until_not_busy().await;
            } else {
                return;
            }
        }
    }

    /// Has everything run that can, and then lets time pass to the next timer. `false` if there is
    /// none.
    pub async fn step(&self) -> bool {
        self.settle().await;
        self.fire_next(None)
    }

    /// Lets time pass until nothing can run and nobody waits for a time.
    pub async fn run_to_idle(&self) {
        while self.step().await {}
    }

    /// Lets this much time pass.
    pub async fn advance(&self, duration: Duration) {
        let until = self.now() + duration;
        loop {
            self.settle().await;
            if !self.fire_next(Some(until)) {
                break;
            }
        }
        let mut state = self.state();
        state.now = state.now.max(until);
    }

    /// Something begins outside the runtime, such as a call of a database in a thread of its own:
    /// time doesn't pass until what this returns is dropped.
    pub fn in_flight(&self) -> InFlight {
        self.state().in_flight += 1;
        InFlight(self.clone())
    }

    /// From now on time doesn't pass while this is busy, for as long as the caller keeps it.
    ///
    /// Nor does tokio's, by whose timers waiting for a connection of a pool is given up.
    pub fn watch(&self, outside: Arc<dyn Outside>) {
        let mut all = self.outside();
        all.push(Arc::downgrade(&outside));
        if all.len() > 1 {
            return;
        }
        let shared = Arc::downgrade(&self.0);
        tokio::spawn(async move {
            loop {
                settle().await;
                let Some(shared) = shared.upgrade() else {
                    return;
                };
                Self(shared).until_not_busy().await;
            }
        });
    }

    /// How many timers a task waits for.
    pub fn timers_of(&self, task: task::Id) -> usize {
        let state = self.state();
        let timers = state.timers.values();
        timers.filter(|timer| timer.task == Some(task)).count()
    }

    /// How many wait for a time.
    pub fn timers(&self) -> usize {
        self.state().timers.len()
    }

    /// Moves to the next timer, unless it is later than `until`. `false` if there is none.
    fn fire_next(&self, until: Option<Timestamp>) -> bool {
        let mut state = self.state();
        if state.in_flight > 0 {
            return false;
        }
        let Some((&(at, _), _)) = state.timers.first_key_value() else {
            return false;
        };
        if until.is_some_and(|until| at > until) {
            return false;
        }
        state.now = state.now.max(at);
        let Some((_, timer)) = state.timers.pop_first() else {
            return false;
        };
        drop(state);
        timer.waker.wake();
        true
    }

    fn is_busy(&self) -> bool {
        let outside: Vec<Arc<dyn Outside>> =
            self.outside().iter().filter_map(Weak::upgrade).collect();
        outside.iter().any(|it| it.is_busy(self))
    }

    /// Yields as long as something outside works: a task that can run keeps tokio's time, too, from
    /// passing. What works gets the processor, if there is none left for it.
    async fn until_not_busy(&self) {
        while self.is_busy() {
            std::thread::yield_now();
            task::yield_now().await;
        }
    }

    fn outside(&self) -> MutexGuard<'_, Vec<Weak<dyn Outside>>> {
        let outside = self.0.outside.lock();
        outside.unwrap_or_else(PoisonError::into_inner)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A runtime whose time a clock has paused, until it ends: its id may be another one's then.
struct Paused(runtime::Id);

static PAUSED: Mutex<Vec<runtime::Id>> = Mutex::new(Vec::new());

/// Pauses tokio's time, unless another clock of this runtime has done so.
fn pause() {
    let id = runtime::Handle::current().id();
    let mut paused = PAUSED.lock().unwrap_or_else(PoisonError::into_inner);
    if paused.contains(&id) {
        return;
    }
    tokio::time::pause();
    paused.push(id);
    let paused = Paused(id);
    // Dropped with the runtime.
    tokio::spawn(async move {
        let _paused = paused;
        std::future::pending::<()>().await;
    });
}

impl Drop for Paused {
    fn drop(&mut self) {
        let mut paused = PAUSED.lock().unwrap_or_else(PoisonError::into_inner);
        paused.retain(|id| *id != self.0);
    }
}

/// Returns when no other task can run.
async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

impl Default for VirtualClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let driver = self
            .driver
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(driver) = driver.take() {
            driver.abort();
        }
    }
}

impl fmt::Debug for VirtualClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VirtualClock({})", self.now())
    }
}

#[async_trait]
impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        self.state().now
    }

    async fn sleep_until(&self, at: Timestamp) {
        let clock = self.clone();
        Sleep {
            clock,
            at,
            timer: None,
        }
        .await;
    }
}

/// Something in flight outside the runtime: see [`VirtualClock::in_flight`].
#[derive(Debug)]
pub struct InFlight(VirtualClock);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.state().in_flight -= 1;
        self.0.0.changed.notify_waiters();
    }
}

/// Waits for a time. Its timer is there from the first poll until it fires or is dropped.
struct Sleep {
    clock: VirtualClock,
    at: Timestamp,
    timer: Option<u64>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let clock = self.clock.clone();
        let mut state = clock.state();
        if state.now >= self.at {
            return Poll::Ready(());
        }
        let timer = *self.timer.get_or_insert(state.next_timer);
        state.next_timer = state.next_timer.max(timer + 1);
        let waiting = Timer {
            waker: context.waker().clone(),
            task: task::try_id(),
        };
        state.timers.insert((self.at, timer), waiting);
        drop(state);
        clock.0.changed.notify_waiters();
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(timer) = self.timer {
            self.clock.state().timers.remove(&(self.at, timer));
        }
    }
}

#[cfg(test)]
mod tests;
