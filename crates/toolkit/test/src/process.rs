//! Processes: given the message that makes one, when messages and time, then commands and events.
//!
//! [`Process::decide`] alone decides here: no database, no broker, and time is a number. See
//! [`given`] for what a test looks like.

use std::time::Duration;

use stele_toolkit_envelope::{Message, Timestamp};
use stele_toolkit_saga::{
    DecideError, Effect, Entry, Happened, MessageTypes, Operator, Process, ProcessInstance, SagaId,
    Status,
};

use crate::{
    Expected,
    course::{BEGIN, Course},
    difference::{Item, assert_same},
};

/// An instance of a process, and what it has wanted to be sent since the last look at it.
#[derive(Debug)]
pub struct Given<P> {
    instance: ProcessInstance<P>,
    types: MessageTypes,
    course: Course,
}

/// An instance that this message makes, at the beginning of 2024.
///
/// # Panics
///
/// If the process doesn't begin with messages of this type.
///
/// ```
/// # use std::time::Duration;
/// # use serde::{Deserialize, Serialize};
/// # use stele_toolkit_envelope::{Message, Timestamp};
/// # use stele_toolkit_saga::{DecideError, Decision, Happened, MessageTypes, Process};
/// # macro_rules! messages { ($($name:ident)*) => {$(
/// #     #[derive(Serialize, Deserialize, Message)]
/// #     #[message(version = "1.0", topic = "orders", key = order)]
/// #     struct $name { order: String }
/// #     #[allow(non_snake_case)]
/// #     fn $name(order: &str) -> $name { $name { order: order.to_owned() } }
/// # )*} }
/// # messages! { OrderCreated OrderPaid SendReminder OrderCancelled }
/// #[derive(Clone, Serialize, Deserialize)]
/// struct Reminding { order: String, reminded: bool }
///
/// impl Process for Reminding {
///     const NAME: &'static str = "reminding";
///     const VERSION: u32 = 1;
///
///     fn messages(types: &mut MessageTypes) {
///         types.start::<OrderCreated>().take::<OrderPaid>();
///     }
///
///     fn decide(
///         state: Option<Self>,
///         happened: &Happened<'_>,
///         now: Timestamp,
///     ) -> Result<Decision<Self>, DecideError> {
///         let day = Duration::from_secs(24 * 3600);
///         Ok(match (state, happened) {
///             (None, Happened::Message(created)) => {
///                 let order = created.open::<OrderCreated>()?.order;
///                 Decision::to(Self { order, reminded: false }).timer("unpaid", now + day)
///             }
///             (Some(state), Happened::Message(_)) => Decision::to(state).done(),
///             (Some(state), Happened::Timer(_)) if state.reminded => {
///                 let cancelled = OrderCancelled(&state.order);
///                 Decision::to(state).publish(&cancelled).undone()
///             }
///             (Some(state), Happened::Timer(_)) => {
///                 let reminder = SendReminder(&state.order);
///                 Decision::to(Self { reminded: true, ..state })
///                     .send("remind", &reminder)
///                     .timer("unpaid", now + day)
///             }
///             _ => Decision::unchanged(),
///         })
///     }
/// }
///
/// use stele_toolkit_test::{command, event, process};
///
/// let reminded = || process::given::<Reminding>(&OrderCreated("o-1"))
///     .then_nothing()
///     .after_deadline()
///     .then([command(&SendReminder("o-1"))]);
/// reminded().when(&OrderPaid("o-1")).then_nothing().then_done();
/// reminded().after_deadline().then([event(&OrderCancelled("o-1"))]).then_undone();
/// ```
#[must_use]
#[track_caller]
pub fn given<P: Process>(start: &impl Message) -> Given<P> {
    let (id, course) = (SagaId("process-1".to_owned()), Course::new(BEGIN));
    let envelope = course.envelope(&id, start);
    let types = MessageTypes::of::<P>();
    assert!(
        types.starts_with(&envelope),
        "the process {:?} doesn't begin with {}",
        P::NAME,
        envelope.message_type
    );
    let (instance, effects) = decided(ProcessInstance::start(id, &envelope, BEGIN));
    let mut given = Given {
        instance,
        types,
        course,
    };
    given.course.note(effects);
    given
}

/// An instance as an older version of the program has stored it: [`Given::stored`] at that time.
#[must_use]
#[track_caller]
pub fn given_stored<P: Process>(stored: &str, now: Timestamp) -> Given<P> {
    Given {
        instance: serde_json::from_str(stored).expect("an instance as it is stored"),
        types: MessageTypes::of::<P>(),
        course: Course::new(now),
    }
}

