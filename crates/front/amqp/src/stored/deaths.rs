//! The history of a dead letter as RabbitMQ writes it: the headers `x-death`, `x-first-death-*` and
//! `x-last-death-*`.

use bytes::Bytes;
use stele_core_broker::{Death, Deaths, Died};
use stele_wire_amqp::{EncodedTable, Properties, ShortOctets, Table, Value};

const DEATHS: &str = "x-death";

/// A header, and what it says of a death.
type DiedHeader = (&'static str, fn(&Died) -> &str);

/// The headers that describe the first and the last death, by the field that each holds.
const FIRST: [DiedHeader; 3] = [
    ("x-first-death-exchange", |died| &died.exchange),
    ("x-first-death-queue", |died| &died.queue),
    ("x-first-death-reason", |died| &died.reason),
];
const LAST: [DiedHeader; 3] = [
    ("x-last-death-exchange", |died| &died.exchange),
    ("x-last-death-queue", |died| &died.queue),
    ("x-last-death-reason", |died| &died.reason),
];

/// The header with additional routing keys.
const COPIES: &str = "CC";

/// Shows a message's history in its properties: the headers, and no `expiration`, which has done
/// its work.
pub(crate) fn show(deaths: &Deaths, properties: &mut Properties) {
    properties.expiration = None;
    let headers = properties.headers.as_ref();
    let headers = headers.and_then(|headers| headers.decode().ok());
    let replaced = FIRST.iter().chain(&LAST).map(|(name, _)| *name);
    let copies = deaths.is_readdressed.then_some(COPIES);
    let replaced: Vec<_> = replaced.chain([DEATHS]).chain(copies).collect();
    let mut headers: Table = headers
        .unwrap_or_default()
        .iter()
        .filter(|(name, _)| !name.as_text().is_some_and(|name| replaced.contains(&name)))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let entries = deaths.deaths.iter().map(|death| Value::Table(entry(death)));
    headers.push(
        ShortOctets::from_static(DEATHS),
        Value::Array(entries.collect()),
    );
    for (died, names) in [(&deaths.first, FIRST), (&deaths.last, LAST)] {
        for (name, field) in died
            .iter()
            .flat_map(|died| names.map(|(n, f)| (n, f(died))))
        {
            headers.push(ShortOctets::from_static(name), text(field));
        }
    }
    properties.headers = Some(EncodedTable::from(&headers));
}

fn entry(death: &Death) -> Table {
    let keys = death.routing_keys.iter().map(|key| text(key));
    let seconds = u64::try_from(death.time_ms / 1000).unwrap_or(0);
    let count = i64::try_from(death.count).unwrap_or(i64::MAX);
    let mut entry = Table::new()
        .with("count", Value::Int64(count))
        .with("reason", text(&death.died.reason))
        .with("queue", text(&death.died.queue))
        .with("time", Value::Timestamp(seconds))
        .with("exchange", text(&death.died.exchange))
        .with("routing-keys", Value::Array(keys.collect()));
    if let Some(expiration) = &death.original_expiration {
        entry = entry.with("original-expiration", text(expiration));
    }
    entry
}

/// The history that a client has put into the headers, as a service does that takes a dead letter
/// and publishes it again.
pub(crate) fn told_by_client(headers: &Table) -> Deaths {
    let Some(Value::Array(entries)) = headers.find(DEATHS) else {
        return Deaths::default();
    };
    let deaths = entries.iter().filter_map(|entry| match entry {
        Value::Table(entry) => Some(read_entry(entry)),
        _ => None,
    });
    let deaths: Vec<_> = deaths.collect();
    let died = |names: [DiedHeader; 3]| {
        let [exchange, queue, reason] = names.map(|(name, _)| field(headers, name));
        Some(Died {
            exchange: exchange.unwrap_or_default(),
            queue: queue?,
            reason: reason?,
        })
    };
    Deaths {
        first: died(FIRST),
        last: died(LAST),
        published: deaths.len(),
        deaths,
        ..Deaths::default()
    }
}

fn read_entry(entry: &Table) -> Death {
    let count = entry.find("count").and_then(Value::as_integer);
    let seconds = match entry.find("time") {
        Some(Value::Timestamp(seconds)) => i64::try_from(*seconds).unwrap_or(0),
        _ => 0,
    };
    let keys = match entry.find("routing-keys") {
        Some(Value::Array(keys)) => keys
            .iter()
            .filter_map(Value::as_text)
            .map(str::to_owned)
            .collect(),
        _ => Vec::new(),
    };
    let of = |name| field(entry, name);
    Death {
        died: Died {
            queue: of("queue").unwrap_or_default(),
            reason: of("reason").unwrap_or_default(),
            exchange: of("exchange").unwrap_or_default(),
        },
        count: count
            .and_then(|count| u64::try_from(count).ok())
            .unwrap_or(0),
        time_ms: seconds.saturating_mul(1000),
        routing_keys: keys,
        original_expiration: of("original-expiration"),
    }
}

fn field(table: &Table, name: &str) -> Option<String> {
    table.find(name)?.as_text().map(str::to_owned)
}

fn text(text: &str) -> Value {
    Value::LongString(Bytes::copy_from_slice(text.as_bytes()))
}
