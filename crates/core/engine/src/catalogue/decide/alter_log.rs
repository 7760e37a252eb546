//! Changes a log's partitions, retention, queue configuration or one facet's settings.

use stele_base_types::{LogId, Timestamp};

use super::{define, partitions_allowed, same, unchanged};
use crate::{
    CatalogueError, Command, Decision, Facet, LedgerConfig, LogDefinition, Retention, Settings,
    State,
};

/// Changes a log; answered with the log as it is then. `None` leaves a part as it is.
#[derive(Clone, Debug)]
pub struct AlterLog {
    /// The log.
    pub log: LogId,
    /// More partitions (never fewer). A FIFO queue keeps those that it has: its groups would move.
    pub partitions: Option<u32>,
    /// Retention, replaced.
    pub retention: Option<Retention>,
    /// Queue configuration, replaced.
    pub queue: Option<LedgerConfig>,
    /// A facet's settings, replaced.
    pub settings: Option<(Facet, Settings)>,
}

impl Command for AlterLog {
    type Reply = LogDefinition;
    type Error = CatalogueError;

    fn decide(
        self,
        state: &State,
        now: Timestamp,
    ) -> Result<Decision<LogDefinition>, CatalogueError> {
        let existing = state.catalogue.log_by_id(self.log);
        let existing = existing.ok_or(CatalogueError::NoSuchLog)?;
        let mut altered = existing.clone();
        self.alter(&mut altered)?;
        if altered == *existing {
            return Ok(unchanged(altered));
        }
        altered.modified = now;
        Ok(state.send(define(altered.clone(), altered), now))
    }
}

impl AlterLog {
    /// An alteration that leaves everything as it is.
    pub fn nothing(log: LogId) -> Self {
        Self {
            log,
            partitions: None,
            retention: None,
            queue: None,
            settings: None,
        }
    }

    fn alter(self, altered: &mut LogDefinition) -> Result<(), CatalogueError> {
        let config = &mut altered.config;
        if let Some(partitions) = self.partitions {
            partitions_allowed(partitions, config.partitions)?;
            let is_fifo = config.queue.is_some_and(|queue| queue.fifo);
            if is_fifo && partitions > config.partitions {
                return Err(CatalogueError::Partitions {
                    existing: config.partitions,
                    requested: partitions,
                });
            }
            config.partitions = partitions;
        }
        if let Some(queue) = self.queue {
            if let Some(current) = config.queue {
                same("fifo", &queue.fifo, &current.fifo)?;
            }
            config.queue = Some(queue);
        }
        config.retention = self.retention.unwrap_or(config.retention);
        if let Some((facet, settings)) = self.settings {
            altered.facets.insert(facet, settings);
        }
        Ok(())
    }
}
