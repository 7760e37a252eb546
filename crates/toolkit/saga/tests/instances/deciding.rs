//! Processes, which decide freely.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use stele_toolkit_envelope::Timestamp;
use stele_toolkit_saga::{
    DecideError, Decision, Entry, Filter, Happened, Instances, MessageTypes, Operator,
    Orchestrator, Process, SagaError, SagaId, Status,
};

use crate::order::{
    ChargePayment, OrderCancelled, OrderConfirmed, OrderCreated, PaymentFailed, PaymentProcessed,
    PlaceOrder, World, sent, types,
};

crate::home::claims! { crate::order::World::new:
    a_process_goes_on_by_messages;
    a_process_goes_on_by_its_timers;
    what_comes_twice_or_too_late_changes_nothing;
    an_operator_asks_a_process;
}

/// Charges up to three times, a minute apart.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Dunning {
    order: String,
    attempts: u32,
}

impl Process for Dunning {
    const NAME: &'static str = "dunning";
    const VERSION: u32 = 1;

    fn messages(types: &mut MessageTypes) {
        types
            .start::<OrderCreated>()
            .take::<PaymentProcessed>()
            .take::<PaymentFailed>();
    }

    fn decide(
        state: Option<Self>,
        happened: &Happened<'_>,
        now: Timestamp,
    ) -> Result<Decision<Self>, DecideError> {
        let message = match happened {
            Happened::Message(message) => *message,
            Happened::Timer(_) | Happened::Operator(Operator::Retry) => {
                return Ok(state.map_or(Decision::unchanged(), Self::charge));
            }
            Happened::Operator(_) => {
                let why = "it has one step".to_owned();
                return Err(DecideError::NotPossible { why });
            }
        };
        Ok(match state {
            None => {
                let order = message.open::<OrderCreated>()?.order;
                Self { order, attempts: 0 }.charge()
            }
            Some(state) if message.is::<PaymentProcessed>() => {
                let confirmed = OrderConfirmed::from(&state.order());
                Decision::to(state).publish(&confirmed).done()
            }
            Some(state) if !message.is::<PaymentFailed>() => {
                drop(state);
                Decision::unchanged()
            }
            Some(state) if state.attempts < 3 => {
                let again = now + Duration::from_secs(60);
                Decision::to(state)
                    .timer("again", again)
                    .note("declined")
                    .alert("the payment was declined")
            }
            Some(state) => {
                let cancelled = OrderCancelled::from(&state.order());
                Decision::to(state).publish(&cancelled).undone()
            }
        })
    }
}

impl Dunning {
    fn order(&self) -> PlaceOrder {
        PlaceOrder {
            order: self.order.clone(),
        }
    }

    fn charge(mut self) -> Decision<Self> {
        self.attempts += 1;
        let command = ChargePayment::from(&self.order());
        Decision::to(self).send("charge", &command)
    }
}

async fn started(world: &mut World) -> stele_toolkit_envelope::Envelope {
    world.orchestrator = Orchestrator::new(world.context.clone()).process::<Dunning>();
    let started = world.handle(&world.created("req-1")).await;
    assert_eq!(types(&started), ["ChargePayment"]);
    sent(&started).remove(0)
}

async fn shown(world: &World) -> stele_toolkit_saga::History {
    let id = SagaId("req-1".to_owned());
    let shown = Instances::of(&world.db).show("dunning", &id).await;
    shown.unwrap()
}

async fn a_process_goes_on_by_messages(mut world: World) {
    let charge = started(&mut world).await;
    let action = charge.metadata.unknown.value("actionId");
    let action = action.and_then(|id| id.string());
    assert_eq!(action.unwrap(), "dunning/req-1/charge");
    let done = world.reply::<PaymentProcessed>(&charge).await;
    assert_eq!(types(&done), ["OrderConfirmed"]);
    let shown = shown(&world).await;
    assert_eq!(shown.instance.status, Status::Done);
    let last = shown.entries.last().map(|(_, entry)| entry.clone());
    assert_eq!(last, Some(Entry::Ended { is_done: true }));
}

async fn a_process_goes_on_by_its_timers(mut world: World) {
    let mut charge = started(&mut world).await;
    for _ in 0..2 {
        let failed = world.reply::<PaymentFailed>(&charge).await;
        assert!(types(&failed).is_empty());
        assert_eq!(failed.alerts.len(), 1);
        assert!(shown(&world).await.instance.is_stuck);
        world.advance(59);
        assert!(types(&world.due().await).is_empty());
        world.advance(1);
        let again = world.due().await;
        assert_eq!(types(&again), ["ChargePayment"]);
        assert!(!shown(&world).await.instance.is_stuck);
        charge = sent(&again).remove(0);
    }
    let end = world.reply::<PaymentFailed>(&charge).await;
    assert_eq!(types(&end), ["OrderCancelled"]);
    assert_eq!(shown(&world).await.instance.status, Status::Undone);
    world.advance(3600);
    assert!(types(&world.due().await).is_empty());
}

async fn what_comes_twice_or_too_late_changes_nothing(mut world: World) {
    let charge = started(&mut world).await;
    assert!(types(&world.handle(&world.created("req-1")).await).is_empty());
    let done = world.reply::<PaymentProcessed>(&charge).await;
    assert_eq!(types(&done).len(), 1);
    assert!(types(&world.reply::<PaymentFailed>(&charge).await).is_empty());
    let entries = shown(&world).await.entries;
    let late = |(_, entry): &&(_, Entry)| matches!(entry, Entry::Late { .. });
    assert_eq!(entries.iter().filter(late).count(), 2);
    let all = Instances::of(&world.db).list(&Filter::default(), 10).await;
    assert_eq!(all.unwrap().len(), 1);
}

async fn an_operator_asks_a_process(mut world: World) {
    started(&mut world).await;
    let operate = async |action| {
        let mut tx = world.begin().await;
        let id = SagaId("req-1".to_owned());
        let operated = world.orchestrator.operate(&mut tx, "dunning", &id, action);
        let operated = operated.await;
        tx.commit().await.unwrap();
        operated
    };
    let again = operate(Operator::Retry).await.unwrap();
    assert_eq!(types(&again), ["ChargePayment"]);
    let refused = operate(Operator::Compensate).await.unwrap_err();
    let SagaError::Decide(DecideError::NotPossible { why }) = refused else {
        panic!("{refused}");
    };
    assert_eq!(why, "it has one step");
}
