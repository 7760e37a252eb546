//! The order service: takes orders, and knows what became of each.
//!
//! Orders are kept as events, and so are the bank accounts beside them. What other services tell
//! becomes an event of the order too. Choreographed, the order's own rules decide from them that it
//! is confirmed or cancelled; orchestrated, a saga does.

mod account;
mod aggregate;
mod api;
mod orders;
mod page;
mod peers;
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

pub use peers::Peer;

pub use aggregate::Status;
pub use api::{Accepted, NewOrder, View};
pub use queries::OrderSummary;
pub use timeline::Entry;

use orders::Orders;
use page::Page;
use peers::Peers;
use projection::OrderProjection;
use timeline::Changes;

/// What the order service is told.
#[derive(clap::Args, Clone, Debug)]
pub struct OrderSettings {
    #[command(flatten)]
    pub service: ServiceSettings,

    /// Where timelines are kept, which nothing is decided by
    #[arg(long)]
    pub timeline_db: String,

    /// The other services, whose activity and dead letters the page shows: `NAME=http://HOST:PORT`
    #[arg(long = "peer", value_delimiter = ',')]
    pub peers: Vec<Peer>,
}

/// Runs the service until the process is asked to end.
pub async fn serve(settings: OrderSettings) -> Result<(), Failed> {
    let (timeline_db, peers) = (settings.timeline_db, Peers::new(settings.peers));
    let settings = settings.service;
    let mut process = Process::open(&settings, ORDER).await?;
    let db = process.db.clone();
    db.migrate("order", orders::MIGRATIONS).await?;
    let timelines = process.open_db(&timeline_db).await?;
    timelines.migrate("timeline", timeline::MIGRATIONS).await?;
    let changes = Changes::new();
    process.apart(timeline::service(changes.clone()), timelines.clone());
    let store = Arc::new(SqlStore::open(db.clone()).await?);
    let orders = Orders::new(Arc::clone(&store), timelines);
    let runner = Runner::open(db, store, OrderProjection).await?;
    process.beside(async move { Ok(runner.run(std::future::pending()).await?) });
    peers.follow(&settings, &mut process)?;
    let mut services =
        vec![reactions::service(settings.style, settings.faults.strikes()).state(orders.clone())];
    if settings.style == Style::Orchestrated {
        services.push(saga::service());
    }
    let page = Page {
        orders: orders.clone(),
        transport: Arc::clone(&process.transport),
        peers: Arc::new(peers),
    };
    let router = api::router(orders, changes).merge(page::router(page));
    process.run(services, router).await
}
