//! Changes a log's partitions, retention, queue configuration or one facet's settings.

use stele_base_types::{LogId, Timestamp};

use super::{change, partitions_allowed, same, unchanged};
use crate::{
    CatalogueRecord, Decision, Error, Facet, QueueConfig, Reply, Retention, Settings,
    catalogue::Catalogue, reply::Declared,
};

/// What is to change; `None` leaves a part as it is.
pub(super) struct Alteration {
    pub(super) partitions: Option<u32>,
    pub(super) retention: Option<Retention>,
    pub(super) queue: Option<QueueConfig>,
    pub(super) settings: Option<(Facet, Settings)>,
}

impl Catalogue {
    pub(super) fn alter_log(
        &self,
        log: LogId,
        alteration: Alteration,
        now: Timestamp,
    ) -> Result<Decision, Error> {
        let existing = self.log_by_id(log).ok_or(Error::NoSuchLog)?;
        let mut altered = existing.clone();
        let config = &mut altered.config;
        if let Some(partitions) = alteration.partitions {
            partitions_allowed(partitions, config.partitions)?;
            config.partitions = partitions;
        }
        if let Some(queue) = alteration.queue {
            if let Some(current) = config.queue {
                same("fifo", &queue.fifo, &current.fifo)?;
            }
            config.queue = Some(queue);
        }
        config.retention = alteration.retention.unwrap_or(config.retention);
        if let Some((facet, settings)) = alteration.settings {
            altered.facets.insert(facet, settings);
        }
        if altered == *existing {
            let reply = Reply::Declared(Box::new(Declared::Exists(altered)));
            return Ok(unchanged(reply));
        }
        altered.modified = now;
        Ok(change(
            CatalogueRecord::LogDefined(Box::new(altered.clone())),
            Reply::Declared(Box::new(Declared::Exists(altered))),
        ))
    }
}
