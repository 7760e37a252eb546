//! Where a message goes.

use stele_core_engine::{Argument, Catalogue};
use stele_wire_amqp::Table;

use crate::{
    arguments::MessageHeaders,
    connection::{Connection, publishing::Targets},
    errors::{Fault, Subject},
};

/// The argument that names where messages go that an exchange has no binding for.
pub(crate) const ALTERNATE: &str = "alternate-exchange";

/// Alternate exchanges that a message may fall back through.
const ALTERNATES_MAX: usize = 8;

/// The logs that a message goes to, each once. Where the exchange has no binding for it, those of
/// its alternate exchange.
pub(crate) fn route(
    connection: &Connection,
    exchange: &str,
    key: &str,
    copies: &[String],
    headers: &Table,
) -> Result<Targets, Fault> {
    let vhost = connection.session.opened.vhost.as_str();
    let catalogue = connection.broker.catalogue();
    check_exchange(&catalogue, vhost, exchange)?;
    let headers = MessageHeaders(headers);
    let mut targets = Targets::new();
    let mut name = exchange.to_owned();
    for _ in 0..=ALTERNATES_MAX {
        let mut keys = std::iter::once(key).chain(copies.iter().map(String::as_str));
        let routed =
            keys.try_for_each(|key| catalogue.route(vhost, &name, key, &headers, &mut targets));
        if let Err(error) = routed {
            // An alternate exchange may be missing: the message goes nowhere then.
            if name == exchange {
                let subject = Subject::exchange(exchange, vhost);
                return Err(subject.fault(error));
            }
            break;
        }
        match alternate(&catalogue, vhost, &name) {
            Some(alternate) if targets.is_empty() => name = alternate,
            _ => break,
        }
    }
    targets.sort_unstable();
    targets.dedup();
    Ok(targets)
}

/// Clients publish to exchanges that exist and aren't internal.
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

fn alternate(catalogue: &Catalogue, vhost: &str, name: &str) -> Option<String> {
    match catalogue.exchange(vhost, name)?.arguments.get(ALTERNATE)? {
        Argument::Text(octets) => Some(String::from_utf8_lossy(octets).into_owned()),
        _ => None,
    }
}
