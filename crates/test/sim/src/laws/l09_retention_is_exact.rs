//! Law 9: retention and checkpoints never remove what a reader is entitled to, and remove
//! everything else.

use std::collections::{BTreeMap, BTreeSet};

use stele_base_types::{LogId, Offset, PartitionId, Timestamp};
use stele_core_engine::{LogConfig, Window};

use super::{Law, ensure};
use crate::{
    event::{Event, Publish, PublishId, Read},
    model::{Model, Standing},
};

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct RetentionIsExact {
    /// The offsets up to which removal was requested.
    trimmed: BTreeMap<PartitionId, Offset>,
    /// The latest time so far.
    latest: Timestamp,
    deleted: BTreeSet<LogId>,
    drained: BTreeSet<LogId>,
    /// The maximum size of segments, once a sweep has looked at everything.
    swept: Option<u64>,
}

/// The distance between two entries of the index of the journal's batches.
const JOURNAL_STRETCH_BYTES: u64 = 4_096;

impl Law for RetentionIsExact {
    fn name(&self) -> &'static str {
        "9: retention removes what nobody is entitled to, and only that"
    }

    fn judge(&mut self, event: &Event, model: &Model) -> Result<(), String> {
        match event {
            Event::Trimming(partition, to) => {
                let known = self.trimmed.entry(*partition).or_default();
                *known = (*known).max(*to);
                Ok(())
            }
            Event::Time(now) | Event::Ticked(now) => {
                self.latest = self.latest.max(*now);
                Ok(())
            }
            Event::Deleted(log) => {
                self.deleted.insert(*log);
                Ok(())
            }
            Event::Drained(log) => {
                self.drained.insert(*log);
                Ok(())
            }
            Event::Swept {
                on_disk,
                read,
                segment_bytes_max,
            } => {
                self.swept = Some(*segment_bytes_max);
                let left = on_disk.iter().find(|log| self.deleted.contains(log));
                ensure(left.is_none(), || format!("log {left:?} left files behind"))?;
                let left = read.iter().find(|log| self.deleted.contains(log));
                ensure(left.is_none(), || {
                    format!("a group has offsets of log {left:?}")
                })
            }
            Event::Read(read) => self.nothing_needed_is_gone(read, model),
            Event::Audited(read) => {
                self.nothing_needed_is_gone(read, model)?;
                self.the_rest_is_gone(read, model)
            }
            _ => Ok(()),
        }
    }
}

impl RetentionIsExact {
    /// Each removed record was settled, or lay outside the window: it was too old, or enough data
    /// followed its batch.
    fn nothing_needed_is_gone(&self, read: &Read, model: &Model) -> Result<(), String> {
        let Some(config) = model.log(read.partition.log) else {
            return Ok(());
        };
        let trimmed = self.trimmed.get(&read.partition).copied();
        let trimmed = trimmed.unwrap_or_default();
        let is_whole = is_whole(read, model);
        // An append counts as soon as it is requested: the removal is journalled after it, so a
        // crash that undoes the append undoes the removal as well.
        let mut behind = Behind::new(model.waiting_bytes(read.partition));
        for (offset, place) in model.places(read.partition).rev() {
            let publish = &model.publishes[&place.publish];
            let behind_bytes = behind.bytes_behind(publish);
            if offset >= read.start || offset < trimmed {
                continue;
            }
            // If some appends are unknown, more data may follow it.
            let behind_bytes = is_whole.then_some(behind_bytes);
            let is_kept = is_needed(read, offset, config, model)
                || self.is_in_window(read, publish, behind_bytes, config);
            ensure(!is_kept, || {
                format!(
                    "{}: {place:?} at {offset} is gone, {behind_bytes:?} bytes behind it",
                    read.partition
                )
            })?;
        }
        Ok(())
    }

