//! Where the dead letters of a queue go: to the exchange that its `x-dead-letter-exchange` names,
//! as in RabbitMQ. And where scheduled messages go when they are due: to their own exchange.
//!
//! A message keeps its routing keys, those of `CC` and `BCC` too, unless the queue names another
//! one (`x-dead-letter-routing-key`). It isn't routed to a queue that it would come back to again
//! and again without anybody rejecting it. If it is routed nowhere it is dropped; with
//! `x-dead-letter-strategy: at-least-once` it stays until something is bound.

use smallvec::SmallVec;
use stele_base_types::{LogId, Timestamp, murmur2};
use stele_core_broker::{
    DeadLetter, DeadLetterRoutes, Death, Deaths, Died, Letter, Scheduled, name_of,
};
use stele_core_engine::{Catalogue, HeaderChange, LogDefinition, Route, Schedule};
use stele_wire_amqp::{Properties, ShortOctets, Table, Value};
use stele_wire_batch::Record;

use crate::{
    arguments::Routed,
    carbon_copies, delay,
    lookup::FACET,
    octets::text_of,
    queue_arguments::Kept,
    stored::{self, Arrival, told_by_client},
};

/// The dead-letter exchanges of AMQP queues.
#[derive(Clone, Copy, Debug, Default)]
pub struct DeadLetterExchanges;

impl DeadLetterRoutes for DeadLetterExchanges {
    fn route(&self, catalogue: &Catalogue, dead: &DeadLetter<'_>) -> Option<Letter> {
        let kept = Kept(dead.queue.facets.get(FACET)?);
        let exchange = kept.dead_letter_exchange()?;
        let queue = dead.queue.name.as_str();
        let arrival = stored::arrival(dead.record, queue);
        let properties = arrival.properties.parse().unwrap_or_default();
        let headers = properties.headers.as_ref();
        let headers = headers.and_then(|headers| headers.decode().ok());
        let headers = headers.unwrap_or_default();

        let former = arrival_keys(&arrival, &headers);
        let mut deaths = Deaths::of(dead.record).unwrap_or_else(|| told_by_client(&headers));
        let died = Died {
            queue: queue.to_owned(),
            reason: name_of(dead.reason).to_owned(),
            exchange: arrival.exchange.to_string(),
        };
        let expiration = properties.expiration.as_ref();
        deaths.add(Death {
            original_expiration: expiration.map(ToString::to_string),
            ..Death::new(died, former.clone(), dead.at)
        });
        deaths.is_readdressed |= kept.dead_letter_key().is_some();
        deaths.routing_keys = match kept.dead_letter_key() {
            Some(key) => vec![key.to_owned()],
            None => former,
        };
        exchange.clone_into(&mut deaths.exchange);

        let blind = match kept.dead_letter_key() {
            Some(_) => Vec::new(),
            None => stored::blind_keys(dead.record),
        };
        // It is routed by what its consumers will see, and by the keys that they aren't told.
        let mut shown = properties.clone();
        stored::show(&deaths, &mut shown);
        let sought = Sought {
            vhost: &dead.queue.vhost,
            exchange,
            keys: texts(&deaths.routing_keys).chain(texts(&blind)).collect(),
            properties: &shown,
            number: spread(dead.queue.id.0, dead.record),
        };
        let Route {
            mut now, delayed, ..
        } = sought.route(catalogue);
        let delay_ms = delay::requested_ms(&sought.headers());
        let delay_ms = delay_ms.filter(|_| !delayed.is_empty());
        now.extend(delayed);
        let letter = Letter {
            targets: without_cycles(catalogue, now, &deaths),
            is_kept: kept.keeps_unroutable(),
            schedule: Schedule {
                priority: properties.priority,
                ..Schedule::default()
            },
            deaths,
            ..Letter::default()
        };
        Some(match delay_ms {
            Some(delay_ms) => delayed_by_exchange(letter, dead.at.plus_ms(delay_ms)),
            None => letter,
        })
    }

