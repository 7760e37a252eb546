//! A circuit breaker: after many failures in a short time, nothing is tried for a while.
//!
//! ```text
//!            failures within a time                probe time is over
//!  Closed ───────────────────────────► Open ───────────────────────────► Half-open
//!    ▲                                  ▲                                 │     │
//!    │                                  └──── the probe failed ───────────┘     │
//!    └────────────────────────────────── the probe succeeded ───────────────────┘
//! ```
//!
//! It is a value without a clock: each call is told the time. A service asks it before it starts a
//! message; while it says no, the subscription is paused and no attempt is counted.

use std::{collections::VecDeque, time::Duration};

use stele_toolkit_envelope::Timestamp;

/// A circuit breaker.
#[derive(Clone, Debug)]
pub struct Breaker {
    failures_max: usize,
    within: Duration,
    probe_every: Duration,
    state: State,
}

#[derive(Clone, Debug)]
enum State {
    /// The times of the last failures, the oldest first: fewer than `failures_max`.
    Closed(VecDeque<Timestamp>),
    Open {
        probe_at: Timestamp,
    },
    HalfOpen,
}

/// What a breaker says to a message that is to start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    /// It may. The turn has to be ended by [`Breaker::end`].
    Go(Turn),
    /// It may not, until this time at least.
    WaitUntil(Timestamp),
    /// It may not until the probe, which is on its way, has ended.
    WaitForProbe,
}

/// A message's permission to start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    is_probe: bool,
}

/// How a turn ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TurnEnd {
    /// What the handler uses is there.
    Succeeded,
    /// The handler failed in a way that may be due to what it uses.
    Failed,
    /// The handler didn't run, or wasn't waited for.
    Abandoned,
}

/// A breaker's state, for metrics and people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakerState {
    /// Everything passes.
    Closed,
    /// One message passes, to see.
    HalfOpen,
    /// Nothing passes.
    Open,
}

impl Breaker {
    /// A breaker that opens after so many failures (at least one) within 10 s, and then lets a
    /// message through every 5 s.
    pub fn open_after(failures: usize) -> Self {
        Self {
            failures_max: failures.max(1),
            within: Duration::from_secs(10),
            probe_every: Duration::from_secs(5),
            state: State::Closed(VecDeque::new()),
        }
    }

    /// Failures count together if they are within this time.
    #[must_use]
    pub fn within(mut self, time: Duration) -> Self {
        self.within = time;
        self
    }

    /// How long it stays open before it lets a message through.
    #[must_use]
    pub fn probe_every(mut self, time: Duration) -> Self {
        self.probe_every = time;
        self
    }

    /// Asks whether a message may start. When the time of an open breaker is over, the first that
    /// asks is the probe.
    pub fn pass(&mut self, now: Timestamp) -> Pass {
        match self.state {
            State::Closed(_) => Pass::Go(Turn { is_probe: false }),
            State::Open { probe_at } if now < probe_at => Pass::WaitUntil(probe_at),
            State::Open { .. } => {
                self.state = State::HalfOpen;
                Pass::Go(Turn { is_probe: true })
            }
            State::HalfOpen => Pass::WaitForProbe,
        }
    }

    /// Tells how a turn ended. Turns that began before the breaker opened change nothing once it
    /// is open: they say nothing about the time since.
    pub fn end(&mut self, turn: Turn, end: TurnEnd, now: Timestamp) {
        match (&mut self.state, end) {
            (State::Closed(failures), TurnEnd::Failed) => {
                failures.push_back(now);
                let within = self.within;
                failures.retain(|at| now.since(*at) <= within);
                if failures.len() >= self.failures_max {
                    self.open(now + self.probe_every);
                }
            }
            (State::HalfOpen, TurnEnd::Succeeded) if turn.is_probe => {
                self.state = State::Closed(VecDeque::new());
            }
            (State::HalfOpen, TurnEnd::Failed) if turn.is_probe => {
                self.open(now + self.probe_every);
            }
            (State::HalfOpen, TurnEnd::Abandoned) if turn.is_probe => self.open(now),
            (State::Closed(_) | State::Open { .. } | State::HalfOpen, _) => {}
        }
    }

    /// Its state.
    pub fn state(&self) -> BreakerState {
        match self.state {
            State::Closed(_) => BreakerState::Closed,
            State::Open { .. } => BreakerState::Open,
            State::HalfOpen => BreakerState::HalfOpen,
        }
    }

    /// When a message may be the probe; `None` unless the breaker is open.
    pub fn probe_at(&self) -> Option<Timestamp> {
        match self.state {
            State::Open { probe_at } => Some(probe_at),
            State::Closed(_) | State::HalfOpen => None,
        }
    }

    fn open(&mut self, probe_at: Timestamp) {
        self.state = State::Open { probe_at };
    }
}

#[cfg(test)]
mod tests;
