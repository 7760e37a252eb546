//! `stele log end NAME queue|topic`: what a log is no more.

use std::io::{self, Write as _};

use anyhow::anyhow;
use clap::{Args, Subcommand, ValueEnum};

use super::status::message;
use crate::{admin_client::Target, exit::Failure};

/// What to do with a queue or topic.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Make a log that is both a queue and a topic only the other
    End(End),
}

/// Which, and of whom.
#[derive(Args, Debug)]
pub(crate) struct End {
    /// Its name
    name: String,
    /// What it is to be no more
    role: Role,
    /// Its virtual host
    #[arg(long, default_value = "/")]
    vhost: String,
    #[command(flatten)]
    target: Target,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Role {
    /// Records go by the topic's window, acknowledged or not
    Queue,
    /// Records go when they are acknowledged
    Topic,
}

/// Asks.
pub(crate) fn run(verb: &Verb) -> Result<(), Failure> {
    let Verb::End(end) = verb;
    // In a path a `+` stands for itself.
    let escaped = |text: &str| {
        let escaped: String = form_urlencoded::byte_serialize(text.as_bytes()).collect();
        escaped.replace('+', "%20")
    };
    let (name, vhost) = (escaped(&end.name), escaped(&end.vhost));
    let (role, kept) = match end.role {
        Role::Queue => ("queue", "for the topic's window"),
        Role::Topic => ("topic", "until they are acknowledged"),
    };
    let path = format!("/v1/logs/{name}/{role}?vhost={vhost}");
    let answer = end.target.ask("DELETE", &path)?;
    match answer.status {
        200 => {
            let name = &end.name;
            Ok(writeln!(
                io::stdout(),
                "{name} is no {role}: its records are kept {kept}"
            )?)
        }
        503 => Err(Failure::Unavailable(anyhow!("{}", message(&answer.body)))),
        _ => Err(Failure::Failed(anyhow!("{}", message(&answer.body)))),
    }
}
