//! Sagas: given the start, when replies and time, then commands.
//!
//! The plan alone decides here: no database, no broker, and time is a number. See
//! [`given`] for what a test looks like.

use std::time::Duration;

use stele_toolkit_envelope::{Message, Timestamp};
use stele_toolkit_saga::{
    Action, Answered, DecideError, Entry, Input, Instance, Operator, Plan, Reply, Saga, SagaId,
    Status,
};

use crate::{
    Expected,
    course::{BEGIN, Course},
    difference::{Item, assert_same},
};

/// An instance of a saga, and what it has wanted to be sent since the last look at it.
#[derive(Debug)]
pub struct Given<S> {
    plan: Plan<S>,
    instance: Instance<S>,
    course: Course,
}

/// An instance that begins with this message, at the beginning of 2024.
///
/// ```
/// # use serde::{Deserialize, Serialize};
/// # use stele_toolkit_envelope::Message;
/// # use stele_toolkit_saga::{Plan, Saga};
/// # macro_rules! messages { ($($name:ident)*) => {$(
/// #     #[derive(Serialize, Deserialize, Message)]
/// #     #[message(version = "1.0", topic = "orders", key = order)]
/// #     struct $name { order: String }
/// #     #[allow(non_snake_case)]
/// #     fn $name(order: &str) -> $name { $name { order: order.to_owned() } }
/// # )*} }
/// # messages! { OrderCreated ReserveInventory InventoryReserved InventoryRejected ReleaseInventory
/// #     ChargePayment PaymentProcessed PaymentFailed OrderConfirmed CancelOrder }
/// # #[derive(Clone, Debug, Serialize, Deserialize)]
/// # struct PlaceOrder { order: String }
/// # impl Saga for PlaceOrder {
/// #     const NAME: &'static str = "place-order";
/// #     const VERSION: u32 = 1;
/// #     type Start = OrderCreated;
/// #     fn begin(start: &OrderCreated) -> Self { Self { order: start.order.clone() } }
/// #     fn plan(plan: &mut Plan<Self>) {
/// #         plan.step("reserve").send(|s: &Self| ReserveInventory(&s.order))
/// #             .ok::<InventoryReserved>().fail::<InventoryRejected>()
/// #             .undo(|s: &Self| ReleaseInventory(&s.order));
/// #         plan.step("charge").send(|s: &Self| ChargePayment(&s.order)).ok::<PaymentProcessed>()
/// #             .fail::<PaymentFailed>().pivot();
/// #         plan.done(|s| OrderConfirmed(&s.order)).undone(|s| CancelOrder(&s.order));
/// #     }
/// # }
/// use stele_toolkit_test::{command, event, saga};
///
/// saga::given::<PlaceOrder>(&OrderCreated("o-1"))
///     .then([command(&ReserveInventory("o-1"))])
///     .when(&InventoryReserved("o-1"))
///     .then([command(&ChargePayment("o-1"))])
///     .when(&PaymentFailed("o-1"))
///     .then([command(&ReleaseInventory("o-1")), event(&CancelOrder("o-1"))])
///     .then_undone();
/// ```
#[must_use]
#[track_caller]
pub fn given<S: Saga>(start: &S::Start) -> Given<S> {
    let plan = Plan::new();
    let id = SagaId("saga-1".to_owned());
    let (instance, effects) = decided(plan.start(id, start, BEGIN));
    let mut given = Given::new(plan, instance, BEGIN);
    given.course.note(effects);
    given
}

/// An instance as an older version of the program has stored it: [`Given::stored`] at that time.
#[must_use]
#[track_caller]
pub fn given_stored<S: Saga>(stored: &str, now: Timestamp) -> Given<S> {
    let instance = serde_json::from_str(stored).expect("an instance as it is stored");
    Given::new(Plan::new(), instance, now)
}

impl<S: Saga> Given<S> {
    fn new(plan: Plan<S>, instance: Instance<S>, now: Timestamp) -> Self {
        Self {
            plan,
            instance,
            course: Course::new(now),
        }
    }

    /// A message comes that may be a reply: for the step that waits for its type.
    #[track_caller]
    pub fn when<M: Message>(self, reply: &M) -> Self {
        self.reply(reply, Answered::Unsaid)
    }

