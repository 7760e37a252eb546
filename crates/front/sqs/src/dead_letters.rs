//! The dead letters of queues with a redrive policy: what was received too often goes to the
//! policy's target, whichever protocol made that.
//!
//! As in AWS, messages stay receivable while there is no such target: they go back to their own
//! queue, and are tried again when they have been received as often once more.

use stele_core_broker::{DeadLetter, DeadLetterRoutes, Death, Deaths, Died, Letter, name_of};
use stele_core_engine::{Catalogue, DeathReason, LogDefinition, Schedule};
use stele_wire_batch::Record;

use crate::{attributes::FACET, redrive::RedrivePolicy};

/// Finds the priority that a message has by its own protocol.
pub type PriorityOf = fn(&Record) -> Option<u8>;

/// Tells whether dead letters of a queue, the first one, can go to the second by the settings of
/// another protocol.
pub type DeadLettersLeadTo = fn(&Catalogue, &LogDefinition, &LogDefinition) -> bool;

/// The dead-letter queues of SQS queues.
#[derive(Clone, Copy, Debug)]
pub struct RedrivePolicies {
    /// For targets that order by priority.
    pub priority_of: PriorityOf,
}

impl RedrivePolicies {
    fn schedule_of(&self, record: &Record) -> Schedule {
        Schedule {
            priority: (self.priority_of)(record),
            ..Schedule::default()
        }
    }
}

impl DeadLetterRoutes for RedrivePolicies {
    fn route(&self, catalogue: &Catalogue, dead: &DeadLetter<'_>) -> Option<Letter> {
        if dead.reason != DeathReason::Deliveries {
            return None;
        }
        let policy = RedrivePolicy::of(dead.queue.facets.get(FACET)?)?;
        let Some(target) = policy.find(catalogue) else {
            return Some(Letter {
                schedule: self.schedule_of(dead.record),
                ..Letter::back_to(dead.queue.id)
            });
        };
        let queue = dead.queue.name.as_str();
        let mut deaths = Deaths::of(dead.record).unwrap_or_default();
        // As AMQP shows a message that was published to the queue by its name.
        let died = Died {
            queue: queue.to_owned(),
            reason: name_of(dead.reason).to_owned(),
            exchange: String::new(),
        };
        deaths.add(Death::new(died, vec![queue.to_owned()], dead.at));
        deaths.exchange.clear();
        deaths.routing_keys = vec![target.name.as_str().to_owned()];
        Some(Letter {
            targets: vec![target.id],
            deaths,
            is_kept: true,
            schedule: self.schedule_of(dead.record),
            ..Letter::default()
        })
    }
}
