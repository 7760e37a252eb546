//! `stele log end NAME queue|topic`: removes one of the two roles of a log. `stele log peek NAME`:
//! shows its messages without taking them.

use std::io::{self, Write as _};

use anyhow::anyhow;
use clap::{Args, Subcommand, ValueEnum};

use self::peek::Peek;
use super::status::message;
use crate::{
    admin_client::{Answer, Target},
    exit::Failure,
};

mod peek;

/// What to do with a queue or topic.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// End one of the two roles of a log that is both a queue and a topic
    End(End),
    /// Show messages of a queue or topic, without taking them
    Peek(Peek),
}

/// The log, and the broker to ask.
#[derive(Args, Debug)]
pub(crate) struct End {
    /// Name of the queue or topic
    name: String,
    /// The role to end
    role: Role,
    /// Virtual host
    #[arg(long, default_value = "/")]
    vhost: String,
    #[command(flatten)]
    target: Target,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Role {
    /// From then on, records are kept within the topic's retention limits, acknowledged or not
    Queue,
    /// From then on, records are kept until they are acknowledged
    Topic,
}

/// Sends the request.
pub(crate) fn run(verb: &Verb) -> Result<(), Failure> {
    match verb {
        Verb::End(end) => run_end(end),
        Verb::Peek(peek) => peek.run(),
    }
}

/// Escapes a part of a path or a query. In a path, `+` doesn't stand for a space.
pub(super) fn escaped(text: &str) -> String {
    let escaped: String = form_urlencoded::byte_serialize(text.as_bytes()).collect();
    escaped.replace('+', "%20")
}

/// The body of a response, or why there is none.
pub(super) fn body_of(target: &Target, answer: Answer) -> Result<String, Failure> {
    match answer.status {
        200 => Ok(answer.body),
        401 => Err(Failure::Failed(anyhow!("{}", target.login_advice()))),
        503 => Err(Failure::Unavailable(anyhow!("{}", message(&answer.body)))),
        _ => Err(Failure::Failed(anyhow!("{}", message(&answer.body)))),
    }
}

fn run_end(end: &End) -> Result<(), Failure> {
    let (name, vhost) = (escaped(&end.name), escaped(&end.vhost));
    let (role, kept) = match end.role {
        Role::Queue => ("queue", "within the topic's retention limits"),
        Role::Topic => ("topic", "until they are acknowledged"),
    };
    let path = format!("/v1/logs/{name}/{role}?vhost={vhost}");
    body_of(&end.target, end.target.ask("DELETE", &path)?)?;
    let name = &end.name;
    Ok(writeln!(
        io::stdout(),
        "{name} is no longer a {role}: its records are kept {kept}"
    )?)
}
