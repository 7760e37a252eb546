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
    topology::ORDER,
};

pub use aggregate::Status;
pub use api::{Accepted, NewOrder, View};
pub use queries::OrderSummary;
pub use timeline::Entry;

use orders::Orders;
use projection::OrderProjection;

/// What the order service is told.
#[derive(clap::Args, Clone, Debug)]
pub struct OrderSettings {
    #[command(flatten)]
    pub service: ServiceSettings,

    /// Where timelines are kept, which nothing is decided by
    #[arg(long)]
    pub timeline_db: String,
}

/// Runs the service until the process is asked to end.
pub async fn serve(settings: OrderSettings) -> Result<(), Failed> {
    let mut process = Process::open(&settings.service, ORDER).await?;
    let db = process.db.clone();
    db.migrate("order", orders::MIGRATIONS).await?;
    let timelines = process.open_db(&settings.timeline_db).await?;
    timelines.migrate("timeline", timeline::MIGRATIONS).await?;
    process.apart(timeline::service(), timelines.clone());
    let store = Arc::new(SqlStore::open(db.clone()).await?);
    let orders = Orders::new(Arc::clone(&store), timelines);
    let runner = Runner::open(db, store, OrderProjection).await?;
    process.beside(async move { Ok(runner.run(std::future::pending()).await?) });
    let style = settings.service.style;
    let mut services = vec![reactions::service(style).state(orders.clone())];
    if style == Style::Orchestrated {
        services.push(saga::service());
    }
    process.run(services, api::router(orders)).await
}
