//! The exchanges that every virtual host has from the start (AMQP 0-9-1, section 3.1.3.1, and
//! `amq.headers` and `amq.rabbitmq.trace` as in RabbitMQ). They aren't journalled, so no journal
//! can lack them.

use stele_base_types::Name;

use super::Exchange;
use crate::{Arguments, ExchangeKind};

/// The default exchange: routes a message to the log that its routing key names.
pub(super) const DEFAULT: &str = "";

/// The exchange for traced messages, which only the server publishes to. There is nothing that
/// traces.
const TRACE: &str = "amq.rabbitmq.trace";

const EXCHANGES: [(&str, ExchangeKind); 7] = [
    (DEFAULT, ExchangeKind::Direct),
    ("amq.direct", ExchangeKind::Direct),
    ("amq.fanout", ExchangeKind::Fanout),
    ("amq.headers", ExchangeKind::Headers),
    ("amq.match", ExchangeKind::Headers),
    (TRACE, ExchangeKind::Topic),
    ("amq.topic", ExchangeKind::Topic),
];

/// The exchanges with their names.
pub(super) fn exchanges() -> impl Iterator<Item = (Name, Exchange)> {
    EXCHANGES.into_iter().map(|(text, kind)| {
        let name = Name::new(text).expect("the names above are short");
        let exchange = Exchange {
            kind,
            durable: true,
            auto_delete: false,
            internal: text == TRACE,
            arguments: Arguments::new(),
        };
        (name, exchange)
    })
}

/// Whether `name` is one of them.
pub(super) fn contains(name: &str) -> bool {
    EXCHANGES.iter().any(|(exchange, _)| *exchange == name)
}