    fn release(
        &self,
        catalogue: &Catalogue,
        vhost: &str,
        record: &Record,
        scheduled: &Scheduled,
    ) -> Option<Letter> {
        let arrival = stored::arrival(record, "");
        let properties = arrival.properties.parse().unwrap_or_default();
        let deaths = Deaths::of(record);
        let own = text_of(arrival.routing_key.as_bytes());
        let blind = stored::blind_keys(record);
        let keys: Vec<&str> = match &deaths {
            Some(deaths) => texts(&deaths.routing_keys).chain(texts(&blind)).collect(),
            // Those of `BCC` are among them.
            None => std::iter::once(&*own)
                .chain(texts(&scheduled.more_keys))
                .collect(),
        };
        let sought = Sought {
            vhost,
            exchange: arrival.exchange.as_text()?,
            keys,
            properties: &properties,
            number: spread(0, record),
        };
        let Route {
            now, mut delayed, ..
        } = sought.route(catalogue);
        if scheduled.delays_all {
            delayed.extend(now);
        }
        let expiration = properties.expiration.as_ref();
        let expiration = expiration.and_then(ShortOctets::as_text);
        Some(Letter {
            targets: match &deaths {
                Some(deaths) => without_cycles(catalogue, delayed, deaths),
                None => in_order(delayed),
            },
            schedule: Schedule {
                priority: properties.priority,
                expiry_ms: expiration.and_then(|text| text.parse().ok()),
                ..Schedule::default()
            },
            ..Letter::default()
        })
    }
}

/// What a message is routed by, long after it was published.
struct Sought<'a> {
    vhost: &'a str,
    exchange: &'a str,
    keys: Vec<&'a str>,
    properties: &'a Properties,
    /// For exchanges that choose at random.
    number: u64,
}

impl Sought<'_> {
    fn headers(&self) -> Table {
        let headers = self.properties.headers.as_ref();
        let headers = headers.and_then(|headers| headers.decode().ok());
        headers.unwrap_or_default()
    }

    /// A missing exchange routes to nothing.
    fn route(&self, catalogue: &Catalogue) -> Route {
        let routed = Routed {
            headers: &self.headers(),
            properties: self.properties,
            random: &|| self.number,
        };
        let route = catalogue.route_delayed(self.vhost, self.exchange, &self.keys, &routed);
        route.unwrap_or_default()
    }
}

/// A dead letter that an exchange delays until it is due.
fn delayed_by_exchange(mut letter: Letter, due: Timestamp) -> Letter {
    letter.headers.push(HeaderChange {
        key: stored::DELAYED_HEADER.as_bytes().into(),
        value: Some(Box::default()),
    });
    letter.schedule.due = Some(due);
    letter
}

/// The logs to which a dead letter may go: not those that it would come back to again and again.
fn without_cycles(
    catalogue: &Catalogue,
    targets: SmallVec<[LogId; 4]>,
    deaths: &Deaths,
) -> Vec<LogId> {
    let may_go_to = |log: &LogId| {
        let target = catalogue.log_by_id(*log);
        target.is_none_or(|target| deaths.may_go_to(&target.name))
    };
    let mut targets = in_order(targets);
    targets.retain(may_go_to);
    targets
}

/// Without duplicates.
fn in_order(mut targets: SmallVec<[LogId; 4]>) -> Vec<LogId> {
    targets.sort_unstable();
    targets.dedup();
    targets.into_vec()
}

/// Whether dead letters of an AMQP queue can go to a log, by its arguments and today's bindings.
pub fn dead_letters_lead_to(
    catalogue: &Catalogue,
    queue: &LogDefinition,
    log: &LogDefinition,
) -> bool {
    let Some(kept) = queue.facets.get(FACET).map(Kept) else {
        return false;
    };
    let exchange = kept.dead_letter_exchange();
    let is_reached = exchange.is_some_and(|exchange| {
        let other_key = kept.dead_letter_key().filter(|key| **key != *log.name);
        let is_elsewhere = exchange.is_empty() && other_key.is_some();
        !is_elsewhere && catalogue.leads_to(exchange, log)
    });
    is_reached && queue.vhost == log.vhost
}

/// The priority that a message has by its AMQP properties.
pub fn priority_of(record: &Record) -> Option<u8> {
    let properties = stored::arrival(record, "").properties.parse();
    properties.ok()?.priority
}

/// A number for exchanges that choose at random: the same for the same message.
fn spread(log: u64, record: &Record) -> u64 {
    let seed = log.rotate_left(32) ^ record.offset.0;
    u64::from(murmur2(&seed.to_be_bytes()))
}

fn texts(keys: &[String]) -> impl Iterator<Item = &str> {
    keys.iter().map(String::as_str)
}

/// The keys that the message was routed by, besides those that consumers aren't told.
fn arrival_keys(arrival: &Arrival, headers: &Table) -> Vec<String> {
    let own = text_of(arrival.routing_key.as_bytes()).into_owned();
    let copies = match headers.find(carbon_copies::OPEN) {
        Some(Value::Array(copies)) => copies.as_slice(),
        _ => &[],
    };
    let copies = copies.iter().filter_map(|copy| match copy {
        Value::LongString(key) => Some(text_of(key).into_owned()),
        _ => None,
    });
    std::iter::once(own).chain(copies).collect()
}
