//! The saga of the order service, and the services that do its steps.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use stele_toolkit_bus::{Event, Failure, Outbox, Service, State};
use stele_toolkit_envelope::Message;
use stele_toolkit_saga::{
    ActionId, Begun, Cancelled, Correlation, Next, Participant, Plan, Saga, SagaMetrics, Sagas,
    WithSagas as _,
};
use stele_toolkit_sql::{Tx, sqlx};

use crate::order::{
    ChargePayment, InventoryRejected, InventoryReleased, InventoryReserved, OrderCancelled,
    OrderConfirmed, OrderCreated, PaymentFailed, PaymentProcessed, PaymentRefunded, PlaceOrder,
    RefundPayment, ReleaseInventory, ReserveInventory, ScheduleShipping, ShippingRefused,
    ShippingScheduled,
};

pub(crate) const SAGA: &str = "fulfil";

/// Reserve, charge, ship; each can be undone.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Fulfil(PlaceOrder);

impl Saga for Fulfil {
    const NAME: &'static str = SAGA;
    const VERSION: u32 = 1;
    type Start = OrderCreated;

    fn begin(start: &OrderCreated) -> Self {
        Self(PlaceOrder::begin(start))
    }

    fn plan(plan: &mut Plan<Self>) {
        plan.step("reserve")
            .send(|saga: &Self| ReserveInventory::from(&saga.0))
            .ok::<InventoryReserved>()
            .fail::<InventoryRejected>()
            .undo(|saga: &Self| ReleaseInventory::from(&saga.0))
            .undone::<InventoryReleased>();
        plan.step("charge")
            .send(|saga: &Self| ChargePayment::from(&saga.0))
            .ok::<PaymentProcessed>()
            .fail::<PaymentFailed>()
            .timeout(Duration::from_secs(30))
            .undo(|saga: &Self| RefundPayment::from(&saga.0))
            .undone::<PaymentRefunded>();
        plan.step("ship")
            .send(|saga: &Self| ScheduleShipping::from(&saga.0))
            .ok::<ShippingScheduled>()
            .fail::<ShippingRefused>();
        plan.done(|saga| OrderConfirmed::from(&saga.0))
            .undone(|saga| OrderCancelled::from(&saga.0));
    }
}

pub(crate) fn orders(metrics: &SagaMetrics) -> Service {
    let sagas = Sagas::new().with::<Fulfil>().correlation(flow());
    Service::new("orders").sagas(sagas.metrics(metrics))
}

/// The same orders as nobody's plan would have them.
fn flow() -> Correlation {
    let next = Next::is::<ShippingScheduled>().or::<PaymentRefunded>();
    Correlation::new("flow").after::<PaymentProcessed>(Duration::from_secs(60), next)
}

pub(crate) fn inventory() -> Service {
    const QUEUE: &str = "inventory.commands";
    Service::new("inventory")
        .on_queue(QUEUE, reserve)
        .on_queue(QUEUE, release)
}

pub(crate) fn payment() -> Service {
    const QUEUE: &str = "payment.commands";
    Service::new("payment")
        .on_queue(QUEUE, charge)
        .on_queue(QUEUE, refund)
        .state(Held::default())
}

pub(crate) fn shipping() -> Service {
    Service::new("shipping").on_queue("shipping.commands", ship)
}

/// The orders whose charge was held up once.
#[derive(Debug, Default)]
struct Held(Mutex<BTreeSet<String>>);

/// The table of what a service has done.
pub(crate) const EFFECTS: &str = "CREATE TABLE effects (what TEXT NOT NULL, item TEXT NOT NULL)";

async fn note(tx: &mut Tx, what: &str, order: &str) -> Result<(), Failure> {
    let insert = sqlx::query("INSERT INTO effects (what, item) VALUES ($1, $2)");
    let insert = insert.bind(what.to_owned()).bind(order.to_owned());
    insert.execute(&mut **tx).await?;
    Ok(())
}

/// Does a step once, unless it was cancelled before it came.
async fn once<Done: Message, Refused: Message>(
    (tx, action, out): (&mut Tx, &ActionId, &Outbox),
    (what, order): (&str, &str),
    done: &Done,
    refused: &Refused,
) -> Result<(), Failure> {
    match Participant.begin(tx, action).await? {
        Begun::Do => {
            note(tx, what, order).await?;
            Participant.done(tx, action, what).await?;
            out.publish(done);
        }
        Begun::Again(_) => out.publish(done),
        Begun::Cancelled => out.publish(refused),
    }
    Ok(())
}

async fn undo<Undone: Message>(
    (tx, action, out): (&mut Tx, &ActionId, &Outbox),
    (what, order): (&str, &str),
    undone: &Undone,
) -> Result<(), Failure> {
    if Participant.cancel(tx, action).await? == Cancelled::Undo {
        note(tx, what, order).await?;
    }
    out.publish(undone);
    Ok(())
}

async fn reserve(
    Event(command): Event<ReserveInventory>,
    action: ActionId,
    mut tx: Tx,
    out: Outbox,
) -> Result<(), Failure> {
    let order = command.order;
    if order.starts_with("sold-out") {
        out.publish(&InventoryRejected { order });
        return Ok(());
    }
    let (done, refused) = (
        InventoryReserved {
            order: order.clone(),
        },
        InventoryRejected {
            order: order.clone(),
        },
    );
    let work = (&mut tx, &action, &out);
    once(work, ("reserved", &order), &done, &refused).await
}

async fn release(
    Event(command): Event<ReleaseInventory>,
    action: ActionId,
    mut tx: Tx,
    out: Outbox,
) -> Result<(), Failure> {
    let order = command.order;
    let undone = InventoryReleased {
        order: order.clone(),
    };
    undo((&mut tx, &action, &out), ("released", &order), &undone).await
}

async fn charge(
    Event(command): Event<ChargePayment>,
    action: ActionId,
    State(held): State<Held>,
    mut tx: Tx,
    out: Outbox,
) -> Result<(), Failure> {
    let order = command.order;
    if order.starts_with("declined") {
        out.publish(&PaymentFailed { order });
        return Ok(());
    }
    let is_first = {
        let mut held = held.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.insert(order.clone())
    };
    if order.starts_with("slow") && is_first {
        return Err(Failure::Defer(Duration::from_secs(60)));
    }
    let (done, refused) = (
        PaymentProcessed {
            order: order.clone(),
        },
        PaymentFailed {
            order: order.clone(),
        },
    );
    let work = (&mut tx, &action, &out);
    once(work, ("charged", &order), &done, &refused).await
}

async fn refund(
    Event(command): Event<RefundPayment>,
    action: ActionId,
    mut tx: Tx,
    out: Outbox,
) -> Result<(), Failure> {
    let order = command.order;
    let undone = PaymentRefunded {
        order: order.clone(),
    };
    undo((&mut tx, &action, &out), ("refunded", &order), &undone).await
}

async fn ship(
    Event(command): Event<ScheduleShipping>,
    mut tx: Tx,
    out: Outbox,
) -> Result<(), Failure> {
    let order = command.order;
    if order.starts_with("lost") {
        return Err(Failure::Drop);
    }
    if order.starts_with("unshippable") {
        out.publish(&ShippingRefused { order });
        return Ok(());
    }
    note(&mut tx, "shipped", &order).await?;
    out.publish(&ShippingScheduled { order });
    Ok(())
}
