//! Opening a log, or changing its configuration.

use stele_base_types::{LogId, Timestamp};

use super::{Log, Logs, OpenError, ledger::Site, named::check_order, record::LogRecord};
use crate::{
    Command, Decision, Ledger, LedgerId, LogConfig, Record, State, limits::PARTITIONS_MAX,
};

/// Opens a log, or applies a changed configuration. Idempotent.
#[derive(Clone, Copy, Debug)]
pub struct OpenLog {
    /// The log.
    pub log: LogId,
    /// Its configuration.
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
        let decided = existing.filter(|existing| !existing.is_order_open());
        let queue = decided.and_then(|existing| existing.queue);
        if let Some((existing, config)) = queue.zip(config.queue) {
            check_order(&existing, &config)?;
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
        let former = log.config.partitions;
        log.config = config;
        if former < config.partitions {
            log.hold_added(former);
        }
        log.used_at = log.used_at.or(Some(at));
        let partitions = usize::try_from(config.partitions).unwrap_or(usize::MAX);
        if log.partitions.len() < partitions {
            log.partitions.resize_with(partitions, Default::default);
        }
        if let Some(queue) = config.queue
            && log.ledger(LedgerId::DEFAULT).is_none()
        {
            let ledger = Ledger::new(LedgerId::DEFAULT, None, queue);
            log.ledgers.insert(0, ledger);
        }
        for ledger in &mut log.ledgers {
            let mut site = Site {
                log: id,
                ledger: ledger.id(),
                indexes: &mut self.indexes,
            };
            // A named ledger has its own configuration, and only gets the new partitions.
            let own = config.queue.filter(|_| ledger.id() == LedgerId::DEFAULT);
            let config = own.unwrap_or(*ledger.config());
            ledger.open(config, &log.partitions, &[], at, &mut site);
        }
    }
}
