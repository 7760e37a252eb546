//! The program `shop`: each process of the order system is a subcommand.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use orders::{
    analytics,
    audit::{self, AuditSettings},
    chaos::{self, ChaosSettings},
    costs::{self, CostsSettings},
    counts::Statements,
    inventory::{self, InventorySettings},
    load::{self, LoadSettings},
    notification::{self, NotificationSettings},
    order::{self, OrderSettings},
    payment::{self, PaymentSettings},
    process::Failed,
    provider::{self, ProviderSettings},
    run::{self, RunSettings},
    settings::ServiceSettings,
    shipping,
    sink::{self, SinkSettings},
    soak::{self, SoakSettings},
};
use tracing::Level;
use tracing_subscriber::{
    Layer as _,
    filter::{LevelFilter, filter_fn},
    layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

/// An order system over Kafka, AMQP or Amazon SQS
#[derive(Debug, Parser)]
#[command(name = "shop", version)]
struct Shop {
    /// The least important lines that are logged: error, warn, info, debug or trace
    #[arg(long, global = true, default_value = "info")]
    log: Level,

    /// Counts the statements that databases get, for /metrics
    #[arg(long, global = true)]
    count_statements: bool,

    #[command(subcommand)]
    part: Part,
}

#[derive(Debug, Subcommand)]
enum Part {
    /// Starts everything, and a Stele as the broker
    Run(RunSettings),
    /// Takes orders, over HTTP
    Order(OrderSettings),
    /// Sets aside what orders need
    Inventory(InventorySettings),
    /// Charges orders at the provider
    Payment(PaymentSettings),
    /// Plans shipments
    Shipping(ServiceSettings),
    /// Sends mails
    Notification(NotificationSettings),
    /// Counts what is sold
    Analytics(ServiceSettings),
    /// A payment provider with test cards
    Provider(ProviderSettings),
    /// A mail server that keeps what it gets
    Sink(SinkSettings),
    /// Places orders of all kinds, and tells how long they took
    Load(LoadSettings),
    /// Ends and pauses processes, and sends what nobody can read
    Chaos(ChaosSettings),
    /// Checks from outside that everything agrees: to the cent, and to the piece
    Audit(AuditSettings),
    /// All of the proof, in a shop of each protocol and style
    Soak(SoakSettings),
    /// Counts what an order costs, in a shop of each protocol and style
    Costs(CostsSettings),
}

#[tokio::main]
async fn main() -> ExitCode {
    let shop = Shop::parse();
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .with_filter(LevelFilter::from_level(shop.log));
    let counts = shop.count_statements.then(Statements::count);
    let counts = counts.map(|counts| counts.with_filter(filter_fn(Statements::are_told_by)));
    tracing_subscriber::registry()
        .with(lines)
        .with(counts)
        .init();
    match serve(shop.part).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(part: Part) -> Result<(), Failed> {
    match part {
        Part::Run(settings) => run::run(settings).await,
        Part::Order(settings) => order::serve(settings).await,
        Part::Inventory(settings) => inventory::serve(settings).await,
        Part::Payment(settings) => payment::serve(settings).await,
        Part::Shipping(settings) => shipping::serve(settings).await,
        Part::Notification(settings) => notification::serve(settings).await,
        Part::Analytics(settings) => analytics::serve(settings).await,
        Part::Provider(settings) => provider::serve(settings).await,
        Part::Sink(settings) => sink::serve(settings).await,
        Part::Load(settings) => load::run(settings).await,
        Part::Chaos(settings) => chaos::run(settings).await,
        Part::Audit(settings) => audit::run(settings).await,
        Part::Soak(settings) => soak::run(settings).await,
        Part::Costs(settings) => costs::run(settings).await,
    }
}
