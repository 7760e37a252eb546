//! The history of a dead letter, in a header of its record.
//!
//! The header is JSON, so that consumers of every protocol can read it; fronts also show it in
//! their protocol's own form.

use serde::{Deserialize, Serialize};
use stele_base_types::Timestamp;
use stele_core_engine::{DeathReason, HeaderChange, limits::MOVE_HEADERS_BYTES_MAX};
use stele_wire_batch::Record;

/// The name of the header.
pub const DEATHS_HEADER: &str = "stele.deaths";

/// The longest history, as JSON: other changes of the headers have room beside it.
const HISTORY_BYTES_MAX: usize = MOVE_HEADERS_BYTES_MAX - 1_024;

/// What happened to a message that died at least once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Deaths {
    /// The exchange that routed it here; empty if none did.
    pub exchange: String,
    /// The keys that it was routed by.
    pub routing_keys: Vec<String>,
    /// Whether the publisher's further routing keys no longer apply.
    #[serde(default)]
    pub is_readdressed: bool,
    /// Its first death, if it is known.
    pub first: Option<Died>,
    /// Its last death.
    pub last: Option<Died>,
    /// Its deaths by queue and reason, the last one first.
    pub deaths: Vec<Death>,
    /// How many of them, at the end, are known only from the client that published the message.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub published: usize,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// Where and why a message died.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Died {
    /// The queue.
    pub queue: String,
    /// The reason, by RabbitMQ's name.
    pub reason: String,
    /// The exchange that had routed it there.
    pub exchange: String,
}

/// The deaths of a message in one queue for one reason.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Death {
    /// Where and why; the exchange is that of the first time.
    #[serde(flatten)]
    pub died: Died,
    /// How often.
    pub count: u64,
    /// When it was first, in milliseconds since 1970.
    pub time_ms: i64,
    /// The keys that the message had been routed by.
    pub routing_keys: Vec<String>,
    /// The time to live that its publisher had set, as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub original_expiration: Option<String>,
}

impl Deaths {
    /// The history of a record, if it has one that can be read.
    pub fn of(record: &Record) -> Option<Self> {
        serde_json::from_slice(record.headers.last(DEATHS_HEADER)?).ok()
    }

    /// Adds a death.
    pub fn add(&mut self, death: Death) {
        self.last = Some(death.died.clone());
        if self.deaths.is_empty() {
            self.first = Some(death.died.clone());
        }
        let is_same = |known: &Death| {
            known.died.queue == death.died.queue && known.died.reason == death.died.reason
        };
        let death = match self.deaths.iter().position(is_same) {
            Some(at) => {
                if at >= self.since_published() {
                    self.published -= 1;
                }
                let mut known = self.deaths.remove(at);
                known.count = known.count.saturating_add(death.count);
                known
            }
            None => death,
        };
        self.deaths.insert(0, death);
    }

    /// Whether a message would go round without anybody's doing if it came to this queue: it died
    /// there since it was published, and since then was never rejected.
    pub fn is_cycle_to(&self, queue: &str) -> bool {
        let own = &self.deaths[..self.since_published()];
        let at = own.iter().position(|death| death.died.queue == queue);
        let rejected = name_of(DeathReason::Rejected);
        at.is_some_and(|at| own[..=at].iter().all(|death| death.died.reason != rejected))
    }

    /// Whether it may go to this queue after its last death: always if it was rejected, and else
    /// unless it would go round.
    pub fn may_go_to(&self, queue: &str) -> bool {
        let rejected = name_of(DeathReason::Rejected);
        let is_rejected = self.last.as_ref().is_some_and(|it| it.reason == rejected);
        is_rejected || !self.is_cycle_to(queue)
    }

    /// How many entries, at the front, have a death since the message was published.
    fn since_published(&self) -> usize {
        self.deaths.len().saturating_sub(self.published)
    }

    /// The change of the headers that records it, if there is something to record. A history that
    /// is too long for a move loses further routing keys of its deaths, by which nobody counts or
    /// finds a cycle; then its earliest deaths; then further keys of the message.
    pub fn header(mut self) -> Option<HeaderChange> {
        let mut json = serde_json::to_vec(&self).unwrap_or_default();
        while json.len() > HISTORY_BYTES_MAX && self.shorten() {
            json = serde_json::to_vec(&self).unwrap_or_default();
        }
        let change = HeaderChange {
            key: DEATHS_HEADER.as_bytes().into(),
            value: Some(json.into()),
        };
        (!self.deaths.is_empty()).then_some(change)
    }

    /// Leaves something out. Returns whether there was something.
    fn shorten(&mut self) -> bool {
        let lists = self.deaths.iter_mut().map(|death| &mut death.routing_keys);
        let longest = lists.max_by_key(|keys| keys.len());
        if let Some(keys) = longest.filter(|keys| keys.len() > 1) {
            keys.truncate(keys.len() / 2);
            return true;
        }
        if self.deaths.len() > 1 {
            self.deaths.pop();
            self.published = self.published.saturating_sub(1);
            return true;
        }
        let has_further = self.routing_keys.len() > 1;
        self.routing_keys
            .truncate(self.routing_keys.len().div_ceil(2));
        has_further
    }
}

