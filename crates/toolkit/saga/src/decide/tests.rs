use std::time::Duration;

use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use stele_toolkit_envelope::{Context, Envelope, Message};

use super::*;

macro_rules! messages {
    ($($name:ident $topic:literal)*) => {$(
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Message)]
        #[message(version = "1.0", topic = $topic, key = order)]
        struct $name {
            order: String,
        }
    )*};
}

messages! {
    OrderCreated "order.created"
    OrderConfirmed "order.updated"
    OrderCancelled "order.updated"
    ReserveInventory "inventory.commands"
    ReleaseInventory "inventory.commands"
    InventoryReserved "inventory.reserved"
    InventoryRejected "inventory.rejected"
    InventoryReleased "inventory.released"
    ChargePayment "payment.commands"
    RefundPayment "payment.commands"
    PaymentProcessed "payment.processed"
    PaymentFailed "payment.failed"
    ScheduleShipping "shipping.commands"
    ShippingScheduled "shipping.scheduled"
    ShippingRefused "shipping.refused"
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct PlaceOrder {
    order: String,
}

fn of<M: From<String>>(saga: &PlaceOrder) -> M {
    M::from(saga.order.clone())
}

macro_rules! from_order {
    ($($name:ident)*) => {$(
        impl From<String> for $name {
            fn from(order: String) -> Self {
                Self { order }
            }
        }
    )*};
}

from_order! {
    OrderConfirmed OrderCancelled ReserveInventory ReleaseInventory ChargePayment RefundPayment
    ScheduleShipping
}

const CHARGE_TIMEOUT: Duration = Duration::from_secs(30);

impl Saga for PlaceOrder {
    const NAME: &'static str = "place-order";
    const VERSION: u32 = 1;
    type Start = OrderCreated;

    fn begin(start: &OrderCreated) -> Self {
        Self {
            order: start.order.clone(),
        }
    }

    fn plan(plan: &mut Plan<Self>) {
        plan.step("reserve")
            .send(of::<ReserveInventory>)
            .ok::<InventoryReserved>()
            .fail::<InventoryRejected>()
            .undo(of::<ReleaseInventory>)
            .undone::<InventoryReleased>();
        plan.step("charge")
            .send(of::<ChargePayment>)
            .ok::<PaymentProcessed>()
            .fail::<PaymentFailed>()
            .timeout(CHARGE_TIMEOUT)
            .undo(of::<RefundPayment>)
            .pivot();
        plan.step("ship")
            .send(of::<ScheduleShipping>)
            .ok::<ShippingScheduled>()
            .fail::<ShippingRefused>()
            .forward();
        plan.done(of::<OrderConfirmed>).undone(of::<OrderCancelled>);
    }
}

/// An instance, the time, and all that its decisions wanted.
struct Run {
    plan: Plan<PlaceOrder>,
    instance: Instance<PlaceOrder>,
    now: Timestamp,
    effects: Vec<Effect>,
}

impl Run {
    fn started() -> Self {
        let (plan, now) = (Plan::new(), Timestamp::from_millis(0));
        let start = OrderCreated {
            order: "o-1".to_owned(),
        };
        let started = plan.start(SagaId("req-1".to_owned()), &start, now);
        let (instance, effects) = started.expect("a start");
        Self {
            plan,
            instance,
            now,
            effects,
        }
    }

    fn input(&mut self, input: Input<'_>) -> Result<(), DecideError> {
        let (instance, effects) = self.plan.decide(&self.instance, input, self.now)?;
        self.instance = instance;
        self.effects = effects;
        Ok(())
    }

    fn reply<M: Message + Default>(&mut self) -> &mut Self {
        let envelope = envelope::<M>();
        let reply = Reply {
            envelope: &envelope,
            to: Answered::Unsaid,
        };
        self.input(Input::Reply(reply)).expect("a reply");
        self
    }

    /// Goes to the next deadline, and tells of it.
    fn timer(&mut self) -> &mut Self {
        self.now = self.instance.due_at().expect("a deadline");
        let input = self.instance.due(self.now).remove(0);
        self.input(input).expect("a timer");
        self
    }

    /// The types of the messages of the last decision.
    fn sent(&self) -> Vec<&'static str> {
        types(&self.effects)
    }

    fn alerts(&self) -> usize {
        let is_alert = |effect: &&Effect| matches!(effect, Effect::Alert(_));
        self.effects.iter().filter(is_alert).count()
    }
}

