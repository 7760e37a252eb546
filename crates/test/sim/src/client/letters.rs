//! What clients know of records that have died before, and whether they use queues of such.

use std::collections::BTreeSet;

use stele_base_types::{Offset, PartitionId};
use stele_core_engine::{LogDefinition, Schedule};
use stele_wire_batch::Record;

use super::Turn;
use crate::{
    event::{Event, RecordId},
    letters::{record_of, sight_of},
};

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Letters {
    pub(super) are_used: bool,
    /// The places of those that were seen.
    seen: BTreeSet<(PartitionId, Offset)>,
}

impl Letters {
    pub(super) fn new(are_used: bool) -> Self {
        Self {
            are_used,
            seen: BTreeSet::new(),
        }
    }

    /// The id of a record in its place; reports the first sight of a dead letter.
    pub(super) fn see(
        &mut self,
        events: &mut Vec<Event>,
        partition: PartitionId,
        offset: Offset,
        record: &Record,
    ) -> RecordId {
        if self.are_used
            && !self.seen.contains(&(partition, offset))
            && let Some(sight) = sight_of(record, partition, offset)
        {
            self.seen.insert((partition, offset));
            events.push(sight);
        }
        record_of(record)
    }
}

/// Sometimes gives the records of a batch a time to live.
pub(super) fn with_expiry(
    turn: &mut Turn<'_>,
    log: &LogDefinition,
    count: u64,
    schedules: Vec<Schedule>,
) -> Vec<Schedule> {
    let is_queue = log.config.queue.is_some_and(|queue| !queue.fifo);
    if !is_queue || !turn.random.once_in(5) {
        return schedules;
    }
    let schedules = schedules
        .into_iter()
        .map(Some)
        .chain(std::iter::repeat(None));
    let each = schedules.take(count as usize).map(|schedule| Schedule {
        expiry_ms: (!turn.random.once_in(4)).then(|| turn.random.below(8_000)),
        ..schedule.unwrap_or_default()
    });
    each.collect()
}
