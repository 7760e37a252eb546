//! Requests that wait for a record: cancelling, and answering when their time has come.

use stele_base_types::LogId;

use super::{Ledger, ledger_record};
use crate::{
    Decision, Effect, Error, LedgerId, Reply,
    command::Token,
    log::{Logs, record::LedgerRecord},
};

impl Logs {
    pub(in crate::log) fn cancel_wait(&self, log: LogId, token: Token) -> Result<Decision, Error> {
        let ledgers = self.known(log)?.ledgers.iter();
        let waiting = ledgers.into_iter().find(|ledger| ledger.is_waiting(token));
        // One that was answered in the meantime is no error: its answer is on its way.
        let Some(ledger) = waiting else {
            return Ok(Decision::reply(Reply::Done));
        };
        Ok(Decision {
            reply: Some(Ok(Reply::Done)),
            ..answer_empty(log, ledger.id, token)
        })
    }
}

/// Ends a wait that has found nothing.
pub(crate) fn answer_empty(log: LogId, ledger: LedgerId, token: Token) -> Decision {
    Decision {
        records: [ledger_record(log, ledger, LedgerRecord::WaitEnded(token))]
            .into_iter()
            .collect(),
        ..Decision::nothing()
    }
    .with(Effect::Respond(token, Ok(Reply::Leased(Vec::new()))))
}

impl Ledger {
    pub(crate) fn is_waiting(&self, token: Token) -> bool {
        self.demand.wait_of(token).is_some()
    }

    pub(crate) fn waits(&self) -> impl Iterator<Item = Token> + use<'_> {
        self.demand.waits()
    }
}
