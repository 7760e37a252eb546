//! `connection.update-secret`: replaces a secret before it expires (RabbitMQ's extension).
//!
//! Fields: `new-secret`, `reason`. Reply: `connection.update-secret-ok`. It has no effect, because
//! passwords don't expire and a connection isn't authenticated again, as with RabbitMQ's internal
//! users. Spec: an extension, in the XML definition that RabbitMQ publishes. Deviations from
//! RabbitMQ: RabbitMQ accepts new tokens if its OAuth 2 plugin is enabled.

use stele_wire_amqp::method::connection::UpdateSecretOk;

use super::Handled;
use crate::connection::Connection;

pub(super) fn run(connection: &mut Connection) -> Handled {
    connection.reply(0, UpdateSecretOk {});
    Ok(())
}
