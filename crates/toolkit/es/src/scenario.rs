//! Tests in the form given, when, then: of aggregates here, of projections by [`projection`].
//!
//! ```no_run
//! # use stele_toolkit_es::Aggregate;
//! # fn example<A: Aggregate<Event: PartialEq + Clone, Error: PartialEq>>(
//! #     (opened, deposit): (A::Event, A::Command), (deposited, refused): (A::Event, A::Error),
//! # ) {
//! use stele_toolkit_es::scenario;
//!
//! scenario::given::<A>([opened.clone()]).when(&deposit).then([deposited]);
//! scenario::given::<A>([]).when(&deposit).then_error(refused);
//! # }
//! ```

use std::fmt::Debug;

use stele_toolkit_envelope::Timestamp;

use crate::Aggregate;

mod projection;

pub use projection::{GivenEvents, projection};

/// An aggregate to which something has happened.
#[derive(Debug)]
#[must_use = "it tests nothing without `when`"]
pub struct Given<A> {
    state: A,
    now: Timestamp,
}

/// What an aggregate made of a command.
#[derive(Debug)]
#[must_use = "it tests nothing without `then`"]
pub struct When<A: Aggregate> {
    state: A,
    decided: Result<Vec<A::Event>, A::Error>,
}

/// An aggregate to which these events have happened.
pub fn given<A: Aggregate>(events: impl IntoIterator<Item = A::Event>) -> Given<A> {
    let mut state = A::default();
    for event in events {
        state.evolve(&event);
    }
    Given {
        state,
        now: Timestamp::UNIX_EPOCH,
    }
}

impl<A: Aggregate> Given<A> {
    /// Sets the time of the command: 1970 unless something else is said.
    pub fn at(mut self, now: Timestamp) -> Self {
        self.now = now;
        self
    }

    /// Decides a command.
    pub fn when(self, command: &A::Command) -> When<A> {
        let decided = self.state.decide(command, self.now);
        When {
            state: self.state,
            decided,
        }
    }

    /// The state that the events gave.
    pub fn state(&self) -> &A {
        &self.state
    }
}

impl<A: Aggregate<Event: PartialEq>> When<A> {
    /// Panics unless exactly these events happened. Returns the state after them.
    #[track_caller]
    pub fn then(self, expected: impl IntoIterator<Item = A::Event>) -> A {
        let expected: Vec<A::Event> = expected.into_iter().collect();
        match self.decided {
            Ok(events) => assert_eq!(events, expected, "other events happened"),
            Err(error) => panic!("the command was refused: {error}"),
        }
        let mut state = self.state;
        for event in &expected {
            state.evolve(event);
        }
        state
    }
}

impl<A: Aggregate<Error: PartialEq>> When<A> {
    /// Panics unless the command was refused for this reason.
    #[track_caller]
    pub fn then_error(self, expected: A::Error) {
        match self.decided {
            Ok(events) => panic!("the command wasn't refused, but {events:?} happened"),
            Err(error) => assert_eq!(
                error, expected,
                "the command was refused for another reason"
            ),
        }
    }
}
