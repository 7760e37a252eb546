//! `stele bench kafka|amqp|sqs|engine`: benchmarks. The first three use only the protocols' own
//! requests, so they also run against Kafka, RabbitMQ and other SQS endpoints.
//!
//! A run first publishes, then consumes. Without `--rate`, each client sends its next request once
//! the previous one is acknowledged (closed loop). With it, requests are due at fixed times, and
//! latency counts from the time a request was due, so that a stall of the server shows in the
//! latency of every request it delays.

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
    /// Produce with acks=all, then fetch; one partition per client
    Kafka(Load),
    /// Publish persistent messages with confirms, then consume with acknowledgements
    Amqp(Load),
    /// Send, then receive and delete
    Sqs(Load),
    /// The engine alone, on one core, without I/O
    Engine(engine::Options),
}

/// The load to generate.
#[derive(Args, Clone, Debug)]
pub(crate) struct Load {
    /// Address of the broker [default: the protocol's usual port on loopback]
    #[arg(long, value_name = "HOST:PORT")]
    address: Option<String>,
    /// Total number of messages
    #[arg(long, default_value_t = 100_000, value_name = "N")]
    messages: u64,
    /// Size of a message body
    #[arg(long, default_value = "1KiB", value_parser = size)]
    size: Size,
    /// Number of clients, each with its own connection
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=1000))]
    clients: u16,
    /// Messages per request, acknowledged together; at most 10 for SQS
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    batch: u16,
    /// Messages per second over all clients [default: as fast as they are acknowledged]
    #[arg(long, value_name = "N")]
    rate: Option<f64>,
    /// Check that every message arrives exactly once, and in order where the protocol guarantees it
    #[arg(long)]
    verify: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Name and password for AMQP
    #[arg(long, default_value = "guest:guest", value_name = "NAME:PASSWORD")]
    login: String,
    /// Access key and secret for signing SQS requests
    #[arg(long, default_value = "any:any", value_name = "ID:SECRET")]
    key: String,
}

fn size(text: &str) -> Result<Size, String> {
    Size::parse(text).ok_or_else(|| "expected a size with its unit, such as 1KiB".to_owned())
}

/// Runs a benchmark.
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
