//! Offsets without a message: compacted away, or of a control batch that a ledger didn't know of.

use stele_base_types::{LogId, Timestamp};

use super::{LogError, Run, ledger::ledger_record};
use crate::{Command, Decision, Durability, LedgerRecord, State};

/// Settles offsets of a log that hold no message, for all ledgers. Sent by readers that find no
/// messages for leased records. Ledgers that are opened later find out again.
#[derive(Clone, Copy, Debug)]
pub struct Skip {
    /// The log.
    pub log: LogId,
    /// The offsets.
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
            // If this is lost, readers find out again.
            durability: Durability::Volatile,
            ..Decision::nothing()
        })
    }
}