fn envelope<M: Message + Default>() -> Envelope {
    Envelope::of(&M::default(), &Context::new("test")).expect("JSON")
}

/// The types of the messages that effects send.
fn types(effects: &[Effect]) -> Vec<&'static str> {
    let messages = effects.iter().filter_map(|effect| match effect {
        Effect::Command { draft, .. } | Effect::Event(draft) => Some(draft.message_type),
        _ => None,
    });
    messages.collect()
}

#[test]
fn all_steps_in_order_end_in_the_confirmation() {
    let mut run = Run::started();
    assert_eq!(run.sent(), ["ReserveInventory"]);
    assert_eq!(run.reply::<InventoryReserved>().sent(), ["ChargePayment"]);
    assert_eq!(run.reply::<PaymentProcessed>().sent(), ["ScheduleShipping"]);
    assert_eq!(run.reply::<ShippingScheduled>().sent(), ["OrderConfirmed"]);
    assert_eq!(run.instance.status, Status::Done);
}

#[test]
fn a_failed_payment_releases_the_inventory_and_cancels_the_order() {
    let mut run = Run::started();
    run.reply::<InventoryReserved>();
    assert_eq!(run.reply::<PaymentFailed>().sent(), ["ReleaseInventory"]);
    assert_eq!(run.instance.status, Status::Undoing);
    assert_eq!(run.reply::<InventoryReleased>().sent(), ["OrderCancelled"]);
    assert_eq!(run.instance.status, Status::Undone);
}

#[test]
fn what_failed_at_once_needs_no_undo() {
    let mut run = Run::started();
    assert_eq!(run.reply::<InventoryRejected>().sent(), ["OrderCancelled"]);
}

#[test]
fn a_payment_without_an_answer_is_refunded_since_it_may_have_happened() {
    let mut run = Run::started();
    run.reply::<InventoryReserved>();
    assert_eq!(run.timer().now, Timestamp::from_millis(30_000));
    assert_eq!(run.sent(), ["RefundPayment", "ReleaseInventory"]);
    // The answer comes after all.
    assert!(run.reply::<PaymentProcessed>().sent().is_empty());
    assert_eq!(run.reply::<InventoryReleased>().sent(), ["OrderCancelled"]);
}

#[test]
fn after_the_pivot_a_step_is_tried_until_it_succeeds() {
    let mut run = Run::started();
    run.reply::<InventoryReserved>().reply::<PaymentProcessed>();
    let mut alerts = 0;
    for _ in 0..8 {
        assert!(run.reply::<ShippingRefused>().sent().is_empty());
        assert_eq!(run.timer().sent(), ["ScheduleShipping"]);
        alerts += run.alerts();
    }
    assert_eq!(alerts, 1);
    assert_eq!(run.reply::<ShippingScheduled>().sent(), ["OrderConfirmed"]);
    assert!(!run.instance.is_stuck);
}

#[test]
fn an_undo_is_sent_again_until_somebody_says_that_it_happened() {
    let mut run = Run::started();
    run.reply::<InventoryReserved>().reply::<PaymentFailed>();
    let mut alerts = 0;
    for _ in 0..6 {
        assert_eq!(run.timer().sent(), ["ReleaseInventory"]);
        alerts += run.alerts();
    }
    assert_eq!(alerts, 1);
    assert!(run.instance.is_stuck);
    assert_eq!(run.reply::<InventoryReleased>().sent(), ["OrderCancelled"]);
}

#[test]
fn a_reply_counts_once() {
    let mut run = Run::started();
    run.reply::<InventoryReserved>();
    let before = run.instance.clone();
    assert!(run.reply::<InventoryReserved>().sent().is_empty());
    assert_eq!(run.instance, before);
}