impl<P: Process> Given<P> {
    /// A message comes to the instance.
    ///
    /// # Panics
    ///
    /// If the process doesn't take messages of this type.
    #[track_caller]
    pub fn when<M: Message>(mut self, message: &M) -> Self {
        let envelope = self.course.envelope(self.instance.id(), message);
        assert!(
            self.types.takes(&envelope),
            "the process {:?} doesn't take {}",
            P::NAME,
            envelope.message_type
        );
        self.happens(&Happened::Message(&envelope));
        self
    }

    /// This much time passes: each timer in it is told to the instance, at its time.
    #[track_caller]
    pub fn after(mut self, duration: Duration) -> Self {
        let until = self.now() + duration;
        while let Some(at) = self.instance.due_at().filter(|at| *at <= until) {
            self.course.set(at.max(self.now()));
            let effects = decided(self.instance.due(self.now()));
            self.course.note(effects);
        }
        self.course.set(until);
        self
    }

    /// Time passes until the next timer is due.
    #[track_caller]
    pub fn after_deadline(self) -> Self {
        let Some(at) = self.instance.due_at() else {
            panic!("the process has no timer");
        };
        let wait = at.since(self.now());
        self.after(wait)
    }

    /// An operator intervenes.
    #[track_caller]
    pub fn when_operator(mut self, asks: Operator) -> Self {
        self.happens(&Happened::Operator(asks));
        self
    }

    /// Panics unless an operator's request is refused, and returns why.
    #[track_caller]
    pub fn refusal_of(&self, asks: Operator) -> DecideError {
        let mut instance = self.instance.clone();
        match instance.happened(&Happened::Operator(asks), self.now()) {
            Ok(_) => panic!("{asks:?} isn't refused"),
            Err(refusal) => refusal,
        }
    }

    /// Panics unless exactly these messages were to be sent since the last look, in this order.
    #[track_caller]
    pub fn then(mut self, expected: impl IntoIterator<Item = Expected>) -> Self {
        self.course.then(expected);
        self
    }

    /// Panics unless messages of these types were to be sent since the last look, in this order.
    #[track_caller]
    pub fn then_types<'a>(mut self, expected: impl IntoIterator<Item = &'a str>) -> Self {
        self.course.then_types(expected);
        self
    }

    /// Panics if anything was to be sent since the last look.
    #[track_caller]
    pub fn then_nothing(self) -> Self {
        self.then([])
    }

    /// Panics unless it has ended, and what it was for is done.
    #[track_caller]
    pub fn then_done(self) -> Self {
        self.then_status(Status::Done)
    }

    /// Panics unless it has ended, and what was done is undone.
    #[track_caller]
    pub fn then_undone(self) -> Self {
        self.then_status(Status::Undone)
    }

    /// Panics unless it has this status.
    #[track_caller]
    pub fn then_status(self, expected: Status) -> Self {
        let status = |status: Status| [Item::line(format!("status {status:?}"))];
        let got = status(self.instance.status());
        assert_same("it has another status", &status(expected), &got);
        self
    }

    /// Panics unless a person was told that the instance doesn't get further.
    #[track_caller]
    pub fn then_stuck(self) -> Self {
        assert!(self.instance.is_stuck(), "nobody was told that it is stuck");
        self
    }

    /// Panics unless its timers have these names and are due in these times from now.
    #[track_caller]
    pub fn then_timers<'a>(self, expected: impl IntoIterator<Item = (&'a str, Duration)>) -> Self {
        let line = |(name, wait): (&str, Duration)| Item::line(format!("{name} in {wait:?}"));
        let expected: Vec<Item> = expected.into_iter().map(line).collect();
        let timers = self.instance.timers().iter();
        let got: Vec<Item> = timers
            .map(|(name, at)| line((name, at.since(self.now()))))
            .collect();
        assert_same("it has other timers", &expected, &got);
        self
    }

    /// The process's state.
    pub fn data(&self) -> &P {
        self.instance.data()
    }

    /// The instance as it is stored: for the tests of later versions, by [`given_stored`].
    pub fn stored(&self) -> String {
        serde_json::to_string(&self.instance).expect("an instance that is JSON")
    }

    /// What has happened to the instance.
    pub fn history(&self) -> &[Entry] {
        self.course.history()
    }

    /// What people were told.
    pub fn alerts(&self) -> &[String] {
        self.course.alerts()
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        self.course.now()
    }

    #[track_caller]
    fn happens(&mut self, happened: &Happened<'_>) {
        let effects: Vec<Effect> = decided(self.instance.happened(happened, self.course.now()));
        self.course.note(effects);
    }
}

#[track_caller]
fn decided<T>(turned: Result<T, DecideError>) -> T {
    match turned {
        Ok(turned) => turned,
        Err(error) => panic!("the process refuses: {error}"),
    }
}
