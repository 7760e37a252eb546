//! Changes a log's partitions, its window, what it is, what its queue schedules by, or some of a
//! facet's settings.

use stele_base_types::{LogId, Timestamp};

use super::{define, partitions_allowed, settings_allowed, unchanged};
use crate::{
    CatalogueError, Command, Decision, Facet, LogDefinition, Role, Settings, SettingsChange, State,
    alter_settings,
};

/// Changes a log. What is `None`, or isn't named among the settings, stays as it is by then:
/// another change may have come before this one.
#[derive(Clone, Debug)]
pub struct AlterLog {
    /// The log.
    pub log: LogId,
    /// More partitions (never fewer). A FIFO queue keeps those that it has: its groups would move.
    pub partitions: Option<u32>,
    /// The age to which its window keeps records, in milliseconds; `Some(None)` is any.
    pub window_time_ms: Option<Option<u64>>,
    /// The size to which its window keeps a partition, in bytes; `Some(None)` is any.
    pub window_size_bytes: Option<Option<u64>>,
    /// What it is to be no more. Its consumers stay, and its settings. Fails with
    /// [`CatalogueError::OnlyRole`] where it is nothing else: nothing would be kept then.
    pub ends: Option<Role>,
    /// How long its queue hides records, in milliseconds. Nothing to a log that is no queue.
    pub delay_ms: Option<u64>,
    /// How long its queue keeps records, in milliseconds. Nothing to a log that is no queue.
    pub expiry_ms: Option<u64>,
    /// Some of a facet's settings.
    pub settings: Option<(Facet, SettingsChange)>,
    /// The facet's settings by which the change to them was found allowed. Where they are others by
    /// now, nothing changes: each of two changes may be allowed, but not both together.
    pub judged_by: Option<Settings>,
}

/// What has become of an alteration.
#[derive(Clone, Debug)]
pub enum Altered {
    /// It is made; this is the log now.
    Made(LogDefinition),
    /// It was judged by settings that are no longer those of the log, which this is. The caller
    /// judges again and asks again.
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
        altered.modified = now;
        Ok(state.send(define(altered.clone(), Altered::Made(altered)), now))
    }
}

impl AlterLog {
    /// An alteration that leaves everything as it is.
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
            let is_fifo = config.queue.is_some_and(|queue| queue.fifo);
            if is_fifo && partitions > config.partitions {
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
