//! What the processes are told when they start.

use std::{fmt, net::SocketAddr, path::PathBuf};

use clap::{Args, ValueEnum};

use crate::faults::FaultSettings;

/// The protocol by which the services talk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Protocol {
    /// Kafka.
    Kafka,
    /// AMQP 0-9-1.
    Amqp,
    /// Amazon SQS.
    Sqs,
}

/// Who decides what happens to an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Style {
    /// Each service reacts to the events of the others.
    Choreographed,
    /// The order service runs a saga, and sends commands.
    Orchestrated,
}

impl Protocol {
    /// Its name: `kafka`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kafka => "kafka",
            Self::Amqp => "amqp",
            Self::Sqs => "sqs",
        }
    }
}

impl Style {
    /// Its name: `choreographed`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Choreographed => "choreographed",
            Self::Orchestrated => "orchestrated",
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Style {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What each service is told.
#[derive(Args, Clone, Debug)]
pub struct ServiceSettings {
    /// The protocol by which the services talk
    #[arg(long = "transport", value_enum)]
    pub protocol: Protocol,

    /// The broker: `HOST:PORT` of Kafka, `amqp://USER:PASSWORD@HOST:PORT/VHOST`, or the endpoint
    /// `http://HOST:PORT` of SQS
    #[arg(long)]
    pub broker: String,

    /// Who decides what happens to an order
    #[arg(long, value_enum)]
    pub style: Style,

    /// The service's own database: `sqlite:FILE` or `postgres://…`
    #[arg(long)]
    pub db: String,

    #[command(flatten)]
    pub http: HttpSettings,

    #[command(flatten)]
    pub faults: FaultSettings,
}

/// Where a process listens.
#[derive(Args, Clone, Debug)]
pub struct HttpSettings {
    /// Where to listen for HTTP; port 0 is any free port
    #[arg(long = "http", default_value = "127.0.0.1:0")]
    pub address: SocketAddr,

    /// A file for the address that is listened at, written once the process is ready
    #[arg(long)]
    pub address_file: Option<PathBuf>,
}
