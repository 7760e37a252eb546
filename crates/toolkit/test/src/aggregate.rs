//! Aggregates: given events, when a command, then events or a refusal.
//!
//! ```
//! # use stele_toolkit_es::Aggregate;
//! # use stele_toolkit_envelope::{Message, Timestamp};
//! # use serde::{Deserialize, Serialize};
//! # #[derive(Debug, Serialize, Deserialize, Message)]
//! # #[message(version = "1.0", topic = "account.events")]
//! # struct Deposited { cents: i64 }
//! # #[derive(Debug, PartialEq, thiserror::Error)]
//! # #[error("the balance would be over 100")]
//! # struct Full;
//! # #[derive(Debug, Default)]
//! # struct Account { balance: i64 }
//! # impl Aggregate for Account {
//! #     const NAME: &'static str = "Account";
//! #     type Command = i64;
//! #     type Event = Deposited;
//! #     type Error = Full;
//! #     fn decide(&self, cents: &i64, _: Timestamp) -> Result<Vec<Deposited>, Full> {
//! #         if self.balance + cents > 100 { return Err(Full) }
//! #         Ok(vec![Deposited { cents: *cents }])
//! #     }
//! #     fn evolve(&mut self, event: &Deposited) { self.balance += event.cents; }
//! # }
//! use stele_toolkit_test::aggregate::given;
//!
//! given::<Account>([Deposited { cents: 50 }])
//!     .when(&40)
//!     .then([Deposited { cents: 40 }])
//!     .when(&20)
//!     .then_error(Full);
//! ```

use std::fmt::Debug;

use stele_toolkit_envelope::{Context, Envelope, RawJson, Timestamp, Version};
use stele_toolkit_es::{Aggregate, AggregateEvent};

use crate::{
    difference::{Item, assert_same},
    message::item,
};

/// An aggregate to which something has happened.
#[derive(Debug)]
pub struct Given<A> {
    state: A,
    now: Timestamp,
}

/// What an aggregate made of a command.
#[derive(Debug)]
#[must_use = "it tests nothing without `then`"]
pub struct When<A: Aggregate> {
    state: A,
    now: Timestamp,
    decided: Result<Vec<A::Event>, A::Error>,
}

/// An aggregate to which these events have happened.
#[must_use = "it tests nothing without `when`"]
pub fn given<A: Aggregate>(events: impl IntoIterator<Item = A::Event>) -> Given<A> {
    let given = Given {
        state: A::default(),
        now: Timestamp::UNIX_EPOCH,
    };
    events.into_iter().fold(given, Given::and)
}

impl<A: Aggregate> Given<A> {
    /// Sets the time of the commands that follow: 1970 unless something else is said.
    pub fn at(mut self, now: Timestamp) -> Self {
        self.now = now;
        self
    }

    /// This event has happened, too.
    pub fn and(mut self, event: A::Event) -> Self {
        self.state.evolve(&event);
        self
    }

    /// This event has happened, too, as it was stored by an older version of the program, in JSON:
    /// it goes through the upcasts of its type.
    #[track_caller]
    pub fn and_stored(self, message_type: &str, version: Version, data: &str) -> Self {
        let data = RawJson::parse(data).expect("data that is JSON");
        let context = Context::new("test");
        let stored = Envelope::with_data(message_type, version, data, self.now, &context);
        match A::Event::open(&stored) {
            Ok(event) => self.and(event),
            Err(error) => panic!("the stored event can't be read: {error}"),
        }
    }

    /// Decides a command.
    pub fn when(self, command: &A::Command) -> When<A> {
        let decided = self.state.decide(command, self.now);
        let Self { state, now } = self;
        When {
            state,
            now,
            decided,
        }
    }

    /// The state that the events gave.
    pub fn state(&self) -> &A {
        &self.state
    }
}

impl<A: Aggregate + Debug> Given<A> {
    /// Panics unless the state is this one.
    #[track_caller]
    pub fn then_state(self, expected: &A) -> Self
    where
        A: PartialEq,
    {
        if self.state != *expected {
            let (expected, got) = (Item::debug(expected), Item::debug(&self.state));
            assert_same("the state is another one", &[expected], &[got]);
        }
        self
    }
}

impl<A: Aggregate> When<A> {
    /// Panics unless exactly these events happened. Goes on with the state after them.
    #[track_caller]
    pub fn then(self, expected: impl IntoIterator<Item = A::Event>) -> Given<A> {
        let expected: Vec<A::Event> = expected.into_iter().collect();
        match &self.decided {
            Ok(events) => assert_same("other events happened", &items(&expected), &items(events)),
            Err(error) => {
                let refusal = [Item::line(format!("refused: {error}"))];
                assert_same("the command was refused", &items(&expected), &refusal);
            }
        }
        let given = Given {
            state: self.state,
            now: self.now,
        };
        expected.into_iter().fold(given, Given::and)
    }

    /// Panics unless nothing happened, and nothing was refused.
    #[track_caller]
    pub fn then_nothing(self) -> Given<A> {
        self.then([])
    }

    /// Panics unless the command was refused for this reason. Goes on with the state as it was.
    #[track_caller]
    pub fn then_error(self, expected: A::Error) -> Given<A>
    where
        A::Error: PartialEq,
    {
        match &self.decided {
            Ok(events) => {
                let refusal = [Item::line(format!("refused: {expected}"))];
                assert_same("the command wasn't refused", &refusal, &items(events));
            }
            Err(error) if *error != expected => {
                let (expected, got) = (Item::debug(&expected), Item::debug(error));
                assert_same(
                    "the command was refused for another reason",
                    &[expected],
                    &[got],
                );
            }
            Err(_) => {}
        }
        Given {
            state: self.state,
            now: self.now,
        }
    }
}

/// Events as they are stored: those are the same whose type, version and data are.
fn items<E: AggregateEvent>(events: &[E]) -> Vec<Item> {
    let context = Context::new("test");
    let shown = |event: &E| {
        let stored = event.wrap(&context).expect("an event that is JSON");
        let Envelope {
            message_type,
            version,
            data,
            ..
        } = stored;
        item("event", &message_type, version, &data)
    };
    events.iter().map(shown).collect()
}
