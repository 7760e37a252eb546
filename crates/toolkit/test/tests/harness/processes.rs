//! Given the message that makes a process, when messages and time, then commands and events.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use stele_toolkit_envelope::Timestamp;
use stele_toolkit_saga::{
    DecideError, Decision, Entry, Happened, MessageTypes, Operator, Process, Status,
};
use stele_toolkit_test::{
    command, event,
    process::{Given, given, given_stored},
};

use crate::messages::{
    CancelOrder, ChargePayment, OrderConfirmed, OrderCreated, PaymentFailed, PaymentProcessed,
    RefundPayment,
};

const MINUTE: Duration = Duration::from_secs(60);

/// Charges up to twice, a minute apart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Dunning {
    order: String,
    attempts: u32,
}

impl Process for Dunning {
    const NAME: &'static str = "dunning";
    const VERSION: u32 = 1;

    fn messages(types: &mut MessageTypes) {
        let types = types.start::<OrderCreated>();
        types.take::<PaymentProcessed>().take::<PaymentFailed>();
    }

    fn decide(
        state: Option<Self>,
        happened: &Happened<'_>,
        now: Timestamp,
    ) -> Result<Decision<Self>, DecideError> {
        let Some(state) = state else {
            let Happened::Message(created) = happened else {
                return Ok(Decision::unchanged());
            };
            let order = created.open::<OrderCreated>()?.order;
            return Ok(Self { order, attempts: 0 }.charge());
        };
        Ok(match happened {
            Happened::Timer(_) => state.charge(),
            Happened::Operator(_) => {
                let why = "it goes on by itself".to_owned();
                return Err(DecideError::NotPossible { why });
            }
            Happened::Message(message) if message.is::<PaymentProcessed>() => {
                let confirmed = OrderConfirmed::of(&state.order);
                Decision::to(state).publish(&confirmed).done()
            }
            Happened::Message(_) if state.attempts < 2 => Decision::to(state)
                .timer("again", now + MINUTE)
                .alert("the payment was declined"),
            Happened::Message(_) => {
                let cancel = CancelOrder::of(&state.order);
                Decision::to(state).publish(&cancel).undone()
            }
        })
    }
}

impl Dunning {
    fn charge(mut self) -> Decision<Self> {
        self.attempts += 1;
        let command = ChargePayment::of(&self.order);
        Decision::to(self).send("charge", &command)
    }
}

fn charged() -> Given<Dunning> {
    given::<Dunning>(&OrderCreated::of("o-1")).then([command(&ChargePayment::of("o-1"))])
}

#[test]
fn a_process_goes_on_by_messages_and_ends() {
    let done = charged()
        .then_status(Status::Running)
        .when(&PaymentProcessed::of("o-1"))
        .then([event(&OrderConfirmed::of("o-1"))])
        .then_done();
    assert_eq!(done.history().last(), Some(&Entry::Ended { is_done: true }));
    // What comes afterwards is noted, and nothing more.
    let late = done.when(&PaymentFailed::of("o-1")).then_nothing();
    assert!(matches!(late.history().last(), Some(Entry::Late { .. })));
}

#[test]
fn timers_are_told_at_their_time() {
    let failed = charged().when(&PaymentFailed::of("o-1")).then_nothing();
    let failed = failed.then_stuck().then_timers([("again", MINUTE)]);
    assert_eq!(failed.alerts(), ["the payment was declined"]);
    let begun = failed.now();
    let early = failed.after(MINUTE - Duration::from_secs(1)).then_nothing();
    let again = early.after_deadline().then_types(["ChargePayment"]);
    assert_eq!(again.now().since(begun), MINUTE);
    assert_eq!(again.data().attempts, 2);
    again
        .then_timers([])
        .when(&PaymentFailed::of("o-1"))
        .then([event(&CancelOrder::of("o-1"))])
        .then_undone();
}

#[test]
fn an_operator_is_refused_by_the_process() {
    let charged = charged();
    let refusal = charged.refusal_of(Operator::Retry);
    assert_eq!(
        refusal.to_string(),
        "this can't be done: it goes on by itself"
    );
    // The instance is as it was.
    charged.when(&PaymentProcessed::of("o-1")).then_done();
}

#[test]
fn an_instance_is_read_as_it_was_stored() {
    let failed = charged().when(&PaymentFailed::of("o-1"));
    let read = given_stored::<Dunning>(&failed.stored(), failed.now());
    assert_eq!(read.data(), failed.data());
    read.after(MINUTE).then_types(["ChargePayment"]);
}

#[test]
#[should_panic = "the process \"dunning\" doesn't take RefundPayment"]
fn a_message_that_never_comes_is_a_mistake_of_the_test() {
    drop(charged().when(&RefundPayment::of("o-1")));
}

#[test]
#[should_panic = "other messages were sent"]
fn a_claim_about_messages_can_fail() {
    drop(charged().when(&PaymentProcessed::of("o-1")).then_nothing());
}

#[test]
#[should_panic = "it has other timers"]
fn a_claim_about_timers_can_fail() {
    drop(charged().then_timers([("again", MINUTE)]));
}

#[test]
#[should_panic = "nobody was told"]
fn a_claim_about_people_can_fail() {
    drop(charged().then_stuck());
}
