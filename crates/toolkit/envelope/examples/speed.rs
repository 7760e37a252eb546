//! How long it takes to make, write and read the envelope of an order:
//! `cargo run --release --package stele-toolkit-envelope --example speed`.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a measurement, for a terminal"
)]

use std::{hint::black_box, time::Instant};

use serde::{Deserialize, Serialize};
use stele_toolkit_envelope::{
    Binding, Context, Envelope, Form, Key, Message, Reading, Timestamp, WireView,
};

const ORDER: &[u8] = concat!(
    r#"{"messageId":"msg-uuid-12345","type":"OrderCreated","version":"1.0","#,
    r#""timestamp":"2024-01-15T10:30:00Z","source":"order-service","#,
    r#""correlationId":"req-uuid-67890","data":{"orderId":"order-123","#,
    r#""customerId":"cust-456","items":[{"sku":"pen","quantity":3}],"total":99.99},"#,
    r#""metadata":{"traceId":"trace-abc","userId":"user-789"}}"#,
)
.as_bytes();

#[derive(Serialize, Deserialize, Message)]
#[serde(rename_all = "camelCase")]
#[message(version = "1.0", topic = "order.created", key = order_id)]
struct OrderCreated {
    order_id: String,
    customer_id: String,
    items: Vec<Item>,
    total: f64,
}

#[derive(Serialize, Deserialize)]
struct Item {
    sku: String,
    quantity: u32,
}

fn main() {
    const LIMIT: usize = 64 * 1024;
    let decode = || Envelope::decode(ORDER, LIMIT).expect("an envelope");
    let envelope = decode();
    let order: OrderCreated = envelope.open().expect("an order");
    let context = Context::new("order-service");
    measure("decode", || drop(black_box(decode())));
    measure("encode", || drop(black_box(envelope.encode())));
    measure("decode and encode", || drop(black_box(decode().encode())));
    measure("open", || drop(black_box(envelope.open::<OrderCreated>())));
    measure("of, with the system's ids", || {
        drop(black_box(Envelope::of(&order, &context)));
    });
    let reading = Reading {
        size_bytes_max: LIMIT,
        received_at: Timestamp::UNIX_EPOCH,
    };
    let key = Key::from("order-123");
    for form in [Form::Structured, Form::Binary(Binding::Kafka)] {
        measure(&format!("CloudEvents, {form:?}, both ways"), || {
            let message = envelope.to_wire(&key, form);
            let view: WireView<'_> = message.view();
            drop(black_box(view.decode(&reading)));
        });
    }
}

/// Prints the mean time of a run: of seven rounds, the fastest and the median.
fn measure(name: &str, run: impl Fn()) {
    const ROUNDS: usize = 7;
    const RUNS: u32 = 100_000;
    let mut rounds: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            (0..RUNS).for_each(|_| run());
            start.elapsed().as_secs_f64() * 1e6 / f64::from(RUNS)
        })
        .collect();
    rounds.sort_by(f64::total_cmp);
    println!(
        "{name}: {:.2} µs, median {:.2} µs",
        rounds[0],
        rounds[ROUNDS / 2]
    );
}
