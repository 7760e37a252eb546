//! Consumers: subscribe, unsubscribe, credit, prefetch.

use serde::{Deserialize, Serialize};
use stele_base_types::{ConsumerId, LogId, SessionId, Timestamp};

use super::{Ledger, ledger_record};
use crate::{
    Command, Decision, Durability, LedgerId, LogError, LogRecord, Record, State,
    limits::POOL_CONSUMERS_MAX,
    log::{Log, record::LedgerRecord},
};

/// A consumer of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ConsumerRef {
    /// The session.
    pub session: SessionId,
    /// The consumer's id in the session.
    pub consumer: ConsumerId,
}

/// The terms of a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscription {
    /// The ledger.
    pub ledger: LedgerId,
    /// The consumer.
    pub consumer: ConsumerRef,
    /// How many unsettled records it may hold; `None` for no limit.
    pub prefetch: Option<u32>,
    /// The pool whose limit it shares with other consumers of the session (AMQP channel).
    pub pool: u64,
    /// The pool's limit; `None` for no limit.
    pub pool_prefetch: Option<u32>,
    /// Whether records are settled on delivery (AMQP `no-ack`).
    pub settle: bool,
    /// Whether it must be the only consumer; otherwise it fails with [`LogError::Exclusive`]. It
    /// always fails in a ledger that serves one consumer at a time, because others may wait there.
    pub exclusive: bool,
    /// How many bytes may be delivered before more credit is granted.
    pub credit_bytes: u64,
    /// Those of a higher priority are served first, as long as they can take something.
    pub priority: i64,
}

/// Subscribes a consumer: records are leased and delivered to it as they become ready.
#[derive(Clone, Copy, Debug)]
pub struct Subscribe {
    /// The log.
    pub log: LogId,
    /// The terms.
    pub terms: Subscription,
}

/// Ends a subscription. Its leased records stay leased (AMQP `basic.cancel`).
#[derive(Clone, Copy, Debug)]
pub struct Unsubscribe {
    /// The log.
    pub log: LogId,
    /// The consumer.
    pub consumer: ConsumerRef,
    /// If the ledger serves one consumer at a time: whether the next one takes over only when this
    /// one's leases have ended. A caller that is about to return what they hold needs this, so that
    /// later records don't overtake those.
    pub lingers: bool,
}

/// Grants credit back, because the transport has taken deliveries of this size.
#[derive(Clone, Copy, Debug)]
pub struct Credit {
    /// The log.
    pub log: LogId,
    /// The consumer.
    pub consumer: ConsumerRef,
    /// The bytes that the delivery charged.
    pub bytes: u64,
}

/// Changes how many unsettled records a pool's consumers may hold together.
#[derive(Clone, Copy, Debug)]
pub struct Prefetch {
    /// A log of the shard on which the limit changes.
    pub log: LogId,
    /// The session.
    pub session: SessionId,
    /// The pool (AMQP channel).
    pub pool: u64,
    /// The limit; `None` for no limit.
    pub limit: Option<u32>,
}

impl Command for Subscribe {
    type Reply = ();
    type Error = LogError;

    fn decide(self, state: &State, _now: Timestamp) -> Result<Decision, LogError> {
        let Self { log, terms } = self;
        let ledger = state.logs.known(log)?.known_ledger(terms.ledger)?;
        let subscribed = state.logs.indexes.consumers.get(&terms.consumer);
        if subscribed.is_some_and(|(log, _)| state.logs.log(*log).is_some()) {
            return Err(LogError::ConsumerExists);
        }
        let is_alone = ledger.demand.subscribed() == 0 && !ledger.config().single_active;
        let mut others = ledger.demand.subscribers();
        if (terms.exclusive && !is_alone) || others.any(|other| other.exclusive) {
            return Err(LogError::Exclusive);
        }
        let pool = state
            .logs
            .indexes
            .pool((terms.consumer.session, terms.pool));
        if pool.is_some_and(|pool| pool.members.len() >= POOL_CONSUMERS_MAX) {
            return Err(LogError::TooManyConsumers);
        }
        let record = LedgerRecord::Subscribed(Box::new(terms));
        Ok(done(ledger_record(log, ledger.id, record)))
    }
}

impl Command for Unsubscribe {
    type Reply = ();
    type Error = LogError;

    fn decide(self, state: &State, now: Timestamp) -> Result<Decision, LogError> {
        let Self {
            log,
            consumer,
            lingers,
        } = self;
        let known = state.logs.known(log)?;
        let Some(ledger) = known.ledger_of(consumer) else {
            return Ok(Decision::nothing());
        };
        let record = LedgerRecord::Unsubscribed { consumer, lingers };
        let mut decision = done(ledger_record(log, ledger.id, record));
        decision.records.extend(state.logs.used(log, now));
        if known.goes_with(consumer) {
            decision = decision.and(state.logs.close_unused(log));
        }
        Ok(state.send(decision, now))
    }
}

impl Command for Credit {
    type Reply = ();
    type Error = LogError;

    fn decide(self, state: &State, _now: Timestamp) -> Result<Decision, LogError> {
        let Self {
            log,
            consumer,
            bytes,
        } = self;
        // Credit may still arrive for a consumer that is gone.
        let Some(ledger) = state.logs.known(log)?.ledger_of(consumer) else {
            return Ok(Decision::nothing());
        };
        let record = LedgerRecord::Credited { consumer, bytes };
        Ok(done(ledger_record(log, ledger.id, record)))
    }
}

impl Command for Prefetch {
    type Reply = ();
    type Error = LogError;

    fn decide(self, state: &State, _now: Timestamp) -> Result<Decision, LogError> {
        state.logs.known(self.log)?;
        let record = LogRecord::PoolLimited {
            session: self.session,
            pool: self.pool,
            limit: self.limit,
        };
        Ok(done(Record::Log(self.log, record)))
    }
}

impl Log {
    /// Whether the log is deleted with this consumer, which is the last one of an auto-delete log.
    pub(in crate::log) fn goes_with(&self, consumer: ConsumerRef) -> bool {
        let mut subscribers = self.subscribers().map(|terms| terms.consumer);
        let is_last = subscribers.next() == Some(consumer) && subscribers.next().is_none();
        self.config.lifetime.auto_delete && is_last
    }
}

/// A change that only affects memory.
fn done(record: Record) -> Decision {
    Decision::change(record, (), Durability::Volatile)
}

impl Ledger {
    /// The terms of the log's current subscriptions.
    pub fn subscribers(&self) -> impl Iterator<Item = &Subscription> + use<'_> {
        self.demand.subscribers()
    }

    /// Whether a consumer is subscribed, or still holds something.
    pub(crate) fn has_consumer(&self, consumer: ConsumerRef) -> bool {
        self.demand.consumer(consumer).is_some()
    }
}
