//! Taking a log up, or its changed configuration.

use stele_base_types::{LogId, Timestamp};

use super::{Log, Logs, ledger::Site, record::LogRecord};
use crate::{
    Contradiction, Decision, Error, Ledger, LedgerId, LogConfig, Record, Reply,
    limits::PARTITIONS_MAX,
};

impl Logs {
    pub(super) fn open(
        &self,
        log: LogId,
        config: LogConfig,
        now: Timestamp,
    ) -> Result<Decision, Error> {
        if self.closed.contains(&log) {
            return Err(Error::NoSuchLog);
        }
        let existing = self.logs.get(&log).map(|log| &log.config);
        let partitions = existing.map_or(0, |existing| existing.partitions);
        if config.partitions < partitions.max(1) || config.partitions > PARTITIONS_MAX {
            return Err(Error::Partitions {
                existing: partitions,
                requested: config.partitions,
            });
        }
        if existing == Some(&config) {
            return Ok(Decision::reply(Reply::Done));
        }
        if let Some(existing) = existing {
            check_fifo(existing, &config)?;
        }
        let record = LogRecord::Opened { config, at: now };
        Ok(Decision::change(
            Record::Log(log, record),
            Reply::Done,
            config.durability,
        ))
    }

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
fn check_fifo(existing: &LogConfig, config: &LogConfig) -> Result<(), Error> {
    match (existing.queue, config.queue) {
        (Some(current), Some(received)) if current.fifo != received.fifo => {
            Err(Error::Contradiction(Contradiction {
                field: "fifo",
                received: received.fifo.to_string().into(),
                current: current.fifo.to_string().into(),
            }))
        }
        _ => Ok(()),
    }
}