    /// Whether the window keeps a record, which exceeds neither of its bounds.
    fn is_in_window(
        &self,
        read: &Read,
        publish: &Publish,
        behind_bytes: Option<u64>,
        config: &LogConfig,
    ) -> bool {
        let Some(window) = config.retention.window else {
            return false;
        };
        let latest = self.latest.max(read.at);
        let is_young = window
            .time_ms
            .is_none_or(|kept_ms| latest.since_ms(publish.at) <= kept_ms);
        let is_near = window
            .size_bytes
            .is_none_or(|kept_bytes| behind_bytes.is_some_and(|behind| behind < kept_bytes));
        is_young && is_near
    }

    /// After a full sweep, a log that was consumed to its end keeps only its window.
    fn the_rest_is_gone(&self, read: &Read, model: &Model) -> Result<(), String> {
        let Some(segment_bytes_max) = self.swept else {
            return Ok(());
        };
        let Some(config) = model.log(read.partition.log) else {
            return Ok(());
        };
        let is_drained = self.drained.contains(&read.partition.log);
        if config.retention.until_acknowledged && !is_drained {
            return Ok(());
        }
        let may_be_left = match config.retention.window {
            None => 0,
            Some(window) => may_be_left_bytes(read, window, segment_bytes_max, model),
        };
        let left = bytes_left(read, model);
        let is_empty = read.start == read.committed;
        ensure(is_empty || may_be_left > 0 && left <= may_be_left, || {
            format!(
                "{} begins at {} of {}: {left} bytes are left, and {may_be_left} may be",
                read.partition, read.start, read.committed
            )
        })
    }
}

fn is_needed(read: &Read, offset: Offset, config: &LogConfig, model: &Model) -> bool {
    let known = model.ledgers.get(read.partition, offset);
    let known = known.filter(|record| record.is_certainly_there());
    let standing = known.map(|record| record.standing);
    let is_open = matches!(
        standing,
        Some(Standing::Waiting { .. } | Standing::Leased { .. })
    );
    config.retention.until_acknowledged && is_open
}

/// Whether all appends of a partition are known.
fn is_whole(read: &Read, model: &Model) -> bool {
    model.places(read.partition).count() as u64 == read.committed.0
}

/// Adds up batches, newest first.
struct Behind {
    bytes: u64,
    /// The current batch, which isn't added yet.
    last: Option<(PublishId, u64)>,
}

impl Behind {
    fn new(bytes: u64) -> Self {
        Self { bytes, last: None }
    }

    /// The bytes of the batches after that of a record.
    fn bytes_behind(&mut self, publish: &Publish) -> u64 {
        let here = (publish.id, publish.size_bytes);
        if let Some(newer) = self.last.replace(here).filter(|newer| *newer != here) {
            self.bytes += newer.1;
        }
        self.bytes
    }
}

/// The bytes that a window may leave: none if everything is too old; else up to its size, plus
/// whatever is removed only as a whole: a segment, or a stretch of the journal.
fn may_be_left_bytes(read: &Read, window: Window, segment_bytes_max: u64, model: &Model) -> u64 {
    let publishes = model.publishes.values();
    let here = publishes.filter(|publish| {
        let mut targets = publish.targets.iter();
        targets.any(|target| target.log == read.partition.log)
    });
    let mut ages = here.clone().map(|publish| read.at.since_ms(publish.at));
    if window
        .time_ms
        .is_some_and(|kept_ms| ages.all(|age_ms| age_ms > kept_ms))
    {
        return 0;
    }
    let largest = here.map(|publish| publish.size_bytes).max().unwrap_or(0);
    let whole = segment_bytes_max.max(JOURNAL_STRETCH_BYTES) + largest;
    let kept_bytes = window.size_bytes.unwrap_or(u64::MAX);
    kept_bytes.saturating_add(whole)
}

/// The known batches from the start on.
fn bytes_left(read: &Read, model: &Model) -> u64 {
    let left = model.places(read.partition);
    let left = left.filter(|(offset, _)| *offset >= read.start);
    let batches: BTreeSet<_> = left.map(|(_, place)| place.publish).collect();
    let sizes = batches.iter().map(|id| model.publishes[id].size_bytes);
    sizes.sum()
}
