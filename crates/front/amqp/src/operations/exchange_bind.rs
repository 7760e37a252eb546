//! `exchange.bind`: binds an exchange to another (RabbitMQ's extension).
//!
//! Fields: `destination`, `source`, `routing-key`, `no-wait`, `arguments` (for a headers exchange).
//! Reply: `exchange.bind-ok`. The default exchange is 403 ACCESS_REFUSED, a missing one 404
//! NOT_FOUND. Cycles are allowed: a message passes each exchange once. Spec: an extension, in the
//! XML definition that RabbitMQ publishes. Deviations from RabbitMQ: none.

use stele_core_engine::{Bind, BindingTarget};
use stele_wire_amqp::method::exchange::{Bind as Method, BindOk};

use super::{Handled, queue_bind};
use crate::{
    arguments::arguments,
    connection::Connection,
    errors::Subject,
    exchange_arguments::{Target, check_binding},
    lookup,
};

pub(super) async fn run(connection: &mut Connection, number: u16, method: &Method) -> Handled {
    let vhost = connection.session.opened.vhost.clone();
    let (source, destination) = (
        lookup::name(&method.source),
        lookup::name(&method.destination),
    );
    let exchange = lookup::named_exchange(connection, &source)?;
    lookup::named_exchange(connection, &destination)?;
    let key = queue_bind::key(&method.routing_key);
    check_binding(&exchange, Target::Exchange, &key, &method.arguments)?;
    let bind = Bind {
        vhost: vhost.clone(),
        source,
        target: BindingTarget::Exchange(destination.clone()),
        key,
        arguments: arguments(&method.arguments),
    };
    let subject = Subject::exchange(&destination, &vhost);
    let bound = connection.broker.bind(bind).await;
    bound.map_err(|error| subject.fault(error))?;
    if !method.no_wait {
        connection.reply(number, BindOk {});
    }
    Ok(())
}
