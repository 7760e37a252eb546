//! Message tracing, RabbitMQ's "firehose": while a virtual host is traced, a copy of each message
//! that is published or delivered over AMQP goes to the exchange `amq.rabbitmq.trace`.
//!
//! ```text
//!  routing key   publish.EXCHANGE                            deliver.QUEUE
//!  headers       exchange_name, routing_keys, properties, node, vhost, connection, channel, user
//!                routed_queues                               redelivered
//! ```
//!
//! The copies have the message's body and no other properties. Nobody is told if one is lost, and
//! copies of copies aren't made. While the disk is full there are none.

use bytes::Bytes;
use smallvec::SmallVec;
use stele_base_types::LogId;
use stele_core_broker::{LeasedMessage, Publish};
use stele_core_engine::{AppendTarget, Columns, NoHeaders};
use stele_wire_amqp::{
    EncodedTable, Properties, ShortOctets, ShortString, Table, Value, method::basic,
};
use stele_wire_batch::BatchBuilder;

use crate::{
    connection::Connection,
    routing::Routed,
    session::content::{Body, Content},
    stored::{self, Arrival, Message},
};

/// The exchange that gets the copies.
const EXCHANGE: &str = "amq.rabbitmq.trace";

/// The name of the node, as in the admin API.
const NODE: &str = "stele@localhost";

/// Traces a published message, with its additional routing keys.
pub(crate) async fn published(
    connection: &Connection,
    number: u16,
    message: &Message,
    copies: &[String],
    routed: &Routed,
) {
    let publish = &message.content.publish;
    if !is_on(connection) || is_copy(&publish.exchange) {
        return;
    }
    let queues = names(connection, routed);
    let keys = std::iter::once(long(&publish.routing_key));
    let keys = keys.chain(copies.iter().map(|key| Value::text(key)));
    let headers = headers(&publish.exchange, keys, &message.properties);
    let headers = of_channel(headers, connection, number);
    let headers = headers.with("routed_queues", Value::Array(queues));
    let key = format!("publish.{}", publish.exchange);
    send(connection, &key, headers, message.content.body.clone()).await;
}

/// Traces a message that is delivered from a queue.
pub(crate) async fn delivered(
    connection: &Connection,
    number: u16,
    queue: &str,
    message: &LeasedMessage,
    arrival: &Arrival,
) {
    if !is_on(connection) || is_copy(&arrival.exchange) {
        return;
    }
    let properties = arrival.properties.parse().unwrap_or_default();
    let own = properties.headers.as_ref();
    let own = own.and_then(|headers| headers.decode().ok());
    let copies = match own.as_ref().and_then(|headers| headers.find("CC")) {
        Some(Value::Array(copies)) => copies.clone(),
        _ => Vec::new(),
    };
    let blind = stored::blind_keys(&message.record);
    let blind = blind.iter().map(|key| Value::text(key));
    let keys = std::iter::once(long(&arrival.routing_key)).chain(copies);
    let keys = keys.chain(blind);
    let headers = headers(&arrival.exchange, keys, &properties);
    let redelivered = message.lease.redelivered;
    let headers = headers.with("redelivered", Value::Int32(redelivered.into()));
    let headers = of_channel(headers, connection, number);
    let body = Body::from(arrival.body.clone());
    send(connection, &format!("deliver.{queue}"), headers, body).await;
}

fn names(connection: &Connection, routed: &Routed) -> Vec<Value> {
    let catalogue = connection.broker.catalogue();
    let queues = routed.now.logs.iter().chain(&routed.delayed.logs);
    let queues = queues.filter_map(|log| catalogue.log_by_id(*log));
    queues.map(|queue| Value::text(&queue.name)).collect()
}

fn is_on(connection: &Connection) -> bool {
    let vhost = connection.session.opened.vhost.as_str();
    connection.settings.traced.is_on(vhost) && !connection.is_short_of_disk()
}

fn is_copy(exchange: &ShortOctets) -> bool {
    exchange.as_text() == Some(EXCHANGE)
}

