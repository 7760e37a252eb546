//! `stele trace on|off`: starts or stops tracing the messages of a virtual host.

use std::io::{self, Write as _};

use clap::{Args, ValueEnum};

use super::log::{body_of, escaped};
use crate::{admin_client::Target, exit::Failure};

/// What to do, and the broker to ask.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// Whether copies of messages go to the exchange amq.rabbitmq.trace, until the next start
    switch: Switch,
    /// Virtual host
    #[arg(long, default_value = "/")]
    vhost: String,
    #[command(flatten)]
    target: Target,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Switch {
    /// Trace each message that is published or delivered over AMQP
    On,
    /// Stop tracing
    Off,
}

/// Sends the request.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let (method, word) = match options.switch {
        Switch::On => ("PUT", "traced"),
        Switch::Off => ("DELETE", "no longer traced"),
    };
    let path = format!("/v1/tracing?vhost={}", escaped(&options.vhost));
    body_of(&options.target, options.target.ask(method, &path)?)?;
    let vhost = &options.vhost;
    Ok(writeln!(io::stdout(), "messages of {vhost} are {word}")?)
}
