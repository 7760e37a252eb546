//! A message that always fails, and messages that all fail for a while.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use prometheus_client::{encoding::text::encode, registry::Registry};
use serde::{Deserialize, Serialize};
use stele_toolkit::{
    Breaker, Db, DeadLetters, Destination, Envelope, Event, Failure as Failed, Filter, Jitter,
    Message, Metrics, NoStore, Outgoing, Policy, Raw, Service, State, Transport, sql::Options,
};
use tokio::sync::watch;

use crate::{
    Failure,
    world::{Cure, Pitfall, Queues, World, event, look_again, send},
};

const SERVICE: &str = "shipping";

/// When a program that tries for ever is stopped.
const ENOUGH: u32 = 20;

#[derive(Serialize, Deserialize, Message)]
#[message(version = "1.0", topic = "order.paid", key = customer)]
struct OrderPaid {
    customer: String,
    address: String,
}

/// What the service did.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    failed: u32,
    shipped: u32,
}

#[derive(Clone, Debug, Default)]
struct Counter(Arc<watch::Sender<Counts>>);

impl Counter {
    fn failed(&self) {
        self.0.send_modify(|counts| counts.failed += 1);
    }

    fn shipped(&self) {
        self.0.send_modify(|counts| counts.shipped += 1);
    }

    fn counts(&self) -> Counts {
        *self.0.borrow()
    }

    async fn until(&self, is_so: impl FnMut(&Counts) -> bool) {
        // It can't be closed: this is its sender.
        let _ = self.0.subscribe().wait_for(is_so).await;
    }
}

pub(crate) async fn show() -> Result<Vec<Pitfall>, Failure> {
    Ok(vec![
        Pitfall {
            title: "Kafka: a message that can't be handled; a limit of attempts and dead letters",
            failure: without_a_limit().await?,
            cure: with_a_limit().await?,
        },
        Pitfall {
            title: "SQS: a message that can't be read; a dead letter at once",
            failure: read_by_the_handler().await?,
            cure: read_before_the_handler().await?,
        },
        Pitfall {
            title: "AMQP: a carrier that is away; a circuit breaker",
            failure: carrier_is_away(Cure::Without).await?,
            cure: carrier_is_away(Cure::With).await?,
        },
    ])
}

/// Never succeeds for an order without an address.
async fn ship(
    Event(order): Event<OrderPaid>,
    State(counter): State<Counter>,
) -> Result<(), Failed> {
    if order.address.is_empty() {
        counter.failed();
        return Err(std::io::Error::other("no address").into());
    }
    counter.shipped();
    Ok(())
}

/// The partition stands still at the message, and the orders of all others in it wait.
async fn without_a_limit() -> Result<String, Failure> {
    let world = World::start().await?;
    let service = Service::new(SERVICE).on(ship).count_attempts_in_memory();
    let (transport, orders) = (world.kafka(1)?, one_bad_order_and_two_good()?);
    let (done, shipped) = tries_for_ever(service, transport, orders).await?;
    Ok(format!("{done}; {shipped} of 2 other orders are shipped"))
}

/// The message waits for its retries in the database, out of the way of the others.
async fn with_a_limit() -> Result<String, Failure> {
    let world = World::start().await?;
    let (transport, orders) = (world.kafka(1)?, one_bad_order_and_two_good()?);
    let (done, shipped) = gives_up(&world, transport, orders).await?;
    Ok(format!("{done}; {shipped} of 2 other orders are shipped"))
}

/// A service without a limit of attempts: what it has done after enough of them, and how many
/// orders it has shipped.
async fn tries_for_ever(
    service: Service,
    transport: Arc<dyn Transport>,
    messages: Vec<Outgoing>,
) -> Result<(String, u32), Failure> {
    let counter = Counter::default();
    let service = service.state(counter.clone()).policy(for_ever());
    let service = service.prefetch(1);
    let _process = service
        .start(Arc::new(NoStore), Arc::clone(&transport))
        .await?;
    send(&*transport, messages).await?;
    counter.until(|counts| counts.failed == ENOUGH).await;
    let done = format!("{ENOUGH} attempts and no end");
    Ok((done, counter.counts().shipped))
}

/// A service with three attempts and dead letters: what became of the message that fails, and how
/// many orders it has shipped.
async fn gives_up(
    world: &World,
    transport: Arc<dyn Transport>,
    messages: Vec<Outgoing>,
) -> Result<(String, u32), Failure> {
    let db = world.database(Options::new()).await?;
    let counter = Counter::default();
    let service = Service::new(SERVICE).on(ship).state(counter.clone());
    let service = service.policy(three_attempts());
    let store = Arc::new(db.clone());
    let _process = service.start(store, Arc::clone(&transport)).await?;
    send(&*transport, messages).await?;
    counter.until(|counts| counts.shipped == 2).await;
    Ok((dead_letter(&db).await?, counter.counts().shipped))
}

fn one_bad_order_and_two_good() -> Result<Vec<Outgoing>, Failure> {
    let orders = [
        ("anna", ""),
        ("ben", "Mill Lane 1"),
        ("carla", "Mill Lane 2"),
    ];
    orders
        .iter()
        .map(|(customer, address)| event(&paid(customer, address)))
        .collect()
}

/// Reads the body by itself, and takes what it can't read for a failure like any other.
async fn read_and_ship(Raw(received): Raw, State(counter): State<Counter>) -> Result<(), Failed> {
    let read = Envelope::decode(&received.message.body, 1 << 20);
    if let Err(error) = read {
        counter.failed();
        return Err(error.into());
    }
    counter.shipped();
    Ok(())
}