#[test]
fn operators_retry_compensate_and_skip() {
    let mut run = Run::started();
    run.input(Input::Operator(Operator::Retry))
        .expect("a retry");
    assert_eq!(run.sent(), ["ReserveInventory"]);
    run.reply::<InventoryReserved>();
    run.input(Input::Operator(Operator::Compensate))
        .expect("an undo");
    assert_eq!(run.sent(), ["RefundPayment", "ReleaseInventory"]);
    run.input(Input::Operator(Operator::Skip)).expect("a skip");
    assert_eq!(run.instance.status, Status::Undone);
    let error = run.input(Input::Operator(Operator::Retry));
    assert!(matches!(error, Err(DecideError::Ended(_))));
}

#[test]
fn nothing_is_undone_after_the_pivot() {
    let mut run = Run::started();
    run.reply::<InventoryReserved>().reply::<PaymentProcessed>();
    let error = run.input(Input::Operator(Operator::Compensate));
    assert!(matches!(error, Err(DecideError::PastPivot(_))));
}

#[test]
fn an_instance_of_another_version_is_left_alone() {
    let mut run = Run::started();
    run.instance.version = 2;
    let error = run.input(Input::Operator(Operator::Retry));
    assert!(matches!(
        error,
        Err(DecideError::OtherPlan { found: 2, .. })
    ));
}

proptest! {
    /// Whatever comes in whatever order: money that may have been taken is given back unless the
    /// order is confirmed, and nothing is undone after the pivot.
    #[test]
    fn every_end_is_consistent(inputs in proptest::collection::vec(0..9_u8, 0..40)) {
        let mut run = Run::started();
        let mut sent: Vec<String> = Vec::new();
        sent.extend(run.sent().into_iter().map(str::to_owned));
        for input in inputs {
            match input {
                0 => run.reply::<InventoryReserved>(),
                1 => run.reply::<InventoryRejected>(),
                2 => run.reply::<InventoryReleased>(),
                3 => run.reply::<PaymentProcessed>(),
                4 => run.reply::<PaymentFailed>(),
                5 => run.reply::<ShippingScheduled>(),
                6 => run.reply::<ShippingRefused>(),
                _ if run.instance.due_at().is_some() => run.timer(),
                _ => &mut run,
            };
            sent.extend(run.sent().into_iter().map(str::to_owned));
            run.effects.clear();
        }
        let count = |kind: &str| sent.iter().filter(|sent| *sent == kind).count();
        prop_assert!(count("OrderConfirmed") + count("OrderCancelled") <= 1);
        if run.instance.status == Status::Done {
            prop_assert_eq!(count("RefundPayment"), 0);
            prop_assert_eq!(count("OrderConfirmed"), 1);
        }
        if count("ScheduleShipping") > 0 {
            prop_assert_eq!(count("RefundPayment") + count("ReleaseInventory"), 0);
        }
        if run.instance.status == Status::Undone && count("ChargePayment") > 0 {
            let failed = run.instance.steps[1].phase == Phase::Failed;
            prop_assert_eq!(count("RefundPayment") > 0, !failed);
            prop_assert!(count("ReleaseInventory") > 0);
        }
    }
}

/// The first step, and the second-last, are there for their undo.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct UndoAlone {
    order: String,
}

impl Saga for UndoAlone {
    const NAME: &'static str = "undo-alone";
    const VERSION: u32 = 1;
    type Start = OrderCreated;

    fn begin(start: &OrderCreated) -> Self {
        Self {
            order: start.order.clone(),
        }
    }

    fn plan(plan: &mut Plan<Self>) {
        plan.step("place")
            .undo(|saga: &Self| OrderCancelled::from(saga.order.clone()));
        plan.step("reserve")
            .send(|saga: &Self| ReserveInventory::from(saga.order.clone()))
            .ok::<InventoryReserved>()
            .fail::<InventoryRejected>();
        plan.step("note")
            .undo(|saga: &Self| RefundPayment::from(saga.order.clone()))
            .undone::<PaymentFailed>();
        plan.step("charge")
            .send(|saga: &Self| ChargePayment::from(saga.order.clone()))
            .ok::<PaymentProcessed>()
            .fail::<PaymentFailed>();
    }
}

