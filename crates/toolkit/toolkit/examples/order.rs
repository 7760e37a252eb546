//! Publishes an order: `order NUMBER QUANTITY`.

use std::{env, error::Error};

use serde::{Deserialize, Serialize};
use stele_toolkit::{Context, Destination, Envelope, Message, Outgoing, transport};

#[derive(Serialize, Deserialize, Message)]
#[message(version = "1.0", topic = "order.created", key = order)]
struct OrderCreated {
    order: String,
    quantity: i64,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let order = arguments.next().ok_or("the order's number is missing")?;
    let quantity = arguments.next().ok_or("the quantity is missing")?.parse()?;
    let message = OrderCreated { order, quantity };
    let envelope = Envelope::of(&message, &Context::new("order"))?;
    let to = Destination::Topic(OrderCreated::TOPIC.to_owned());
    let id = envelope.message_id.clone();
    let outgoing = Outgoing::json(to, id, envelope.encode()).with_key(message.key().0);
    for result in transport::from_env()?.publish(&[outgoing]).await {
        result?;
    }
    Ok(())
}