impl Death {
    /// A death at this time, of a message without a publisher's time to live.
    pub fn new(died: Died, routing_keys: Vec<String>, at: Timestamp) -> Self {
        Self {
            died,
            count: 1,
            time_ms: at.0,
            routing_keys,
            original_expiration: None,
        }
    }
}

/// RabbitMQ's name of a reason.
pub fn name_of(reason: DeathReason) -> &'static str {
    match reason {
        DeathReason::Rejected => "rejected",
        DeathReason::Expired => "expired",
        DeathReason::Length => "maxlen",
        DeathReason::Deliveries => "delivery_limit",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn death(queue: &str, reason: DeathReason) -> Death {
        let died = Died {
            queue: queue.to_owned(),
            reason: name_of(reason).to_owned(),
            exchange: String::new(),
        };
        Death::new(died, vec!["k".to_owned()], Timestamp(5))
    }

    #[test]
    fn deaths_are_counted_by_queue_and_reason_with_the_last_first() {
        let mut deaths = Deaths::default();
        deaths.add(death("a", DeathReason::Rejected));
        deaths.add(death("b", DeathReason::Expired));
        deaths.add(death("a", DeathReason::Rejected));
        let counts: Vec<_> = deaths
            .deaths
            .iter()
            .map(|death| (death.died.queue.as_str(), death.count))
            .collect();
        assert_eq!(counts, [("a", 2), ("b", 1)]);
        assert_eq!(deaths.first, deaths.last);
    }

    #[test]
    fn a_long_history_is_shortened_to_what_can_be_moved() {
        let mut deaths = Deaths::default();
        for number in 0..1_000 {
            deaths.add(death(&format!("queue {number}"), DeathReason::Rejected));
        }
        let change = deaths.clone().header().expect("a history");
        let value = change.value.expect("a value");
        assert!(value.len() <= HISTORY_BYTES_MAX);
        let kept: Deaths = serde_json::from_slice(&value).expect("it is JSON");
        assert_eq!(
            (kept.first, &kept.deaths[..50]),
            (deaths.first, &deaths.deaths[..50])
        );

        let mut wide = Deaths {
            routing_keys: vec!["k".repeat(255); 1_000],
            ..Deaths::default()
        };
        wide.add(Death {
            routing_keys: wide.routing_keys.clone(),
            ..death("queue", DeathReason::Expired)
        });
        let change = wide.header().expect("a history");
        assert!(change.value.expect("a value").len() <= HISTORY_BYTES_MAX);
    }

    #[test]
    fn long_routing_keys_cost_neither_counts_nor_cycles() {
        let routing_keys = vec!["k".repeat(250); 20];
        let mut deaths = Deaths {
            routing_keys: routing_keys.clone(),
            ..Deaths::default()
        };
        for _ in 0..3 {
            for (queue, reason) in [
                ("work", DeathReason::Rejected),
                ("retry", DeathReason::Expired),
            ] {
                deaths.add(Death {
                    routing_keys: routing_keys.clone(),
                    ..death(queue, reason)
                });
                let value = deaths.header().expect("a history").value.expect("a value");
                deaths = serde_json::from_slice(&value).expect("it is JSON");
            }
        }
        let counts = deaths
            .deaths
            .iter()
            .map(|it| (it.died.queue.as_str(), it.count));
        assert_eq!(counts.collect::<Vec<_>>(), [("retry", 3), ("work", 3)]);
        assert_eq!(deaths.routing_keys, routing_keys);
    }

    #[test]
    fn a_round_without_a_rejection_is_a_cycle() {
        let mut deaths = Deaths::default();
        deaths.add(death("a", DeathReason::Expired));
        deaths.add(death("b", DeathReason::Length));
        assert!(deaths.is_cycle_to("a"));
        assert!(deaths.is_cycle_to("b"));
        assert!(!deaths.is_cycle_to("c"));
        deaths.add(death("c", DeathReason::Rejected));
        assert!(!deaths.is_cycle_to("a"));
    }

    #[test]
    fn only_deaths_since_a_message_was_published_make_a_cycle() {
        let mut deaths = Deaths {
            deaths: vec![
                death("b", DeathReason::Expired),
                death("a", DeathReason::Expired),
            ],
            published: 2,
            ..Deaths::default()
        };
        assert!(!deaths.is_cycle_to("a"));
        deaths.add(death("a", DeathReason::Expired));
        assert_eq!((deaths.deaths[0].count, deaths.published), (2, 1));
        assert!(deaths.is_cycle_to("a"));
        assert!(!deaths.is_cycle_to("b"));
    }
}
