//! `exchange.unbind`: removes a binding between exchanges (RabbitMQ's extension).
//!
//! Fields: those of the binding, and `no-wait`. Reply: `exchange.unbind-ok`, even if the binding or
//! an exchange doesn't exist. Spec: an extension, in the XML definition that RabbitMQ publishes.
//! Deviations from RabbitMQ: none.

use stele_core_engine::{Bind, BindingTarget};
use stele_wire_amqp::method::exchange::{Unbind, UnbindOk};

use super::{Handled, queue_bind, queue_unbind};
use crate::{arguments::arguments, connection::Connection, errors::Fault, lookup};

pub(super) async fn run(connection: &mut Connection, number: u16, unbind: &Unbind) -> Handled {
    let source = lookup::name(&unbind.source);
    let destination = lookup::name(&unbind.destination);
    if source.is_empty() || destination.is_empty() {
        return Err(Fault::default_exchange());
    }
    let binding = Bind {
        vhost: connection.session.opened.vhost.clone(),
        source,
        target: BindingTarget::Exchange(destination),
        key: queue_bind::key(&unbind.routing_key),
        arguments: arguments(&unbind.arguments),
    };
    queue_unbind::unbind(connection, binding).await?;
    if !unbind.no_wait {
        connection.reply(number, UnbindOk {});
    }
    Ok(())
}
