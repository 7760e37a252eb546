//! Messages that are processed out of order.
//!
//! A customer places an order and cancels it. The service that handles the two events takes its
//! time for the first one, and the second overtakes it: the order is `placed` in the end, and is
//! going to be shipped.
//!
//! The check of the first event ends only when the second event is handled, or, with the cure, when
//! something shows that it is held back: an event of another order that was sent after it and is
//! handled already.

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use stele_toolkit::{
    Event, Failure as Failed, Message, Meta, NoStore, Outgoing, Policy, Running, Service, State,
    Transport,
};
use tokio::sync::watch;

use crate::{
    Failure,
    world::{Cure, Pitfall, Queues, World, event, numbered, send},
};

const SERVICE: &str = "orders";

/// The order that is placed and cancelled, and one that another customer places after that.
const ORDER: &str = "order-1";
const LATER_ORDER: &str = "order-2";

/// So many lanes that the few keys here have each its own.
const LANES: usize = 64;

#[derive(Serialize, Deserialize, Message)]
#[message(version = "1.0", topic = "order.changed", key = order_id)]
struct OrderChanged {
    order_id: String,
    status: String,
}

/// What the service knows.
#[derive(Clone, Debug, Default)]
struct Orders {
    /// The status of the order.
    status: String,
    /// How many of its events are applied.
    applied: u64,
    /// How many of its events came before their turn.
    early: u64,
    /// Whether the order's first event is being checked, and whether the check may end.
    is_checking: bool,
    is_checked: bool,
    /// Whether the event of the later order is applied.
    is_later_applied: bool,
}

/// The service's data, and the check of the customer's credit that takes its time.
#[derive(Clone, Debug)]
struct Desk {
    orders: Arc<watch::Sender<Orders>>,
    /// Whether events are applied by their numbers.
    by_number: bool,
}

impl Desk {
    fn new(by_number: bool) -> Self {
        Self {
            orders: Arc::new(watch::Sender::new(Orders::default())),
            by_number,
        }
    }

    fn is_early(&self, number: Option<u64>) -> bool {
        self.by_number && number != Some(self.orders.borrow().applied + 1)
    }

    async fn check_credit(&self) {
        self.orders.send_modify(|orders| orders.is_checking = true);
        self.until(|orders| orders.is_checked).await;
    }

    async fn until(&self, is_so: impl FnMut(&Orders) -> bool) {
        // It can't be closed: this is its sender.
        let _ = self.orders.subscribe().wait_for(is_so).await;
    }
}

/// The handler, with and without the cures.
async fn apply(
    Event(event): Event<OrderChanged>,
    meta: Meta,
    State(desk): State<Desk>,
) -> Result<(), Failed> {
    if event.order_id == LATER_ORDER {
        desk.orders
            .send_modify(|orders| orders.is_later_applied = true);
        return Ok(());
    }
    if desk.is_early(meta.metadata.sequence) {
        desk.orders.send_modify(|orders| orders.early += 1);
        return Err(Failed::Defer(Duration::from_millis(20)));
    }
    if event.status == "placed" {
        desk.check_credit().await;
    }
    desk.orders.send_modify(|orders| {
        orders.status = event.status;
        orders.applied += 1;
    });
    Ok(())
}

pub(crate) async fn show() -> Result<Vec<Pitfall>, Failure> {
    Ok(vec![
        Pitfall {
            title: "Kafka: the order's id as the key of its events",
            failure: over_kafka(Cure::Without).await?,
            cure: over_kafka(Cure::With).await?,
        },
        Pitfall {
            title: "AMQP: one active consumer of a queue",
            failure: over_amqp(Cure::Without).await?,
            cure: over_amqp(Cure::With).await?,
        },
        Pitfall {
            title: "SQS: a FIFO queue",
            failure: over_sqs(Cure::Without).await?,
            cure: over_sqs(Cure::With).await?,
        },
        Pitfall {
            title: "SQS: numbers in the events, on a standard queue",
            failure: by_number(Cure::Without).await?,
            cure: by_number(Cure::With).await?,
        },
    ])
}

