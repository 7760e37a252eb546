//! Starts everything: a broker, the provider, a mail server and the six services. What ends by
//! itself, or is killed, is started again.

mod addresses;
mod fleet;
mod programs;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    pin::pin,
};

use stele_toolkit_bus::asked_to_end;
use stele_toolkit_sql::sqlx::{self, Connection as _};
use tempfile::TempDir;

use crate::{
    faults::FaultSettings,
    process::{self, Failed},
    settings::{Protocol, Style},
};

pub use addresses::Addresses;
use fleet::Fleet;
use programs::DATABASES;

/// What `shop run` is told.
#[derive(clap::Args, Clone, Debug)]
pub struct RunSettings {
    /// The protocol by which the services talk
    #[arg(long = "transport", value_enum, default_value_t = Protocol::Amqp)]
    pub protocol: Protocol,

    /// Who decides what happens to an order
    #[arg(long, value_enum, default_value_t = Style::Choreographed)]
    pub style: Style,

    /// A broker that runs already, in the form of its protocol; otherwise a Stele is started
    #[arg(long)]
    pub broker: Option<String>,

    /// The program `stele`
    #[arg(long, default_value = "stele")]
    pub stele: PathBuf,

    /// A PostgreSQL server, `postgres://USER@HOST:PORT`, that gets a database for each service;
    /// otherwise each service has a SQLite file
    #[arg(long)]
    pub postgres: Option<String>,

    /// Where data, logs and addresses are kept; otherwise they are deleted at the end
    #[arg(long)]
    pub dir: Option<PathBuf>,

    /// Where orders are taken; port 0 is any free port
    #[arg(long, default_value = "127.0.0.1:8080")]
    pub http: SocketAddr,

    /// What is in stock at the first start: `SKU=PIECES,…`
    #[arg(long)]
    pub stock: Option<String>,

    /// The mail server refuses every so manieth mail for now
    #[arg(long, default_value_t = 0)]
    pub busy_every: u64,

    #[command(flatten)]
    pub faults: FaultSettings,
}

/// Starts everything, and ends it when the process is asked to end.
pub async fn run(settings: RunSettings) -> Result<(), Failed> {
    let mut asked = pin!(asked_to_end()?);
    let temporary = match &settings.dir {
        Some(dir) => {
            tokio::fs::create_dir_all(dir).await?;
            None
        }
        None => Some(tempfile::tempdir()?),
    };
    let dir = settings.dir.as_deref();
    let dir = dir.or(temporary.as_ref().map(TempDir::path));
    let dir = dir.ok_or("there is no directory")?;
    let mut fleet = Fleet::new(dir).await?;
    let started = tokio::select! {
        started = start(&settings, dir, &mut fleet) => started.map(Some),
        () = &mut asked => Ok(None),
    };
    if let Ok(Some(addresses)) = &started {
        say(&settings, addresses, dir);
        asked.await;
    }
    fleet.stop().await?;
    started.map(drop)
}

async fn start(settings: &RunSettings, dir: &Path, fleet: &mut Fleet) -> Result<Addresses, Failed> {
    let addresses = Addresses::choose(settings, dir).await?;
    if let Some(server) = &settings.postgres {
        make_databases(server).await?;
    }
    if settings.broker.is_none() {
        fleet
            .start(programs::broker(settings, &addresses, dir))
            .await?;
    }
    for program in programs::outside(settings, &addresses, dir)? {
        fleet.start(program).await?;
    }
    for program in programs::services(settings, &addresses, dir)? {
        fleet.start(program).await?;
    }
    fleet.ready().await?;
    let file = dir.join("addresses.json");
    process::write_whole(&file, &serde_json::to_vec_pretty(&addresses)?).await?;
    Ok(addresses)
}

/// A database for each service, where there is none.
async fn make_databases(server: &str) -> Result<(), Failed> {
    sqlx::any::install_default_drivers();
    let mut connection = sqlx::AnyConnection::connect(&format!("{server}/postgres")).await?;
    for name in DATABASES {
        let database = addresses::database_of(name);
        let known = sqlx::query("SELECT 1 FROM pg_database WHERE datname = $1");
        let known = known.bind(database.clone());
        if known.fetch_optional(&mut connection).await?.is_none() {
            let make = sqlx::AssertSqlSafe(format!("CREATE DATABASE {database}"));
            sqlx::query(make).execute(&mut connection).await?;
        }
    }
    Ok(connection.close().await?)
}

#[expect(
    clippy::print_stdout,
    reason = "whoever started it wants to know where to look"
)]
fn say(settings: &RunSettings, addresses: &Addresses, dir: &Path) {
    let (protocol, style) = (settings.protocol, settings.style);
    println!("The shop is open: {style}, over {protocol}.");
    println!("  page     http://{}/", addresses.order);
    println!("  orders   http://{}/orders", addresses.order);
    println!("  stock    http://{}/stock", addresses.inventory);
    println!("  parcels  http://{}/shipments", addresses.shipping);
    println!("  sales    http://{}/sales", addresses.analytics);
    println!("  ledger   http://{}/ledger", addresses.provider);
    println!("  mails    http://{}/mails", addresses.sink);
    println!("  broker   {}", addresses.broker);
    println!("  logs     {}", dir.join("logs").display());
    println!("Ctrl-C closes it.");
}
