//! Named ledgers: subscriptions to a log besides its queue, each with its own configuration and
//! start.

use serde::{Deserialize, Serialize};
use stele_base_types::{LogId, Name, Offset, PartitionIndex, Timestamp};

use super::{Log, LogError, LogRecord, Logs, OpenLedgerError, ledger::Site};
use crate::{
    Command, Contradiction, Decision, Ledger, LedgerConfig, LedgerId, Record, State,
    limits::LEDGERS_MAX,
};

/// Opens a named ledger of a log, or applies a changed configuration. Idempotent. Returns its id,
/// which no other ledger of the log ever gets.
#[derive(Clone, Debug)]
pub struct OpenLedger {
    /// The log.
    pub log: LogId,
    /// The ledger's name.
    pub name: Name,
    /// Its configuration.
    pub config: LedgerConfig,
    /// Where a new ledger begins.
    pub start: LedgerStart,
}

/// Where a ledger begins. In partitions added later, it begins at their start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LedgerStart {
    /// With the first record kept.
    Earliest,
    /// With the next record appended.
    Latest,
    /// With these records; in other partitions with the first one kept.
    At(Vec<(PartitionIndex, Offset)>),
}

/// Closes a named ledger: its waits are refused, its consumers notified, and records needed by no
/// one else may be removed.
#[derive(Clone, Debug)]
pub struct CloseLedger {
    /// The log.
    pub log: LogId,
    /// The ledger's name.
    pub name: Name,
}

/// A named ledger that was opened or changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OpenedLedger {
    /// Its id.
    pub id: LedgerId,
    /// Its name.
    pub name: Name,
    /// Its new configuration.
    pub config: LedgerConfig,
    /// Where it begins, if not at the partition's start. Only for a new ledger.
    pub starts: Vec<(PartitionIndex, Offset)>,
    /// The time, by the engine's clock.
    pub at: Timestamp,
}

impl Command for OpenLedger {
    type Reply = LedgerId;
    type Error = OpenLedgerError;

    fn decide(self, state: &State, now: Timestamp) -> Result<Decision<LedgerId>, OpenLedgerError> {
        let Self {
            log, name, config, ..
        } = self;
        let known = state.logs.known(log)?;
        let (id, starts) = match known.named(&name) {
            Some(ledger) if *ledger.config() == config => {
                return Ok(Decision::reply(ledger.id()));
            }
            Some(ledger) => {
                check_order(ledger.config(), &config)?;
                (ledger.id(), Vec::new())
            }
            None if known.ledgers.len() >= LEDGERS_MAX => return Err(OpenLedgerError::TooMany),
            None => (known.ledger_next(), known.starts(self.start)?),
        };
        let opened = OpenedLedger {
            id,
            name,
            config,
            starts,
            at: now,
        };
        let record = Record::Log(log, LogRecord::LedgerOpened(Box::new(opened)));
        Ok(Decision::change(record, id, known.config.durability))
    }
}

impl Command for CloseLedger {
    type Reply = ();
    type Error = LogError;

    fn decide(self, state: &State, _now: Timestamp) -> Result<Decision, LogError> {
        let known = state.logs.known(self.log)?;
        let ledger = known.named(&self.name).ok_or(LogError::NoSuchLedger)?;
        let record = Record::Log(self.log, LogRecord::LedgerClosed(ledger.id()));
        Ok(Decision::change(record, (), known.config.durability))
    }
}

/// Whether records are listed by group can't change once it has been declared.
pub(super) fn check_order(
    existing: &LedgerConfig,
    config: &LedgerConfig,
) -> Result<(), Contradiction> {
    if existing.fifo == config.fifo {
        return Ok(());
    }
    Err(Contradiction {
        field: "fifo",
        received: config.fifo.to_string().into(),
        current: existing.fifo.to_string().into(),
    })
}

impl Log {
    fn named(&self, name: &Name) -> Option<&Ledger> {
        let mut ledgers = self.ledgers.iter();
        ledgers.find(|ledger| ledger.name() == Some(name))
    }

    fn ledger_next(&self) -> LedgerId {
        LedgerId(self.ledger_last.0 + 1)
    }

    /// Where a ledger begins, for the partitions where that isn't their start.
    fn starts(&self, start: LedgerStart) -> Result<Vec<(PartitionIndex, Offset)>, LogError> {
        match start {
            LedgerStart::Earliest => Ok(Vec::new()),
            LedgerStart::Latest => {
                let ends = self.partitions.iter().map(|partition| partition.end);
                Ok((0..).map(PartitionIndex).zip(ends).collect())
            }
            LedgerStart::At(starts) => {
                for (index, offset) in &starts {
                    let known = self.partition(*index).ok_or(LogError::NoSuchPartition)?;
                    if *offset < known.start || *offset > known.end {
                        return Err(LogError::OffsetOutOfRange {
                            offset: *offset,
                            start: known.start,
                            end: known.end,
                        });
                    }
                }
                Ok(starts)
            }
        }
    }
}

impl Logs {
    pub(super) fn apply_ledger_opened(&mut self, id: LogId, opened: &OpenedLedger) {
        let Some(log) = self.logs.get_mut(&id) else {
            return;
        };
        log.ledger_last = log.ledger_last.max(opened.id);
        if log.ledger(opened.id).is_none() {
            let name = Some(opened.name.clone());
            log.ledgers
                .push(Ledger::new(opened.id, name, opened.config));
        }
        let mut site = Site {
            log: id,
            ledger: opened.id,
            indexes: &mut self.indexes,
        };
        let partitions = &log.partitions;
        let mut ledgers = log.ledgers.iter_mut();
        if let Some(ledger) = ledgers.find(|ledger| ledger.id() == opened.id) {
            let (config, starts) = (opened.config, &opened.starts);
            ledger.open(config, partitions, starts, opened.at, &mut site);
        }
    }

    /// What the ledger leaves is removed in pieces, like the remains of a closed log.
    pub(super) fn apply_ledger_closed(&mut self, id: LogId, ledger: LedgerId) {
        let Some(log) = self.logs.get_mut(&id) else {
            return;
        };
        let mut ledgers = log.ledgers.iter();
        if let Some(index) = ledgers.position(|known| known.id() == ledger) {
            let closed = log.ledgers.remove(index);
            let left = self.closing.entry(id).or_default();
            left.ledgers.push(closed);
        }
    }
}
