//! Looks up the objects that methods name.

use stele_base_types::Name;
use stele_core_broker::{Action, ResolveError};
use stele_core_engine::{Exchange, LogDefinition};
use stele_wire_amqp::ShortString;

use crate::{
    connection::Connection,
    errors::{Fault, Subject},
    queue_arguments,
};

/// Names with this prefix are reserved for the server.
pub(crate) const RESERVED_PREFIX: &str = "amq.";

/// The name under which this front stores its settings of a log.
pub(crate) const FACET: &str = "amqp";

/// The name as RabbitMQ reads it: without line ends.
pub(crate) fn name(text: &ShortString) -> Name {
    let kept: String = text.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
    Name::new(&kept).expect("a short string is no longer than a name")
}

/// The queue's name; an empty one means the channel's last declared queue.
pub(crate) fn queue_name(
    connection: &mut Connection,
    number: u16,
    text: &ShortString,
) -> Result<Name, Fault> {
    if !text.is_empty() {
        return Ok(name(text));
    }
    let last = connection.session.channel(number)?.last_queue.clone();
    last.ok_or_else(|| {
        Fault::new(
            stele_wire_amqp::reply_code::NOT_FOUND,
            "no previously declared queue",
        )
    })
}

/// The log with this name, for `action`, if it exists.
pub(crate) fn log(
    connection: &Connection,
    name: &Name,
    action: Action,
) -> Result<Option<LogDefinition>, Fault> {
    let vhost = connection.session.opened.vhost.as_str();
    let client = connection.principal();
    match connection.broker.resolve(client, vhost, name, action) {
        Ok(definition) => Ok(Some(definition.clone())),
        Err(ResolveError::NoSuchLog) => Ok(None),
        Err(error) => Err(Subject::queue(name, vhost).unresolved(error)),
    }
}

/// The queue with this name, for `action`, which must exist.
pub(crate) fn queue(
    connection: &Connection,
    name: &Name,
    action: Action,
) -> Result<LogDefinition, Fault> {
    let vhost = connection.session.opened.vhost.as_str();
    let found = log(connection, name, action)?;
    found.ok_or_else(|| Fault::no_queue(name, vhost))
}

/// Whether it was declared as a quorum queue with a single active consumer, for which RabbitMQ has
/// rules of its own.
pub(crate) fn is_quorum_of_one(queue: &LogDefinition) -> bool {
    queue.config.queue.is_some_and(|queue| queue.single_active)
        && queue_arguments::kind_of(queue.facets.get(FACET)) == "quorum"
}

/// The exchange, if it exists.
pub(crate) fn exchange(connection: &Connection, name: &str) -> Option<Exchange> {
    let catalogue = connection.broker.catalogue();
    let vhost = &connection.session.opened.vhost;
    catalogue.exchange(vhost, name).cloned()
}

/// The exchange, which must exist and not be the default one.
pub(crate) fn named_exchange(connection: &Connection, name: &str) -> Result<Exchange, Fault> {
    if name.is_empty() {
        return Err(Fault::default_exchange());
    }
    let vhost = connection.session.opened.vhost.as_str();
    exchange(connection, name).ok_or_else(|| Subject::exchange(name, vhost).missing())
}

/// A count in the protocol's type.
pub(crate) fn count(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
