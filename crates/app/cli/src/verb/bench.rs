//! `stele bench kafka|amqp|sqs|engine`: measures, by the protocols' own requests, so that it runs
//! against Kafka, RabbitMQ and other SQS endpoints as well.
//!
//! Publishing comes first, consuming second. Without `--rate` each client sends as soon as it has
//! been acknowledged (closed loop). With it, requests are due at fixed moments, and latency counts
//! from the moment that a request was due: a server that stalls is charged for what waited.

mod amqp;
mod check;
mod client;
mod engine;
mod kafka;
mod load;
mod message;
mod report;
mod sqs;

use anyhow::anyhow;
use clap::{Args, Subcommand};
use stele_app_config::Size;

use self::client::Protocol;
use crate::exit::Failure;

/// What to measure.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Produce with acks=all, then fetch; one partition for each client
    Kafka(Load),
    /// Publish persistent messages with confirms, then consume with acknowledgements
    Amqp(Load),
    /// Send, then receive and delete
    Sqs(Load),
    /// The engine alone, on one core, without I/O
    Engine(engine::Options),
}

/// The load.
#[derive(Args, Clone, Debug)]
pub(crate) struct Load {
    /// Where the broker is [default: the customary port on loopback]
    #[arg(long, value_name = "HOST:PORT")]
    address: Option<String>,
    /// Messages in all
    #[arg(long, default_value_t = 100_000, value_name = "N")]
    messages: u64,
    /// Size of a message's body
    #[arg(long, default_value = "1KiB", value_parser = size)]
    size: Size,
    /// Clients, each with a connection of its own
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=1000))]
    clients: u16,
    /// Messages in a request, acknowledged together; SQS takes 10 at most
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    batch: u16,
    /// Messages a second, of all clients together; as fast as acknowledged when left out
    #[arg(long, value_name = "N")]
    rate: Option<f64>,
    /// Check that every message arrives, once, and in order where that is promised
    #[arg(long)]
    verify: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Name and password for AMQP
    #[arg(long, default_value = "guest:guest", value_name = "NAME:PASSWORD")]
    login: String,
    /// Access key and secret that SQS requests are signed with
    #[arg(long, default_value = "any:any", value_name = "ID:SECRET")]
    key: String,
}

fn size(text: &str) -> Result<Size, String> {
    Size::parse(text).ok_or_else(|| "expected a size with its unit, such as 1KiB".to_owned())
}

/// Measures.
pub(crate) fn run(verb: &Verb) -> Result<(), Failure> {
    match verb {
        Verb::Sqs(load) if usize::from(load.batch) > sqs::ENTRIES_MAX => {
            let (batch, max) = (load.batch, sqs::ENTRIES_MAX);
            Err(Failure::Usage(anyhow!(
                "--batch {batch}: a request to SQS takes at most {max} messages"
            )))
        }
        Verb::Kafka(load) => load::run(Protocol::Kafka, load),
        Verb::Amqp(load) => load::run(Protocol::Amqp, load),
        Verb::Sqs(load) => load::run(Protocol::Sqs, load),
        Verb::Engine(options) => engine::run(options),
    }
}
