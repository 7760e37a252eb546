//! `queue.unbind`: removes a binding.
//!
//! Fields: those of the binding. Reply: `queue.unbind-ok`, even if the binding, exchange or queue
//! doesn't exist. Spec: 1.7.2.5. Deviations from RabbitMQ: none.

use stele_base_types::Name;
use stele_core_broker::{self as broker, Action};
use stele_core_engine::{Bind, BindingTarget, CatalogueError};
use stele_wire_amqp::method::queue::{Unbind, UnbindOk};

use super::{Handled, queue_bind};
use crate::{
    arguments::arguments,
    connection::Connection,
    errors::{Fault, Subject},
    lookup,
};

pub(super) async fn run(connection: &mut Connection, number: u16, method: &Unbind) -> Handled {
    let queue_name = lookup::queue_name(connection, number, &method.queue)?;
    let source = lookup::name(&method.exchange);
    if source.is_empty() {
        return Err(Fault::default_exchange());
    }
    if let Some(binding) = existing(connection, &queue_name, source, method) {
        // May be exclusive to another connection, which matters only now, as in RabbitMQ.
        lookup::log(connection, &queue_name, Action::Write)?;
        unbind(connection, binding).await?;
    }
    connection.reply(number, UnbindOk {});
    Ok(())
}

/// The binding, if it exists.
fn existing(connection: &Connection, queue: &Name, source: Name, method: &Unbind) -> Option<Bind> {
    let vhost = connection.session.opened.vhost.clone();
    let catalogue = connection.broker.catalogue();
    let binding = Bind {
        target: BindingTarget::Log(catalogue.log(&vhost, queue)?.id),
        vhost,
        source,
        key: queue_bind::key_or_queue(&method.queue, &method.routing_key, queue),
        arguments: arguments(&method.arguments),
    };
    catalogue.is_bound(&binding).then_some(binding)
}

/// Removes a binding if it exists.
pub(super) async fn unbind(connection: &Connection, binding: Bind) -> Handled {
    let (source, vhost) = (binding.source.clone(), binding.vhost.clone());
    match connection.broker.unbind(binding).await {
        Ok(()) | Err(broker::Error::Refused(CatalogueError::NoSuchExchange(_))) => Ok(()),
        Err(error) => Err(Subject::exchange(&source, &vhost).fault(error)),
    }
}
