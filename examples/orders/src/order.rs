//! The order service: takes orders, and knows what became of each.
//!
//! Orders are kept as events, and so are the bank accounts beside them. What other services tell
//! becomes an event of the order too. Choreographed, the order's own rules decide from them that it
//! is confirmed or cancelled; orchestrated, a saga does.

mod account;
mod aggregate;
mod api;
mod orders;
mod projection;
mod queries;
mod reactions;
mod saga;
mod timeline;

use std::sync::Arc;

use stele_toolkit_es::{Runner, SqlStore};

use crate::{
    process::{Failed, Process},
    settings::{ServiceSettings, Style},
};

pub use aggregate::Status;
pub use api::{Accepted, NewOrder, View};
pub use queries::OrderSummary;
pub use timeline::Entry;

use orders::Orders;
use projection::OrderProjection;

/// Runs the service until the process is asked to end.
pub async fn serve(settings: ServiceSettings) -> Result<(), Failed> {
    let mut process = Process::open(&settings).await?;
    let db = process.db.clone();
    db.migrate("order", orders::MIGRATIONS).await?;
    db.migrate("timeline", timeline::MIGRATIONS).await?;
    let store = Arc::new(SqlStore::open(db.clone()).await?);
    let orders = Orders::new(Arc::clone(&store));
    let runner = Runner::open(db, store, OrderProjection).await?;
    process.beside(async move { Ok(runner.run(std::future::pending()).await?) });
    let mut services = vec![
        reactions::service(settings.style).state(orders.clone()),
        timeline::service(),
    ];
    if settings.style == Style::Orchestrated {
        services.push(saga::service());
    }
    process.run(services, api::router(orders)).await
}
