//! Taking a log up, or its changed configuration.

use stele_base_types::{LogId, Timestamp};

use super::{Log, Logs, OpenError, ledger::Site, record::LogRecord};
use crate::{
    Command, Contradiction, Decision, Ledger, LedgerId, LogConfig, Record, State,
    limits::PARTITIONS_MAX,
};

/// Takes a log up, or takes over its changed configuration. Idempotent.
#[derive(Clone, Copy, Debug)]
pub struct OpenLog {
    /// The log.
    pub log: LogId,
    /// What it shall be.
    pub config: LogConfig,
}

impl Command for OpenLog {
    type Reply = ();
    type Error = OpenError;

    fn decide(self, state: &State, now: Timestamp) -> Result<Decision, OpenError> {
        let Self { log, config } = self;
        let logs = &state.logs;
        if logs.closed.contains(&log) {
            return Err(OpenError::Closed);
        }
        let existing = logs.log(log).map(|log| &log.config);
        let partitions = existing.map_or(0, |existing| existing.partitions);
        if config.partitions < partitions.max(1) || config.partitions > PARTITIONS_MAX {
            return Err(OpenError::Partitions {
                existing: partitions,
                requested: config.partitions,
            });
        }
        if existing == Some(&config) {
            return Ok(Decision::nothing());
        }
        if let Some(existing) = existing {
            check_fifo(existing, &config)?;
        }
        let record = LogRecord::Opened { config, at: now };
        Ok(Decision::change(
            Record::Log(log, record),
            (),
            config.durability,
        ))
    }
}

impl Logs {
    pub(super) fn apply_opened(&mut self, id: LogId, config: LogConfig, at: Timestamp) {
        let log = self
            .logs
            .entry(id)
            .or_insert_with(|| Box::new(Log::new(config)));
        log.config = config;
        log.used_at = log.used_at.or(Some(at));
        let partitions = usize::try_from(config.partitions).unwrap_or(usize::MAX);
        if log.partitions.len() < partitions {
            log.partitions.resize_with(partitions, Default::default);
        }
        let Some(queue) = config.queue else {
            return;
        };
        if log.ledgers.is_empty() {
            log.ledgers.push(Ledger::new(LedgerId::DEFAULT, queue));
        }
        for ledger in &mut log.ledgers {
            let mut site = Site {
                log: id,
                ledger: ledger.id(),
                indexes: &mut self.indexes,
            };
            ledger.open(queue, &log.partitions, at, &mut site);
        }
    }
}

/// Records of a queue are listed by group, or not, from the first one on.
fn check_fifo(existing: &LogConfig, config: &LogConfig) -> Result<(), Contradiction> {
    match (existing.queue, config.queue) {
        (Some(current), Some(received)) if current.fifo != received.fifo => Err(Contradiction {
            field: "fifo",
            received: received.fifo.to_string().into(),
            current: current.fifo.to_string().into(),
        }),
        _ => Ok(()),
    }
}
