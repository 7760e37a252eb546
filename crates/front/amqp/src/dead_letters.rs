//! Where the dead letters of a queue go: to the exchange that its `x-dead-letter-exchange` names,
//! as in RabbitMQ.
//!
//! A message keeps its routing keys unless the queue names another one
//! (`x-dead-letter-routing-key`). It isn't routed to a queue that it would come back to again and
//! again without anybody rejecting it. If it is routed nowhere it is dropped; with
//! `x-dead-letter-strategy: at-least-once` it stays until something is bound.

use stele_base_types::{LogId, murmur2};
use stele_core_broker::{DeadLetter, DeadLetterRoutes, Death, Deaths, Died, Letter, name_of};
use stele_core_engine::{Catalogue, DeathReason, Schedule};
use stele_wire_amqp::{Table, Value};
use stele_wire_batch::Record;

use crate::{
    arguments::Routed,
    carbon_copies,
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

        let keys: Vec<&str> = deaths.routing_keys.iter().map(String::as_str).collect();
        let vhost = dead.queue.vhost.as_str();
        let mut targets = smallvec::SmallVec::<[LogId; 4]>::new();
        // It is routed by what its consumers will see.
        let mut shown = properties.clone();
        stored::show(&deaths, &mut shown);
        let headers = shown.headers.as_ref();
        let headers = headers.and_then(|headers| headers.decode().ok());
        let headers = headers.unwrap_or_default();
        let routed = Routed {
            headers: &headers,
            properties: &shown,
            random: &|| spread(dead),
        };
        // A missing exchange routes to nothing.
        drop(catalogue.route(vhost, exchange, &keys, &routed, &mut targets));
        targets.retain(|log| {
            let target = catalogue.log_by_id(*log);
            let is_cycle = target.is_some_and(|target| deaths.is_cycle_to(&target.name));
            dead.reason == DeathReason::Rejected || !is_cycle
        });
        Some(Letter {
            targets: targets.into_vec(),
            deaths,
            is_kept: kept.keeps_unroutable(),
            schedule: Schedule {
                priority: properties.priority,
                ..Schedule::default()
            },
            ..Letter::default()
        })
    }
}

/// The priority that a message has by its AMQP properties.
pub fn priority_of(record: &Record) -> Option<u8> {
    let properties = stored::arrival(record, "").properties.parse();
    properties.ok()?.priority
}

/// A number for exchanges that choose at random: the same for the same message.
fn spread(dead: &DeadLetter<'_>) -> u64 {
    let seed = dead.queue.id.0.rotate_left(32) ^ dead.record.offset.0;
    u64::from(murmur2(&seed.to_be_bytes()))
}

/// The keys that the message was routed by.
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
