//! `connection.update-secret`: a new secret before the old one expires (RabbitMQ's extension).
//!
//! Fields: `new-secret`, `reason`. Answer: `connection.update-secret-ok`. Passwords don't expire
//! and a connection isn't authenticated again, so that there is nothing to be done, as with
//! RabbitMQ's own users.
//! Spec: an extension, in the XML definition that RabbitMQ publishes.
//! Deviations from RabbitMQ: it takes tokens where its OAuth 2 plugin is on.

use stele_wire_amqp::method::connection::UpdateSecretOk;

use super::Handled;
use crate::connection::Connection;

pub(super) fn run(connection: &mut Connection) -> Handled {
    connection.reply(0, UpdateSecretOk {});
    Ok(())
}
