//! A service that can't keep up.
//!
//! The shop sends three orders a minute. A worker of the service makes three calls a minute to its
//! database, and handles an order with three calls: one order a minute. What waits grows by two
//! each minute, for ever.
//!
//! Minutes pass here when nobody has anything left to do in them, not by a clock: a call waits
//! until the program lets the next one of the minute happen.

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use stele_toolkit::{Batch, Event, Message, NoStore, Policy, Service, State, Transport};
use tokio::sync::{oneshot, watch};

use crate::{
    Failure,
    world::{Cure, Pitfall, Queues, World, event, look_again, send, waiting},
};

const SERVICE: &str = "invoices";

const MINUTES: usize = 4;
const ORDERS_A_MINUTE: usize = 3;
const CALLS_A_MINUTE: usize = 3;
const CALLS_AN_ORDER: usize = 3;

#[derive(Serialize, Deserialize, Message)]
#[message(version = "1.0", topic = "order.created", key = order_id)]
struct OrderCreated {
    order_id: String,
}

pub(crate) async fn show() -> Result<Vec<Pitfall>, Failure> {
    Ok(vec![
        Pitfall {
            title: "AMQP: more consumers",
            failure: more_consumers(Cure::Without).await?,
            cure: more_consumers(Cure::With).await?,
        },
        Pitfall {
            title: "Kafka: larger batches",
            failure: larger_batches(Cure::Without).await?,
            cure: larger_batches(Cure::With).await?,
        },
        Pitfall {
            title: "SQS: less work for each message",
            failure: less_work(Cure::Without).await?,
            cure: less_work(Cure::With).await?,
        },
    ])
}

/// Asks for the customer and for the prices, and writes the invoice.
async fn write_invoice(_: Event<OrderCreated>, State(office): State<Office>) {
    for _ in 0..CALLS_AN_ORDER {
        office.call().await;
    }
    office.wrote(1);
}

/// Asks for all customers and all prices, and writes all invoices: the calls are as many as for
/// one.
async fn write_invoices(Batch(orders): Batch<OrderCreated>, State(office): State<Office>) {
    for _ in 0..CALLS_AN_ORDER {
        office.call().await;
    }
    office.wrote(orders.len());
}

/// The event says who the customer is, and the prices are known from before.
async fn write_invoice_by_one_call(_: Event<OrderCreated>, State(office): State<Office>) {
    office.call().await;
    office.wrote(1);
}

/// Three processes share the queue instead of one.
async fn more_consumers(cure: Cure) -> Result<String, Failure> {
    let world = World::start().await?;
    let transport = world.amqp()?;
    let processes = match cure {
        Cure::Without => 1,
        Cure::With => 3,
    };
    let mut office = Office::new(processes);
    let mut running = Vec::new();
    for _ in 0..processes {
        let service = office.service().on(write_invoice);
        running.push(
            service
                .start(Arc::new(NoStore), Arc::clone(&transport))
                .await?,
        );
    }
    work(&mut office, &*transport).await?;
    Ok(office.outcome())
}

/// One process takes three messages at once.
async fn larger_batches(cure: Cure) -> Result<String, Failure> {
    let world = World::start().await?;
    let transport = world.kafka(1)?;
    let mut office = Office::new(1);
    let service = office.service();
    let service = match cure {
        Cure::Without => service.on(write_invoice),
        Cure::With => {
            office.batch = ORDERS_A_MINUTE;
            let full = Duration::from_secs(3600);
            let service = service.on(write_invoices);
            service.prefetch(10).batches(ORDERS_A_MINUTE, full)
        }
    };
    let _process = service
        .start(Arc::new(NoStore), Arc::clone(&transport))
        .await?;
    work(&mut office, &*transport).await?;
    // The broker knows it too: what the group has not committed is its lag.
    while waiting(&*transport, SERVICE, OrderCreated::TOPIC).await? != office.lag() as u64 {
        look_again().await;
    }
    Ok(office.outcome())
}

/// One process, with a better handler.
async fn less_work(cure: Cure) -> Result<String, Failure> {
    let world = World::start().await?;
    let transport = world.sqs(Queues::Fifo)?;
    let mut office = Office::new(1);
    let service = office.service();
    let service = match cure {
        Cure::Without => service.on(write_invoice),
        Cure::With => service.on(write_invoice_by_one_call),
    };
    let _process = service
        .start(Arc::new(NoStore), Arc::clone(&transport))
        .await?;
    work(&mut office, &*transport).await?;
    Ok(office.outcome())
}

/// Has some minutes pass.
async fn work(office: &mut Office, transport: &dyn Transport) -> Result<(), Failure> {
    for _ in 0..MINUTES {
        for _ in 0..ORDERS_A_MINUTE {
            office.sent += 1;
            let order_id = format!("order-{}", office.sent);
            send(transport, [event(&OrderCreated { order_id })?]).await?;
        }
        for _ in 0..CALLS_A_MINUTE {
            office.until_all_work().await;
            office.let_calls_happen();
        }
        office.until_all_work().await;
    }
    Ok(())
}

/// All processes of the service, and the database that they call.
#[derive(Clone, Debug)]
struct Office {
    workers: usize,
    /// How many orders a worker handles together.
    batch: usize,
    sent: usize,
    desk: Arc<watch::Sender<Desk>>,
}

#[derive(Debug, Default)]
struct Desk {
    calls: Vec<oneshot::Sender<()>>,
    written: usize,
}

impl Office {
    fn new(workers: usize) -> Self {
        Self {
            workers,
            batch: 1,
            sent: 0,
            desk: Arc::default(),
        }
    }

    fn service(&self) -> Service {
        let service = Service::new(SERVICE).state(self.clone());
        let service = service.policy(Policy::attempts(1));
        service.concurrency(1).prefetch(1)
    }

    /// A call to the database, by a handler.
    async fn call(&self) {
        let (happens, has_happened) = oneshot::channel();
        self.desk.send_modify(|desk| desk.calls.push(happens));
        // It is dropped only if the program ends.
        let _ = has_happened.await;
    }

    fn wrote(&self, invoices: usize) {
        self.desk.send_modify(|desk| desk.written += invoices);
    }

    /// Returns once each worker that has an order waits for a call.
    async fn until_all_work(&self) {
        let is_so = |desk: &Desk| {
            let orders = (self.sent - desk.written).div_ceil(self.batch);
            desk.calls.len() == orders.min(self.workers)
        };
        // It can't be closed: this is its sender.
        let _ = self.desk.subscribe().wait_for(is_so).await;
    }

    fn let_calls_happen(&self) {
        self.desk.send_modify(|desk| {
            for call in desk.calls.drain(..) {
                // Nobody waits for it only if the program ends.
                let _ = call.send(());
            }
        });
    }

    /// How many orders wait, or are being handled.
    fn lag(&self) -> usize {
        self.sent - self.desk.borrow().written
    }

    fn outcome(&self) -> String {
        let (lag, sent) = (self.lag(), self.sent);
        format!("after {MINUTES} minutes, {lag} of {sent} orders still wait")
    }
}
