//! Routes messages.

use smallvec::SmallVec;
use stele_core_engine::{Catalogue, Route};

use crate::{
    arguments::Routed,
    connection::{Connection, publishing::Targets},
    errors::{Fault, Subject},
    octets::text_of,
    session::transaction::Queues,
    stored::Message,
};

/// The logs that a message is routed to.
pub(crate) fn route(
    connection: &Connection,
    message: &Message,
    copies: &[String],
) -> Result<Route, Fault> {
    let vhost = connection.session.opened.vhost.as_str();
    let catalogue = connection.broker.catalogue();
    let publish = &message.content.publish;
    let Some(exchange) = publish.exchange.as_text() else {
        return Err(Fault::no_exchange(&publish.exchange.to_string(), vhost));
    };
    check_exchange(&catalogue, vhost, exchange)?;
    let key = text_of(publish.routing_key.as_bytes());
    let copies = copies.iter().map(String::as_str);
    let keys: SmallVec<[&str; 4]> = std::iter::once(&*key).chain(copies).collect();
    let routed = Routed {
        headers: &message.headers,
        properties: &message.properties,
        random: &|| connection.settings.random.number(),
    };
    let route = catalogue.route_delayed(vhost, exchange, &keys, &routed);
    route.map_err(|error| Subject::exchange(exchange, vhost).fault(error))
}

/// The priority by which some of these logs order the message; `None` for the lowest.
pub(crate) fn priority(
    connection: &Connection,
    targets: &Targets,
    message: &Message,
) -> Option<u8> {
    let priority = message.properties.priority.filter(|it| *it > 0)?;
    let catalogue = connection.broker.catalogue();
    let mut logs = targets.iter().filter_map(|log| catalogue.log_by_id(*log));
    let is_used = logs.any(|log| log.config.orders_by_priority());
    is_used.then_some(priority)
}

/// The names of the logs that still exist.
pub(crate) fn names(connection: &Connection, logs: &Targets) -> Queues {
    let catalogue = connection.broker.catalogue();
    let logs = logs.iter().filter_map(|log| catalogue.log_by_id(*log));
    logs.map(|log| log.name.clone()).collect()
}

/// The logs that currently have these names, in the order of [`route`].
pub(crate) fn present(connection: &Connection, names: &Queues) -> Targets {
    let vhost = connection.session.opened.vhost.as_str();
    let catalogue = connection.broker.catalogue();
    let logs = names.iter().filter_map(|name| catalogue.log(vhost, name));
    let mut targets: Targets = logs.map(|log| log.id).collect();
    targets.sort_unstable();
    targets
}

/// Checks that the exchange exists and isn't internal.
fn check_exchange(catalogue: &Catalogue, vhost: &str, name: &str) -> Result<(), Fault> {
    if name.is_empty() {
        return Ok(());
    }
    match catalogue.exchange(vhost, name) {
        None => Err(Fault::no_exchange(name, vhost)),
        Some(exchange) if exchange.internal => Err(Fault::access_refused(format!(
            "cannot publish to internal {}",
            Subject::exchange(name, vhost).describe()
        ))),
        Some(_) => Ok(()),
    }
}
