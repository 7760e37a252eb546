//! What a handler costs beside the bare transport: `cargo run --release --example overhead
//! --features memory -p stele-toolkit-bus`.
//!
//! Messages of 1,000 keys wait in a topic in memory. They are taken and acknowledged bare, and then
//! by a service without a database: with the envelope read, the event opened, lanes by key, a span,
//! metrics and a task for each message. One thread, whose time on the processor is told, so that
//! what else the machine does changes little.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde::{Deserialize, Serialize};
use stele_toolkit_bus::{
    Destination, Event, NoStore, Outgoing, Service, State, Subscription, SystemClock, Transport,
    memory::MemoryBroker,
};
use stele_toolkit_envelope::{Context, Envelope, Message};
use tokio::sync::Notify;

const MESSAGES: usize = 100_000;

#[derive(Serialize, Deserialize, Message)]
#[serde(rename_all = "camelCase")]
#[message(version = "1.0", topic = "order.created", key = order_id)]
struct OrderCreated {
    order_id: String,
    customer_name: String,
    total_cents: i64,
}

#[derive(Default)]
struct Handled {
    count: AtomicUsize,
    all: Notify,
}

async fn count(Event(order): Event<OrderCreated>, State(handled): State<Arc<Handled>>) {
    std::hint::black_box(&order);
    if handled.count.fetch_add(1, Ordering::Relaxed) + 1 == MESSAGES {
        handled.all.notify_one();
    }
}

async fn filled() -> MemoryBroker {
    let broker = MemoryBroker::new(Arc::new(SystemClock));
    let context = Context::new("overhead");
    let message = |number: usize| {
        let order = OrderCreated {
            order_id: format!("order-{}", number % 1000),
            customer_name: "Ada Lovelace".to_owned(),
            total_cents: 9999,
        };
        let envelope = Envelope::of(&order, &context).expect("an envelope");
        let to = Destination::Topic("order.created".to_owned());
        let key = order.key().0;
        Outgoing::json(to, envelope.message_id.clone(), envelope.encode()).with_key(key)
    };
    let batch: Vec<Outgoing> = (0..MESSAGES).map(message).collect();
    for result in broker.transport().publish(&batch).await {
        result.expect("published");
    }
    broker
}

/// How long this thread has run on a processor.
#[expect(
    clippy::disallowed_methods,
    reason = "there is no other way to ask the kernel"
)]
fn processor_time() -> Duration {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux tells it");
    let nanos = told.split(' ').next().expect("the first of three numbers");
    Duration::from_nanos(nanos.parse().expect("a number"))
}

async fn bare() -> Duration {
    let broker = filled().await;
    let subscription = Subscription::new("bare").topic("order.created");
    let subscribed = broker.transport().subscribe(&subscription).await;
    let mut deliveries = subscribed.expect("subscribed");
    let start = processor_time();
    for _ in 0..MESSAGES {
        let delivery = deliveries.next().await.expect("a delivery");
        delivery.ack().await.expect("acknowledged");
    }
    processor_time() - start
}

async fn handled() -> Duration {
    let broker = filled().await;
    let handled = Arc::new(Handled::default());
    let service = Service::new("service")
        .on(count)
        .state(Arc::clone(&handled))
        .ordered_by_key(64);
    let start = processor_time();
    let transport = Arc::new(broker.transport());
    let started = service.start(Arc::new(NoStore), transport).await;
    let running = started.expect("started");
    handled.all.notified().await;
    let took = processor_time() - start;
    running.stop().await.expect("stopped");
    took
}

#[expect(clippy::print_stdout, reason = "the figure is what it is for")]
#[tokio::main(flavor = "current_thread")]
async fn main() {
    let each = |took: Duration| took.as_secs_f64() * 1e6 / MESSAGES as f64;
    for _ in 0..3 {
        let (bare, handled) = (each(bare().await), each(handled().await));
        let over = handled - bare;
        println!("bare {bare:.2} µs, handled {handled:.2} µs: {over:.2} µs a message over it");
    }
}
