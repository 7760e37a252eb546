//! What a service tells about itself.
//!
//! | metric | labels | |
//! |---|---|---|
//! | `queue_depth` | service, name | messages that wait at the broker in a topic or queue |
//! | `consumer_lag` | service, name | the same, of the topics and queues of a log |
//! | `parked`, `dead` | service | messages that the store keeps for later, and dead ones |
//! | `messages_held` | service | messages that the process has taken and not settled |
//! | `processing_seconds` | handler | a histogram of attempts, from begin to commit |
//! | `message_age_seconds` | handler | a histogram of ages when messages are taken |
//! | `failures_total` | handler, class | failed attempts |
//! | `handled_total` | handler | messages whose work is committed |
//! | `unclaimed_total` | handler, reason | `duplicate`, `waiting`, `behind`, `too_old` |
//! | `inbox_duplicates_total` | handler | messages that had been handled before |
//! | `parked_messages_total` | handler | messages put aside |
//! | `dead_letters_total` | handler | messages given up, with a letter |
//! | `dropped_total` | handler | messages given up without one |
//! | `breaker_state` | service | 0 closed, 1 half-open, 2 open |
//!
//! `docs/toolkit/metrics.md` tells what to make of them.

use std::time::Duration;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::Registry,
};

use crate::{Backlog, BreakerState, Depth, FailureClass, Unclaimed, runner::item::Item};