fn headers(
    exchange: &ShortOctets,
    keys: impl Iterator<Item = Value>,
    properties: &Properties,
) -> Table {
    Table::new()
        .with("exchange_name", long(exchange))
        .with("routing_keys", Value::Array(keys.collect()))
        .with("properties", Value::Table(table_of(properties)))
        .with("node", Value::text(NODE))
}

fn of_channel(headers: Table, connection: &Connection, number: u16) -> Table {
    let user = connection.principal().user().unwrap_or_default();
    headers
        .with("vhost", Value::text(&connection.session.opened.vhost))
        .with("connection", Value::text(&connection.name))
        .with("channel", Value::Int32(number.into()))
        .with("user", Value::text(user))
}

/// The properties by their names in the specification.
fn table_of(properties: &Properties) -> Table {
    let texts = [
        ("content_type", &properties.content_type),
        ("content_encoding", &properties.content_encoding),
        ("correlation_id", &properties.correlation_id),
        ("reply_to", &properties.reply_to),
        ("expiration", &properties.expiration),
        ("message_id", &properties.message_id),
        ("type", &properties.kind),
        ("user_id", &properties.user_id),
        ("app_id", &properties.app_id),
        ("cluster_id", &properties.cluster_id),
    ];
    let texts = texts.into_iter();
    let mut entries: Vec<_> = texts
        .filter_map(|(name, text)| Some((name, long(text.as_ref()?))))
        .collect();
    let headers = properties.headers.as_ref();
    let headers = headers.and_then(|headers| headers.decode().ok());
    entries.extend(headers.map(|headers| ("headers", Value::Table(headers))));
    let small = |number: u8| Value::Int32(number.into());
    entries.extend(
        properties
            .delivery_mode
            .map(|it| ("delivery_mode", small(it))),
    );
    entries.extend(properties.priority.map(|it| ("priority", small(it))));
    entries.extend(properties.timestamp.map(|seconds| {
        let value = i32::try_from(seconds).map(Value::Int32);
        let value = value.unwrap_or_else(|_| Value::Int64(seconds.cast_signed()));
        ("timestamp", value)
    }));
    let entries = entries.into_iter();
    entries.fold(Table::new(), |table, (name, value)| table.with(name, value))
}

fn long(octets: &ShortOctets) -> Value {
    Value::LongString(Bytes::copy_from_slice(octets.as_bytes()))
}

/// Publishes a copy. Waits for memory as long as other publishes hold it.
async fn send(connection: &Connection, key: &str, headers: Table, body: Body) {
    let key = ShortString::truncated(key);
    let targets = targets(connection, &key);
    if targets.is_empty() {
        return;
    }
    let properties = Properties {
        headers: Some(EncodedTable::from(&headers)),
        ..Properties::default()
    };
    let content = Content {
        publish: basic::Publish {
            exchange: ShortOctets::from_static(EXCHANGE),
            routing_key: key.into(),
            ..basic::Publish::default()
        },
        properties: properties.encode(),
        body,
    };
    let mut batch = BatchBuilder::new();
    let message = Message::read(content);
    let pushed = message.map(|message| message.push(&mut batch, connection.settings.clock.now()));
    let Ok(Ok(())) = pushed else {
        return;
    };
    let targets = targets.into_iter().map(AppendTarget::any_partition);
    let publish = Publish {
        targets: targets.collect(),
        batch: batch.finish(),
        columns: Columns::default(),
    };
    drop(connection.broker.begin_append(publish).await);
}

fn targets(connection: &Connection, key: &str) -> SmallVec<[LogId; 4]> {
    let vhost = connection.session.opened.vhost.as_str();
    let mut targets = SmallVec::new();
    let catalogue = connection.broker.catalogue();
    // The exchange is predeclared; without it there are no targets.
    drop(catalogue.route(vhost, EXCHANGE, &[key], &NoHeaders, &mut targets));
    targets
}
