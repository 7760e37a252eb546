//! The exchanges that every virtual host has from the start (AMQP 0-9-1, section 3.1.3.1, and
//! `amq.headers` as in RabbitMQ). They aren't journalled, so no journal can lack them.

use stele_base_types::Name;

use crate::ExchangeKind;

/// The default exchange: routes a message to the log that its routing key names.
pub(super) const DEFAULT: &str = "";

const EXCHANGES: [(&str, ExchangeKind); 6] = [
    (DEFAULT, ExchangeKind::Direct),
    ("amq.direct", ExchangeKind::Direct),
    ("amq.fanout", ExchangeKind::Fanout),
    ("amq.headers", ExchangeKind::Headers),
    ("amq.match", ExchangeKind::Headers),
    ("amq.topic", ExchangeKind::Topic),
];

/// The exchanges with their names.
pub(super) fn exchanges() -> impl Iterator<Item = (Name, ExchangeKind)> {
    EXCHANGES.into_iter().map(|(name, kind)| {
        let name = Name::new(name).expect("the names above are short");
        (name, kind)
    })
}

/// Whether `name` is one of them.
pub(super) fn contains(name: &str) -> bool {
    EXCHANGES.iter().any(|(exchange, _)| *exchange == name)
}