/// The group of the customer's messages stands still.
async fn read_by_the_handler() -> Result<String, Failure> {
    let world = World::start().await?;
    let topic = Destination::Topic(OrderPaid::TOPIC.to_owned());
    let service = Service::new(SERVICE).on_raw(topic, read_and_ship);
    let (transport, orders) = (world.sqs(Queues::Fifo)?, one_truncated_and_two_whole()?);
    let (done, shipped) = tries_for_ever(service, transport, orders).await?;
    Ok(format!(
        "{done}; {shipped} of the customer's 2 orders are shipped"
    ))
}

/// What can't be read won't be readable later: the service doesn't try again.
async fn read_before_the_handler() -> Result<String, Failure> {
    let world = World::start().await?;
    let (transport, orders) = (world.sqs(Queues::Fifo)?, one_truncated_and_two_whole()?);
    let (done, shipped) = gives_up(&world, transport, orders).await?;
    Ok(format!(
        "{done}; {shipped} of the customer's 2 orders are shipped"
    ))
}

fn one_truncated_and_two_whole() -> Result<Vec<Outgoing>, Failure> {
    let order = paid("anna", "Mill Lane 1");
    let mut truncated = event(&order)?;
    truncated.body.truncate(truncated.body.len() / 2);
    Ok(vec![truncated, event(&order)?, event(&order)?])
}

/// The carrier's program, which the service calls for each order.
#[derive(Debug, Default)]
struct Carrier {
    is_there: AtomicBool,
    calls: AtomicU32,
}

async fn call_the_carrier(
    _: Event<OrderPaid>,
    State(carrier): State<Arc<Carrier>>,
    State(counter): State<Counter>,
) -> Result<(), Failed> {
    carrier.calls.fetch_add(1, Ordering::AcqRel);
    if !carrier.is_there.load(Ordering::Acquire) {
        return Err(std::io::Error::other("the carrier doesn't answer").into());
    }
    counter.shipped();
    Ok(())
}

/// Each order has three attempts, and the carrier is away for longer than they take. The breaker
/// sees that it isn't the messages' fault, and pauses the subscription until the carrier is back.
async fn carrier_is_away(cure: Cure) -> Result<String, Failure> {
    const ORDERS: usize = 5;
    let world = World::start().await?;
    let transport = world.amqp()?;
    let db = world.database(Options::new()).await?;
    let (carrier, counter) = (Arc::new(Carrier::default()), Counter::default());
    let (metrics, mut registry) = (Metrics::default(), Registry::default());
    metrics.register(&mut registry);
    let service = Service::new(SERVICE).on(call_the_carrier).concurrency(1);
    let service = service.state(Arc::clone(&carrier)).state(counter.clone());
    let mut service = service.policy(three_attempts()).metrics(&metrics);
    if cure == Cure::With {
        service = service.breaker(Breaker::open_after(1).probe_every(Duration::from_secs(1)));
    }
    let store = Arc::new(db.clone());
    let _process = service.start(store, Arc::clone(&transport)).await?;
    let order = paid("anna", "Mill Lane 1");
    let orders = std::iter::repeat_with(|| event(&order)).take(ORDERS);
    send(&*transport, orders.collect::<Result<Vec<_>, _>>()?).await?;

    match cure {
        Cure::Without => {
            while dead_letters(&db).await? < ORDERS {
                look_again().await;
            }
        }
        Cure::With => {
            while !is_open(&registry)? {
                look_again().await;
            }
        }
    }
    carrier.is_there.store(true, Ordering::Release);
    let dead = match cure {
        Cure::Without => dead_letters(&db).await?,
        Cure::With => {
            counter.until(|counts| counts.shipped == 5).await;
            dead_letters(&db).await?
        }
    };
    let shipped = counter.counts().shipped;
    Ok(format!(
        "the carrier is back: {shipped} orders are shipped, {dead} are dead letters"
    ))
}

/// Whether the breaker is open, as the service's metrics tell it.
fn is_open(registry: &Registry) -> Result<bool, Failure> {
    let mut page = String::new();
    encode(&mut page, registry)?;
    let line = format!("breaker_state{{service=\"{SERVICE}\"}} 2");
    Ok(page.lines().any(|it| it == line))
}

fn for_ever() -> Policy {
    Policy::attempts(u32::MAX).backoff(Duration::ZERO..Duration::ZERO, Jitter::None)
}

fn three_attempts() -> Policy {
    let soon = Duration::from_millis(1)..Duration::from_millis(2);
    Policy::attempts(3).backoff(soon, Jitter::None)
}

fn paid(customer: &str, address: &str) -> OrderPaid {
    OrderPaid {
        customer: customer.to_owned(),
        address: address.to_owned(),
    }
}

async fn dead_letters(db: &Db) -> Result<usize, Failure> {
    Ok(db
        .dead_letters(SERVICE)
        .list(&Filter::default())
        .await?
        .len())
}

/// What the service's one dead letter tells.
async fn dead_letter(db: &Db) -> Result<String, Failure> {
    loop {
        let letters = db.dead_letters(SERVICE).list(&Filter::default()).await?;
        if let [letter] = &letters[..] {
            let story = &letter.story;
            return Ok(format!(
                "a dead letter ({}) at attempt {}",
                story.reason, story.attempts
            ));
        }
        look_again().await;
    }
}
