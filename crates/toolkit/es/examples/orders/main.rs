//! Orders with a write side and a read side: commands become events, a projection keeps
//! `order_summaries`, queries read it, also right after a command.
//!
//! ```sh
//! cargo run -p stele-toolkit-es --example orders
//! ```

#![expect(clippy::print_stdout, reason = "this program shows something")]

use std::{error::Error, sync::Arc, time::Duration};

use stele_toolkit_envelope::Context;
use stele_toolkit_es::{Commands, Queries, Repository, Runner, SqlStore};
use stele_toolkit_sql::Db;
use tokio::sync::oneshot;

mod commands;
mod order;
mod projection;
mod queries;

use commands::{CancelOrder, CreateOrder, OrderCommandHandler, UpdateOrder};
use projection::OrderProjection;
use queries::{OrderQueryHandler, OrderSummaryById, OrdersOfCustomer, Revenue};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("orders.db");
    let db = Db::open(&format!("sqlite:{}", path.display())).await?;
    let store = Arc::new(SqlStore::open(db.clone()).await?);
    let handler = Arc::new(OrderCommandHandler {
        orders: Repository::new(store.clone()),
    });
    let commands = Commands::new()
        .with::<CreateOrder>(handler.clone())
        .with::<UpdateOrder>(handler.clone())
        .with::<CancelOrder>(handler);
    let handler = Arc::new(OrderQueryHandler { db: db.clone() });
    let queries = Queries::new(db.clone())
        .with::<OrderSummaryById>(handler.clone())
        .with::<OrdersOfCustomer>(handler.clone())
        .with::<Revenue>(handler);

    let (stop, stopped) = oneshot::channel::<()>();
    let runner = Runner::open(db, store, OrderProjection).await?;
    let running = tokio::spawn(runner.run(async {
        stopped.await.ok();
    }));

    let shop = Context::new("order-service").with_user_id("user-789");
    let create = CreateOrder {
        order_id: "order-123".into(),
        customer_name: "Ada".into(),
        total_cents: 9_999,
    };
    let written = commands.handle(create, &shop).await?;
    let in_time = Duration::from_millis(500);
    let by_id = || OrderSummaryById("order-123".into());
    let own = queries.after(written, in_time).ask(by_id()).await?;
    println!("created:   {own:?}");

    let update = UpdateOrder {
        order_id: "order-123".into(),
        total_cents: 8_999,
    };
    let written = commands.handle(update, &shop).await?;
    let customer = OrdersOfCustomer("Ada".into());
    let all = queries.after(written, in_time).ask(customer).await?;
    println!("updated:   {all:?}");
    println!("revenue:   {} cents", queries.ask(Revenue).await?);

    let cancel = CancelOrder {
        order_id: "order-123".into(),
        reason: "changed my mind".into(),
    };
    let written = commands.handle(cancel, &shop).await?;
    let own = queries.after(written, in_time).ask(by_id()).await?;
    println!("cancelled: {own:?}");

    drop(stop);
    running.await??;
    Ok(())
}