/// With its status as the key, each event is in a partition of its own: `placed` in the first one
/// of two, and `cancelled` in the second, and partitions are consumed side by side. With the id of
/// the order as the key, both are in the same partition.
async fn over_kafka(cure: Cure) -> Result<String, Failure> {
    let world = World::start().await?;
    let transport = world.kafka(2)?;
    let desk = Desk::new(false);
    let service = match cure {
        Cure::Without => service(&desk).concurrency(LANES),
        Cure::With => in_order(&desk),
    };
    let _process = start(service, &transport).await?;
    let mut events = events()?;
    if cure == Cure::Without {
        events[0].key = "placed".into();
        events[1].key = "cancelled".into();
    }
    run(&desk, &transport, events, cure).await
}

/// Each of two processes that share a queue is given one of the two events. With a single active
/// consumer, one process is given everything, and knows the order's events by their key.
async fn over_amqp(cure: Cure) -> Result<String, Failure> {
    let world = World::start().await?;
    let transport = world.amqp()?;
    let desk = Desk::new(false);
    let service = || match cure {
        Cure::Without => one_by_one(&desk),
        Cure::With => in_order(&desk).single_active(),
    };
    let _first = start(service(), &transport).await?;
    let _second = start(service(), &transport).await?;
    run(&desk, &transport, events()?, cure).await
}

/// A standard queue has no order, so the service can't ask for one.
async fn over_sqs(cure: Cure) -> Result<String, Failure> {
    let world = World::start().await?;
    let desk = Desk::new(false);
    let (queues, service) = match cure {
        Cure::Without => (Queues::Standard, service(&desk).concurrency(LANES)),
        Cure::With => (Queues::Fifo, in_order(&desk)),
    };
    let transport = world.sqs(queues)?;
    let _process = start(service, &transport).await?;
    run(&desk, &transport, events()?, cure).await
}

/// The queue has no order, as over SQS without the cure. Each event has its number, and one that
/// comes before its turn is put off.
async fn by_number(cure: Cure) -> Result<String, Failure> {
    let world = World::start().await?;
    let transport = world.sqs(Queues::Standard)?;
    let desk = Desk::new(cure == Cure::With);
    let _process = start(service(&desk).concurrency(LANES), &transport).await?;
    let events = [
        numbered(&changed(ORDER, "placed"), 1)?,
        numbered(&changed(ORDER, "cancelled"), 2)?,
    ];
    send(&*transport, events).await?;
    desk.until(|orders| orders.is_checking).await;
    match cure {
        Cure::Without => desk.until(|orders| orders.applied == 1).await,
        Cure::With => desk.until(|orders| orders.early > 0).await,
    }
    Ok(outcome(&desk).await)
}

/// Sends the events, and lets the check of the first one end only when the second has overtaken it,
/// or the event after it has.
async fn run(
    desk: &Desk,
    transport: &Arc<dyn Transport>,
    events: Vec<Outgoing>,
    cure: Cure,
) -> Result<String, Failure> {
    send(&**transport, events).await?;
    desk.until(|orders| orders.is_checking).await;
    match cure {
        Cure::Without => desk.until(|orders| orders.applied == 1).await,
        Cure::With => desk.until(|orders| orders.is_later_applied).await,
    }
    Ok(outcome(desk).await)
}

async fn outcome(desk: &Desk) -> String {
    desk.orders.send_modify(|orders| orders.is_checked = true);
    desk.until(|orders| orders.applied == 2).await;
    let status = desk.orders.borrow().status.clone();
    format!("placed, then cancelled: the order is {status}")
}

fn service(desk: &Desk) -> Service {
    let service = Service::new(SERVICE).on(apply).state(desk.clone());
    service.policy(Policy::attempts(1))
}

/// Handles events at the same time, but those of a key one after the other.
fn in_order(desk: &Desk) -> Service {
    service(desk).ordered_by_key(LANES)
}

/// Takes an event when it is done with the one before.
fn one_by_one(desk: &Desk) -> Service {
    service(desk).concurrency(1).prefetch(1)
}

async fn start(service: Service, transport: &Arc<dyn Transport>) -> Result<Running, Failure> {
    Ok(service
        .start(Arc::new(NoStore), Arc::clone(transport))
        .await?)
}

fn events() -> Result<Vec<Outgoing>, Failure> {
    Ok(vec![
        event(&changed(ORDER, "placed"))?,
        event(&changed(ORDER, "cancelled"))?,
        event(&changed(LATER_ORDER, "placed"))?,
    ])
}

fn changed(order_id: &str, status: &str) -> OrderChanged {
    OrderChanged {
        order_id: order_id.to_owned(),
        status: status.to_owned(),
    }
}
