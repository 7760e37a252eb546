//! The service of orders: reserves and charges what is ordered, or undoes it.
//!
//! ```sh
//! export BROKER_URL='amqp://guest:guest@localhost:5672/%2f' DATABASE_URL=sqlite:orders.db
//! cargo run -p stele-toolkit --example place_order
//! ```

#![allow(dead_code, reason = "tests use the rest")]

mod messages;
mod saga;

use stele_toolkit::{database, transport};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().init();
    let db = database::from_env().await?;
    saga::orders().run(db, transport::from_env()?).await?;
    Ok(())
}
