//! Offsets that are no messages: compacted away, or of a control batch that a ledger met late.

use stele_base_types::{LogId, Timestamp};

use super::{LogError, Run, ledger::ledger_record};
use crate::{Command, Decision, Durability, LedgerRecord, State};

/// Some offsets of a log hold no message: every ledger is through with them. Whoever reads leased
/// records and finds none there says so. A ledger that is opened later finds it out anew.
#[derive(Clone, Copy, Debug)]
pub struct Skip {
    /// The log.
    pub log: LogId,
    /// Which.
    pub run: Run,
}

impl Command for Skip {
    type Reply = ();
    type Error = LogError;

    fn decide(self, state: &State, _now: Timestamp) -> Result<Decision, LogError> {
        let Self { log, run } = self;
        let known = state.logs.known(log)?;
        known
            .partition(run.partition)
            .ok_or(LogError::NoSuchPartition)?;
        let met = known.ledgers.iter().filter(|ledger| ledger.has_any(run));
        let settled = met.map(|ledger| ledger_record(log, ledger.id(), LedgerRecord::Settled(run)));
        Ok(Decision {
            records: settled.collect(),
            // Lost, it is found out again.
            durability: Durability::Volatile,
            ..Decision::nothing()
        })
    }
}
