//! `connection.update-secret`: a new token before the old one expires (RabbitMQ's extension).
//!
//! Fields: `new-secret`, `reason`. Never answered: 530 NOT_ALLOWED, since passwords don't expire
//! and there are no tokens.
//! Spec: an extension, in the XML definition that RabbitMQ publishes.
//! Deviations from RabbitMQ: it takes tokens where its OAuth 2 plugin is on.

use super::Outcome;
use crate::errors::Fault;

pub(super) fn run() -> Outcome {
    Err(Fault::not_allowed(
        "new secret was refused by one of the backends: credentials don't expire",
    ))
}
