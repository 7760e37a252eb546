//! Standing demands: subscribe, unsubscribe, credit, prefetch.

use stele_base_types::{LogId, SessionId, Timestamp};

use super::{Ledger, ledger_record};
use crate::{
    Decision, Effect, Error, LogRecord, Record, Reply,
    command::{ConsumerRef, Subscribe},
    log::{Log, Logs, record::LedgerRecord},
};

impl Logs {
    pub(in crate::log) fn subscribe(
        &self,
        log: LogId,
        terms: &Subscribe,
    ) -> Result<Decision, Error> {
        let ledger = self.known(log)?.known_ledger(terms.ledger)?;
        if self.indexes.consumers.contains_key(&terms.consumer) {
            return Err(Error::ConsumerExists);
        }
        let is_alone = ledger.demand.subscribed() == 0;
        let mut others = ledger.demand.subscribers();
        if (terms.exclusive && !is_alone) || others.any(|other| other.exclusive) {
            return Err(Error::Exclusive);
        }
        let record = LedgerRecord::Subscribed(Box::new(*terms));
        Ok(done(ledger_record(log, ledger.id, record)))
    }

    pub(in crate::log) fn unsubscribe(
        &self,
        log: LogId,
        consumer: ConsumerRef,
        now: Timestamp,
    ) -> Result<Decision, Error> {
        let known = self.known(log)?;
        let Some(ledger) = known.ledger_of(consumer) else {
            return Ok(Decision::reply(Reply::Done));
        };
        let record = LedgerRecord::Unsubscribed(consumer);
        let mut decision = done(ledger_record(log, ledger.id, record));
        decision.records.extend(self.used(log, now));
        if known.goes_with(consumer) {
            return Ok(decision.with(Effect::Unused(log)));
        }
        Ok(decision)
    }

    pub(in crate::log) fn credit(
        &self,
        log: LogId,
        consumer: ConsumerRef,
        bytes: u64,
    ) -> Result<Decision, Error> {
        // Deliveries of a consumer that has gone may still be granted back.
        let Some(ledger) = self.known(log)?.ledger_of(consumer) else {
            return Ok(Decision::reply(Reply::Done));
        };
        let record = LedgerRecord::Credited { consumer, bytes };
        Ok(done(ledger_record(log, ledger.id, record)))
    }

    pub(in crate::log) fn limit_pool(
        &self,
        log: LogId,
        session: SessionId,
        pool: u64,
        limit: Option<u32>,
    ) -> Result<Decision, Error> {
        self.known(log)?;
        let record = LogRecord::PoolLimited {
            session,
            pool,
            limit,
        };
        Ok(done(Record::Log(log, record)))
    }
}

impl Log {
    /// Whether it is deleted when this consumer has gone: the last one of an auto-delete log.
    pub(in crate::log) fn goes_with(&self, consumer: ConsumerRef) -> bool {
        let mut subscribers = self.subscribers().map(|terms| terms.consumer);
        let is_last = subscribers.next() == Some(consumer) && subscribers.next().is_none();
        self.config.lifetime.auto_delete && is_last
    }
}

/// A change that lives in memory alone.
fn done(record: Record) -> Decision {
    Decision::change(record, Reply::Done, crate::Durability::Volatile)
}

impl Ledger {
    /// The terms of those that consume from it.
    pub fn subscribers(&self) -> impl Iterator<Item = &Subscribe> + use<'_> {
        self.demand.subscribers()
    }

    /// Whether a consumer is, or was and still holds something.
    pub(crate) fn has_consumer(&self, consumer: ConsumerRef) -> bool {
        self.demand.consumer(consumer).is_some()
    }
}
