//! Dropping a log with all that it holds.

use stele_base_types::LogId;

use super::{Logs, ledger::Site, record::LogRecord};
use crate::{Decision, Effect, Error, Record, Reply, command::Close};

impl Logs {
    pub(super) fn close(&self, log: LogId, close: Close) -> Result<Decision, Error> {
        let known = self.known(log)?;
        let ready = known.ledgers.iter().map(|ledger| ledger.ready()).sum();
        if close.if_unused && known.subscribers().next().is_some() {
            return Err(Error::InUse);
        }
        if close.if_empty && ready > 0 {
            return Err(Error::NotEmpty);
        }
        let mut decision = Decision::change(
            Record::Log(log, LogRecord::Closed),
            Reply::Removed(ready),
            known.config.durability,
        );
        let cancelled = known.subscribers();
        let cancelled = cancelled.map(|terms| Effect::ConsumerCancelled(terms.consumer));
        decision.effects.extend(cancelled);
        let waits = known.ledgers.iter().flat_map(|ledger| ledger.waits());
        let refused = waits.map(|token| Effect::Respond(token, Err(Error::NoSuchLog)));
        decision.effects.extend(refused);
        Ok(decision.with(Effect::Forget(log)))
    }

    pub(super) fn apply_closed(&mut self, id: LogId) {
        let Some(mut log) = self.logs.remove(&id) else {
            return;
        };
        for ledger in &mut log.ledgers {
            let mut site = Site {
                log: id,
                ledger: ledger.id(),
                indexes: &mut self.indexes,
            };
            ledger.unindex(&mut site);
        }
        log.unplan_forgetting(id, &mut self.indexes);
        self.indexes.hot.remove(&id);
    }
}