    /// A reply comes to a command: to this attempt at doing a step, from 1. It may be late, or come
    /// twice.
    #[track_caller]
    pub fn when_reply_to<M: Message>(self, step: &str, attempt: u32, reply: &M) -> Self {
        let names = self.plan.step_names();
        let Some(step) = names.iter().position(|name| *name == step) else {
            panic!("the saga has the steps {names:?}, and not {step:?}");
        };
        let action = Action::Do;
        let to = Answered::Command {
            step,
            attempt,
            action,
        };
        self.reply(reply, to)
    }

    /// This much time passes: each deadline in it is told to the instance, at its time.
    #[track_caller]
    pub fn after(mut self, duration: Duration) -> Self {
        let until = self.now() + duration;
        while let Some(at) = self.instance.due_at().filter(|at| *at <= until) {
            self.course.set(at.max(self.now()));
            for input in self.instance.due(self.now()) {
                self.decide(input);
            }
        }
        self.course.set(until);
        self
    }

    /// Time passes until the next deadline.
    #[track_caller]
    pub fn after_deadline(self) -> Self {
        let Some(at) = self.instance.due_at() else {
            panic!("the saga waits for no time:\n{:#?}", self.instance.steps);
        };
        let wait = at.since(self.now());
        self.after(wait)
    }

    /// An operator intervenes.
    #[track_caller]
    pub fn when_operator(mut self, asks: Operator) -> Self {
        self.decide(Input::Operator(asks));
        self
    }

    /// Panics unless an operator's request is refused, and returns why.
    #[track_caller]
    pub fn refusal_of(&self, asks: Operator) -> DecideError {
        let input = Input::Operator(asks);
        match self.plan.decide(&self.instance, input, self.now()) {
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

    /// Panics unless all steps are done.
    #[track_caller]
    pub fn then_done(self) -> Self {
        self.then_status(Status::Done)
    }

    /// Panics unless what was done is undone.
    #[track_caller]
    pub fn then_undone(self) -> Self {
        self.then_status(Status::Undone)
    }

    /// Panics unless it has this status.
    #[track_caller]
    pub fn then_status(self, expected: Status) -> Self {
        let steps = self.instance.steps.iter().map(|step| {
            let (name, phase, attempt) = (&step.name, step.phase, step.attempt);
            Item::line(format!("step {name}: {phase:?}, attempt {attempt}"))
        });
        let (mut shown, mut got): (Vec<_>, Vec<_>) = steps.map(|it| (it.clone(), it)).unzip();
        shown.push(Item::line(format!("status {expected:?}")));
        got.push(Item::line(format!("status {:?}", self.instance.status)));
        assert_same("it has another status", &shown, &got);
        self
    }

    /// Panics unless a person was told that the instance doesn't get further.
    #[track_caller]
    pub fn then_stuck(self) -> Self {
        assert!(
            self.instance.is_stuck && !self.course.alerts().is_empty(),
            "nobody was told that it is stuck:\n{:#?}",
            self.instance.steps
        );
        self
    }

    /// The saga's data.
    pub fn data(&self) -> &S {
        &self.instance.data
    }

    /// The instance.
    pub fn instance(&self) -> &Instance<S> {
        &self.instance
    }

    /// The instance as it is stored: for the tests of later versions, by [`given_stored`].
    pub fn stored(&self) -> String {
        serde_json::to_string(&self.instance).expect("an instance that is JSON")
    }

    /// What has happened to the instance.
    pub fn history(&self) -> &[Entry] {
        self.course.history()
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        self.course.now()
    }

    #[track_caller]
    fn reply<M: Message>(mut self, reply: &M, to: Answered) -> Self {
        let envelope = self.course.envelope(&self.instance.id, reply);
        let envelope = &envelope;
        self.decide(Input::Reply(Reply { envelope, to }));
        self
    }

    #[track_caller]
    fn decide(&mut self, input: Input<'_>) {
        let turned = self.plan.decide(&self.instance, input, self.now());
        let (instance, effects) = decided(turned);
        self.instance = instance;
        self.course.note(effects);
    }
}

#[track_caller]
fn decided<T>(turned: Result<T, DecideError>) -> T {
    match turned {
        Ok(turned) => turned,
        Err(error) => panic!("the saga refuses: {error}"),
    }
}
