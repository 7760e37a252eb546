//! A service with one handler: an order comes, stock is taken, and others are told.

use serde::{Deserialize, Serialize};
use stele_toolkit::{database, prelude::*, transport};

#[derive(Serialize, Deserialize, Message)]
#[message(version = "1.0", topic = "order.created", key = order)]
struct OrderCreated {
    order: String,
    quantity: i64,
}

#[derive(Serialize, Deserialize, Message)]
#[message(version = "1.0", topic = "inventory.reserved", key = order)]
struct InventoryReserved {
    order: String,
}

const STOCK: &str = "CREATE TABLE stock (free BIGINT); INSERT INTO stock VALUES (100)";

async fn reserve(
    Event(order): Event<OrderCreated>,
    mut tx: Tx,
    out: Outbox,
) -> Result<(), Failure> {
    if order.quantity < 1 {
        return Err(Failure::reject("an order of nothing"));
    }
    let take = sqlx::query("UPDATE stock SET free = free - $1 WHERE free >= $1");
    let taken = take.bind(order.quantity).execute(&mut *tx).await?;
    if taken.rows_affected() == 0 {
        return Err(Failure::retry("out of stock"));
    }
    out.publish(&InventoryReserved { order: order.order });
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().init();
    let db = database::from_env().await?;
    db.migrate("inventory", &[Migration::portable(1, STOCK)])
        .await?;
    let service = Service::new("inventory").on(reserve);
    service.run(db, transport::from_env()?).await?;
    Ok(())
}
