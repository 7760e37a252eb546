//! `queue.bind`: binds a queue to an exchange.
//!
//! Fields: `queue` (empty: the channel's last one), `exchange`, `routing-key` (with an empty queue
//! and an empty key: the queue's name), `no-wait`, `arguments` (for a headers exchange). Reply:
//! `queue.bind-ok`. An existing binding is left unchanged. The default exchange is 403
//! ACCESS_REFUSED; a missing exchange, then a missing queue, is 404 NOT_FOUND; what the type of the
//! exchange doesn't allow (`exchange_arguments.rs`) is 406 PRECONDITION_FAILED. Spec: 1.7.2.3.
//! Deviations from RabbitMQ: none.

use stele_base_types::Name;
use stele_core_broker::Action;
use stele_core_engine::{Bind, BindingTarget};
use stele_wire_amqp::{
    ShortString,
    method::queue::{Bind as Method, BindOk},
};

use super::Handled;
use crate::{
    arguments::arguments,
    connection::Connection,
    errors::Subject,
    exchange_arguments::{Target, check_binding},
    lookup,
};

pub(super) async fn run(connection: &mut Connection, number: u16, method: &Method) -> Handled {
    let vhost = connection.session.opened.vhost.clone();
    let queue_name = lookup::queue_name(connection, number, &method.queue)?;
    let source = lookup::name(&method.exchange);
    let exchange = lookup::named_exchange(connection, &source)?;
    let queue = lookup::queue(connection, &queue_name, Action::Write)?;
    let key = key_or_queue(&method.queue, &method.routing_key, &queue_name);
    check_binding(&exchange, Target::Queue(&queue), &key, &method.arguments)?;
    let bind = Bind {
        vhost: vhost.clone(),
        source,
        target: BindingTarget::Log(queue.id),
        key,
        arguments: arguments(&method.arguments),
    };
    let subject = Subject::queue(&queue_name, &vhost);
    let bound = connection.broker.bind(bind).await;
    bound.map_err(|error| subject.fault(error))?;
    if !method.no_wait {
        connection.reply(number, BindOk {});
    }
    Ok(())
}

/// A binding's key.
pub(super) fn key(text: &ShortString) -> Name {
    Name::new(text).expect("a short string is no longer than a name")
}

/// The key, or the last declared queue's name if both the key and the queue are empty.
pub(super) fn key_or_queue(queue: &ShortString, text: &ShortString, last_queue: &Name) -> Name {
    if queue.is_empty() && text.is_empty() {
        return last_queue.clone();
    }
    key(text)
}
