//! Changes a log's partitions, window, roles, its queue's schedule, or some of a facet's settings.

use stele_base_types::{LogId, Timestamp};

use super::{define, partitions_allowed, settings_allowed, unchanged};
use crate::{
    CatalogueError, Command, Decision, Facet, LogDefinition, Role, Settings, SettingsChange, State,
    alter_settings,
};

/// Changes a log. Fields that are `None`, and settings that aren't named, keep their current value,
/// even if another change came before this one.
#[derive(Clone, Debug)]
pub struct AlterLog {
    /// The log.
    pub log: LogId,
    /// A larger number of partitions. A FIFO queue refuses this, because its message groups would
    /// change partitions; a queue that orders by priority, because they are its priorities.
    pub partitions: Option<u32>,
    /// How old records in its window may be, in milliseconds; `Some(None)` is no limit.
    pub window_time_ms: Option<Option<u64>>,
    /// How large its window on a partition may be, in bytes; `Some(None)` is no limit.
    pub window_size_bytes: Option<Option<u64>>,
    /// The role to remove. Its consumers and settings stay. Fails with [`CatalogueError::OnlyRole`]
    /// if it is the only role, because nothing would be kept then.
    pub ends: Option<Role>,
    /// The delay of its queue's records, in milliseconds. Ignored if the log is no queue.
    pub delay_ms: Option<u64>,
    /// The expiry of its queue's records, in milliseconds. Ignored if the log is no queue.
    pub expiry_ms: Option<u64>,
    /// A change of some of a facet's settings.
    pub settings: Option<(Facet, SettingsChange)>,
    /// The facet's settings against which the change was validated. If they are different now,
    /// nothing changes: two changes may each be valid, but not both together.
    pub judged_by: Option<Settings>,
}

/// The result of an alteration.
#[derive(Clone, Debug)]
pub enum Altered {
    /// The alteration was made; this is the log now.
    Made(LogDefinition),
    /// It was validated against settings that have changed since; this is the log now. The caller
    /// validates again and retries.
    Outdated(LogDefinition),
}

impl Altered {
    /// The log as it is now.
    pub fn definition(&self) -> &LogDefinition {
        match self {
            Self::Made(definition) | Self::Outdated(definition) => definition,
        }
    }
}

impl Command for AlterLog {
    type Reply = Altered;
    type Error = CatalogueError;

    fn decide(self, state: &State, now: Timestamp) -> Result<Decision<Altered>, CatalogueError> {
        let existing = state.catalogue.log_by_id(self.log);
        let existing = existing.ok_or(CatalogueError::NoSuchLog)?;
        if self.is_outdated(existing) {
            return Ok(unchanged(Altered::Outdated(existing.clone())));
        }
        let mut altered = existing.clone();
        self.alter(&mut altered)?;
        if altered == *existing {
            return Ok(unchanged(Altered::Made(altered)));
        }
        state.definition_allowed(altered.bytes(), existing.bytes())?;
        altered.modified = now;
        Ok(state.send(define(altered.clone(), Altered::Made(altered)), now))
    }
}

impl AlterLog {
    /// An alteration that changes nothing.
    pub fn nothing(log: LogId) -> Self {
        Self {
            log,
            partitions: None,
            window_time_ms: None,
            window_size_bytes: None,
            ends: None,
            delay_ms: None,
            expiry_ms: None,
            settings: None,
            judged_by: None,
        }
    }

    fn is_outdated(&self, existing: &LogDefinition) -> bool {
        let (Some((facet, _)), Some(judged_by)) = (&self.settings, &self.judged_by) else {
            return false;
        };
        let current = existing.facets.get(facet);
        current.map_or(!judged_by.is_empty(), |current| current != judged_by)
    }

    fn alter(self, altered: &mut LogDefinition) -> Result<(), CatalogueError> {
        let config = &mut altered.config;
        if let Some(partitions) = self.partitions {
            partitions_allowed(partitions, config.partitions)?;
            let is_fixed = config
                .queue
                .is_some_and(|queue| queue.fifo || queue.by_priority);
            if is_fixed && partitions > config.partitions {
                return Err(CatalogueError::Partitions {
                    existing: config.partitions,
                    requested: partitions,
                });
            }
            config.partitions = partitions;
        }
        if let Some(queue) = &mut config.queue {
            queue.delay_ms = self.delay_ms.unwrap_or(queue.delay_ms);
            queue.expiry_ms = self.expiry_ms.or(queue.expiry_ms);
        }
        if self.window_time_ms.is_some() || self.window_size_bytes.is_some() {
            let window = config.retention.window.get_or_insert_default();
            window.time_ms = self.window_time_ms.unwrap_or(window.time_ms);
            window.size_bytes = self.window_size_bytes.unwrap_or(window.size_bytes);
        }
        if let Some(role) = self.ends {
            match role {
                Role::Queue => config.retention.until_acknowledged = false,
                Role::Topic => config.retention.window = None,
            }
            if !config.retention.is_queue() && !config.retention.is_topic() {
                return Err(CatalogueError::OnlyRole);
            }
        }
        if let Some((facet, change)) = self.settings {
            let settings = altered.facets.entry(facet).or_default();
            alter_settings(settings, &change);
            settings_allowed(settings)?;
        }
        Ok(())
    }
}
