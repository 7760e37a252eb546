//! Requests that wait for a record: cancelling them, and answering them at their deadline.

use stele_base_types::{LogId, Timestamp};

use super::{Ledger, ledger_record};
use crate::{
    Command, Decision, Effect, LedgerId, LogError, State, Token, log::record::LedgerRecord,
};

/// Cancels a wait. It is answered as if nothing was found.
#[derive(Clone, Copy, Debug)]
pub struct CancelWait {
    /// The log.
    pub log: LogId,
    /// The token of the waiting [`crate::Lease`].
    pub token: Token,
}

impl Command for CancelWait {
    type Reply = ();
    type Error = LogError;

    fn decide(self, state: &State, _now: Timestamp) -> Result<Decision, LogError> {
        let Self { log, token } = self;
        let mut ledgers = state.logs.known(log)?.ledgers.iter();
        let waiting = ledgers.find(|ledger| ledger.is_waiting(token));
        // It is no error if the wait was answered meanwhile.
        Ok(waiting.map_or_else(Decision::nothing, |it| answer_empty(log, it.id, token)))
    }
}

/// Ends a wait that found nothing.
pub(crate) fn answer_empty(log: LogId, ledger: LedgerId, token: Token) -> Decision {
    let record = ledger_record(log, ledger, LedgerRecord::WaitEnded(token));
    Decision::record(record).with(Effect::Leased(token, Ok(Vec::new())))
}

impl Ledger {
    pub(crate) fn is_waiting(&self, token: Token) -> bool {
        self.demand.wait_of(token).is_some()
    }
}