#[test]
fn a_step_without_command_and_reply_is_done_at_once_and_undone_in_its_turn() {
    let plan: Plan<UndoAlone> = Plan::new();
    let start = OrderCreated {
        order: "o-1".to_owned(),
    };
    let now = Timestamp::from_millis(0);
    let started = plan.start(SagaId("req-1".to_owned()), &start, now);
    let (mut instance, effects) = started.expect("a start");
    let mut sent = vec![types(&effects)];
    let replies = [
        envelope::<InventoryReserved>(),
        envelope::<PaymentFailed>(),
        envelope::<PaymentFailed>(),
    ];
    for envelope in &replies {
        let to = Answered::Unsaid;
        let reply = Reply { envelope, to };
        let decided = plan.decide(&instance, Input::Reply(reply), now);
        let (next, effects) = decided.expect("a reply");
        sent.push(types(&effects));
        instance = next;
    }
    let expected = [
        ["ReserveInventory"],
        ["ChargePayment"],
        ["RefundPayment"],
        ["OrderCancelled"],
    ];
    assert_eq!(sent, expected);
    assert_eq!(instance.status, Status::Undone);
}

/// Its first step is somebody else's, and says nothing of a command.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Awaiting {
    order: String,
}

impl Saga for Awaiting {
    const NAME: &'static str = "awaiting";
    const VERSION: u32 = 1;
    type Start = OrderCreated;

    fn begin(start: &OrderCreated) -> Self {
        Self {
            order: start.order.clone(),
        }
    }

    fn plan(plan: &mut Plan<Self>) {
        plan.step("reserved").ok::<InventoryReserved>();
        plan.step("charge")
            .send(|saga: &Self| ChargePayment::from(saga.order.clone()))
            .ok::<PaymentProcessed>()
            .timeout(Duration::from_secs(1))
            .attempts(2);
    }
}

/// What a reply that answers something sends, and the status after it.
fn answer<M: Message + Default>(
    plan: &Plan<Awaiting>,
    instance: &mut Instance<Awaiting>,
    to: Answered,
    now: Timestamp,
) -> (Vec<&'static str>, Status) {
    let envelope = &envelope::<M>();
    let decided = plan.decide(instance, Input::Reply(Reply { envelope, to }), now);
    let (next, effects) = decided.expect("a reply");
    *instance = next;
    (types(&effects), instance.status)
}

#[test]
fn a_reply_counts_for_the_command_that_it_answers() {
    let plan: Plan<Awaiting> = Plan::new();
    let start = OrderCreated {
        order: "o-1".to_owned(),
    };
    let now = Timestamp::from_millis(0);
    let started = plan.start(SagaId("req-1".to_owned()), &start, now);
    let (mut instance, _) = started.expect("a start");
    let charge = |attempt| Answered::Command {
        step: 1,
        attempt,
        action: Action::Do,
    };
    // Nothing was sent, so the reply can't be to that.
    let waited = answer::<InventoryReserved>(&plan, &mut instance, Answered::Other, now);
    assert_eq!(waited, (vec!["ChargePayment"], Status::Running));

    let later = now + Duration::from_secs(1);
    let due = instance.due(later).remove(0);
    let (again, effects) = plan.decide(&instance, due, later).expect("a deadline");
    assert_eq!(types(&effects), ["ChargePayment"]);
    instance = again;
    let undo = Answered::Command {
        step: 1,
        attempt: 2,
        action: Action::Undo,
    };
    for to in [Answered::Other, undo] {
        let strange = answer::<PaymentProcessed>(&plan, &mut instance, to, later);
        assert_eq!(strange, (vec![], Status::Running), "{to:?}");
    }
    // To the first of two attempts.
    let done = answer::<PaymentProcessed>(&plan, &mut instance, charge(1), later);
    assert_eq!(done.1, Status::Done);
}
