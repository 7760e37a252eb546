//! Routes messages.

use smallvec::{SmallVec, smallvec};
use stele_base_types::LogId;
use stele_core_broker::scheduled_log;
use stele_core_engine::{AppendTarget, Catalogue, Route, Schedule};

use crate::{
    arguments,
    connection::{Connection, publishing::Targets},
    delay::Delay,
    errors::{Fault, Subject},
    octets::text_of,
    queue_arguments::is_classic_queue,
    session::transaction::Queues,
    stored::Message,
};

/// The logs that a message goes to, and how they take it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Destination {
    pub(crate) logs: Targets,
    /// Its priority, if one of them orders by it; `None` for the lowest.
    pub(crate) priority: Option<u8>,
    /// Whether one of them refuses messages when it is full, so that each message is appended
    /// alone, for an outcome of its own.
    pub(crate) alone: bool,
}

/// Where a message is routed to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Routed {
    /// At once.
    pub(crate) now: Destination,
    /// After its delay, if it has one.
    pub(crate) delayed: Destination,
    /// Whether it passes an exchange that delays, even if that leads nowhere.
    pub(crate) passes_delay: bool,
}

impl Destination {
    fn of(catalogue: &Catalogue, logs: Targets, message: &Message) -> Self {
        let priority = message.properties.priority.filter(|it| {
            let mut known = logs.iter().filter_map(|log| catalogue.log_by_id(*log));
            *it > 0 && known.any(|log| log.config.orders_by_priority())
        });
        let alone = catalogue.refuse(&logs);
        Self {
            logs,
            priority,
            alone,
        }
    }

    /// The log for scheduled messages, for the first stay of one.
    pub(crate) fn scheduled(log: LogId, stay: Schedule) -> Self {
        Self {
            logs: smallvec![log],
            priority: stay.priority,
            alone: false,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.logs.is_empty()
    }

    /// With the logs of another destination of the same message.
    pub(crate) fn merged(mut self, other: Self) -> Self {
        if other.is_empty() {
            return self;
        }
        self.logs.extend(other.logs);
        self.logs.sort_unstable();
        self.logs.dedup();
        self.priority = self.priority.or(other.priority);
        self.alone |= other.alone;
        self
    }
}

/// Routes a message.
pub(crate) fn route(
    connection: &Connection,
    message: &Message,
    copies: &[String],
) -> Result<Routed, Fault> {
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
    let by = arguments::Routed {
        headers: &message.headers,
        properties: &message.properties,
        random: &|| connection.settings.random.number(),
    };
    let route = catalogue.route_delayed(vhost, exchange, &keys, &by);
    let route = route.map_err(|error| Subject::exchange(exchange, vhost).fault(error))?;
    let Route {
        now,
        delayed,
        passes_delay,
    } = route;
    Ok(Routed {
        now: Destination::of(&catalogue, now, message),
        delayed: match delayed.is_empty() {
            true => Destination::default(),
            false => Destination::of(&catalogue, delayed, message),
        },
        passes_delay,
    })
}

/// Whether these logs may lose a transient message in a crash. As in RabbitMQ, only classic queues
/// may.
pub(crate) fn may_lose_transient(connection: &Connection, targets: &[AppendTarget]) -> bool {
    let catalogue = connection.broker.catalogue();
    let mut logs = targets
        .iter()
        .filter_map(|target| catalogue.log_by_id(target.log));
    logs.all(is_classic_queue)
}

/// The names of the logs that still exist.
pub(crate) fn names(connection: &Connection, logs: &Targets) -> Queues {
    let catalogue = connection.broker.catalogue();
    let logs = logs.iter().filter_map(|log| catalogue.log_by_id(*log));
    logs.map(|log| log.name.clone()).collect()
}

/// The logs that currently have these names, in the order of [`route`].
pub(crate) fn present(connection: &Connection, names: &Queues, message: &Message) -> Destination {
    let vhost = connection.session.opened.vhost.as_str();
    let catalogue = connection.broker.catalogue();
    if let Some(stay) = message.delay.as_ref().and_then(Delay::stay) {
        let log = scheduled_log(&catalogue, vhost);
        let to = log.map(|log| Destination::scheduled(log, stay));
        return to.unwrap_or_default();
    }
    let logs = names.iter().filter_map(|name| catalogue.log(vhost, name));
    let mut targets: Targets = logs.map(|log| log.id).collect();
    targets.sort_unstable();
    Destination::of(&catalogue, targets, message)
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