/// The metrics of services. Clones are the same metrics.
#[derive(Clone, Debug)]
pub struct Metrics {
    depth: Family<DepthLabels, Gauge>,
    lag: Family<DepthLabels, Gauge>,
    backlog_parked: Family<ServiceLabels, Gauge>,
    backlog_dead: Family<ServiceLabels, Gauge>,
    held: Family<ServiceLabels, Gauge>,
    processing: Family<HandlerLabels, Histogram, fn() -> Histogram>,
    age: Family<HandlerLabels, Histogram, fn() -> Histogram>,
    failures: Family<ClassLabels, Counter>,
    handled: Family<HandlerLabels, Counter>,
    unclaimed: Family<ReasonLabels, Counter>,
    duplicates: Family<HandlerLabels, Counter>,
    parked: Family<HandlerLabels, Counter>,
    dead: Family<HandlerLabels, Counter>,
    dropped: Family<HandlerLabels, Counter>,
    breaker: Family<ServiceLabels, Gauge>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ServiceLabels {
    service: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DepthLabels {
    service: String,
    name: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct HandlerLabels {
    handler: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ClassLabels {
    handler: String,
    class: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabels {
    handler: String,
    reason: &'static str,
}

impl Default for Metrics {
    fn default() -> Self {
        // 0.25 ms to 33 s, and 1 ms to 4.6 h.
        let processing: fn() -> Histogram =
            || Histogram::new(exponential_buckets(0.000_25, 2.0, 18));
        let age: fn() -> Histogram = || Histogram::new(exponential_buckets(0.001, 4.0, 13));
        Self {
            depth: Family::default(),
            lag: Family::default(),
            backlog_parked: Family::default(),
            backlog_dead: Family::default(),
            held: Family::default(),
            processing: Family::new_with_constructor(processing),
            age: Family::new_with_constructor(age),
            failures: Family::default(),
            handled: Family::default(),
            unclaimed: Family::default(),
            duplicates: Family::default(),
            parked: Family::default(),
            dead: Family::default(),
            dropped: Family::default(),
            breaker: Family::default(),
        }
    }
}

impl Metrics {
    /// Adds them to a registry.
    pub fn register(&self, registry: &mut Registry) {
        registry.register("queue_depth", "Messages that wait", self.depth.clone());
        let help = "Messages of a log that wait";
        registry.register("consumer_lag", help, self.lag.clone());
        let help = "Messages that wait for another attempt";
        registry.register("parked", help, self.backlog_parked.clone());
        let help = "Dead messages that nobody has dealt with";
        registry.register("dead", help, self.backlog_dead.clone());
        registry.register("messages_held", "Messages not settled", self.held.clone());
        let help = "Time of attempts";
        registry.register("processing_seconds", help, self.processing.clone());
        let help = "Age of messages when they are taken";
        registry.register("message_age_seconds", help, self.age.clone());
        registry.register("failures", "Failed attempts", self.failures.clone());
        registry.register("handled", "Messages handled", self.handled.clone());
        registry.register("unclaimed", "Messages not handled", self.unclaimed.clone());
        let help = "Messages that had been handled before";
        registry.register("inbox_duplicates", help, self.duplicates.clone());
        let help = "Messages put aside";
        registry.register("parked_messages", help, self.parked.clone());
        registry.register("dead_letters", "Messages given up", self.dead.clone());
        registry.register("dropped", "Messages dropped", self.dropped.clone());
        let help = "0 closed, 1 half-open, 2 open";
        registry.register("breaker_state", help, self.breaker.clone());
    }

    /// What waits for a service at the broker; in a log, it is the lag of the service's group.
    pub fn depth(&self, service: &str, depths: &[Depth], is_log: bool) {
        for depth in depths {
            let labels = DepthLabels {
                service: service.to_owned(),
                name: depth.name.clone(),
            };
            let waiting = i64::try_from(depth.waiting).unwrap_or(i64::MAX);
            self.depth.get_or_create(&labels).set(waiting);
            if is_log {
                self.lag.get_or_create(&labels).set(waiting);
            }
        }
    }

    /// What a service's store keeps.
    pub fn backlog(&self, service: &str, backlog: Backlog) {
        let labels = of_service(service);
        let count = |number| i64::try_from(number).unwrap_or(i64::MAX);
        let parked = self.backlog_parked.get_or_create(&labels);
        parked.set(count(backlog.parked));
        let dead = self.backlog_dead.get_or_create(&labels);
        dead.set(count(backlog.dead));
    }

    /// How many messages a service holds.
    pub(crate) fn held(&self, service: &str) -> Gauge {
        self.held.get_or_create(&of_service(service)).clone()
    }

    /// What is counted of every message of a handler.
    pub(crate) fn of_handler(&self, handler: &str) -> HandlerMetrics {
        let labels = HandlerLabels {
            handler: handler.to_owned(),
        };
        HandlerMetrics {
            age: self.age.get_or_create(&labels).clone(),
            processing: self.processing.get_or_create(&labels).clone(),
            handled: self.handled.get_or_create(&labels).clone(),
        }
    }

    pub(crate) fn unclaimed(&self, item: &Item, reason: Unclaimed) {
        if reason == Unclaimed::Duplicate {
            self.duplicates.get_or_create(&labels(item)).inc();
        }
        let reason = match reason {
            Unclaimed::Duplicate => "duplicate",
            Unclaimed::Waiting => "waiting",
            Unclaimed::Behind => "behind",
            Unclaimed::TooOld => "too_old",
        };
        let labels = ReasonLabels {
            handler: item.handler.clone(),
            reason,
        };
        self.unclaimed.get_or_create(&labels).inc();
    }

    pub(crate) fn failed(&self, item: &Item, class: FailureClass) {
        let labels = ClassLabels {
            handler: item.handler.clone(),
            class: class.name(),
        };
        self.failures.get_or_create(&labels).inc();
    }

    pub(crate) fn parked(&self, item: &Item) {
        self.parked.get_or_create(&labels(item)).inc();
    }

    pub(crate) fn dead(&self, item: &Item) {
        self.dead.get_or_create(&labels(item)).inc();
    }

    pub(crate) fn dropped(&self, item: &Item) {
        self.dropped.get_or_create(&labels(item)).inc();
    }

    pub(crate) fn breaker(&self, service: &str, state: BreakerState) {
        let breaker = self.breaker.get_or_create(&of_service(service));
        breaker.set(match state {
            BreakerState::Closed => 0,
            BreakerState::HalfOpen => 1,
            BreakerState::Open => 2,
        });
    }
}

/// What is counted of every message of a handler, found once.
#[derive(Clone, Debug)]
pub(crate) struct HandlerMetrics {
    age: Histogram,
    processing: Histogram,
    handled: Counter,
}

impl HandlerMetrics {
    /// A message was taken.
    pub(crate) fn received(&self, age: Duration) {
        self.age.observe(age.as_secs_f64());
    }

    /// An attempt was made.
    pub(crate) fn attempted(&self, time: Duration) {
        self.processing.observe(time.as_secs_f64());
    }

    /// A message's work is committed.
    pub(crate) fn handled(&self) {
        self.handled.inc();
    }
}

fn of_service(service: &str) -> ServiceLabels {
    ServiceLabels {
        service: service.to_owned(),
    }
}

fn labels(item: &Item) -> HandlerLabels {
    HandlerLabels {
        handler: item.handler.clone(),
    }
}
