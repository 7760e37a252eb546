//! Retention.

use std::sync::Arc;

use stele_base_types::{LogId, Name, Offset, PartitionId, PartitionIndex, Timestamp};
use stele_core_engine::{ForgetLog, Holder, Log, Retention, Trim, TrimReason, Window};
use stele_core_storage::{Age, RetentionPolicy};

use super::Shard;
use crate::limits::{MAINTAINED_OFFSETS_MAX, MAINTAINED_PARTITIONS_MAX};

/// Where the next maintenance continues.
#[derive(Debug, Default)]
pub(super) struct Maintained {
    partition: Option<PartitionId>,
    /// And the check of the groups' offsets.
    offsets: Option<(Name, LogId)>,
}

impl Shard {
    /// Applies retention to some of the partitions, drops ended fetches' watches on them, and has
    /// groups forget their offsets of deleted logs. Further calls continue with the others. Called
    /// about once a second.
    pub fn maintain(&mut self, now: Timestamp) {
        self.now = now;
        if self.maintained.partition.is_none() {
            let logs = &self.state.logs;
            self.arrivals.retain(|log| logs.log(log).is_some());
        }
        let following = self.partitions_after(self.maintained.partition);
        let turn: Vec<PartitionId> = following.take(MAINTAINED_PARTITIONS_MAX).collect();
        let is_last = turn.len() < MAINTAINED_PARTITIONS_MAX;
        self.maintained.partition = turn.last().copied().filter(|_| !is_last);
        for partition in turn {
            self.apply_retention(partition);
            self.drop_ended_watches(partition);
        }
        self.forget_deleted_logs();
        self.take_up_dead();
        self.dispatch();
    }

    fn partitions_after(&self, last: Option<PartitionId>) -> impl Iterator<Item = PartitionId> {
        let logs = &self.state.logs;
        let begun = last.and_then(|last| Some((last.log, logs.log(last.log)?)));
        let logs = begun
            .into_iter()
            .chain(logs.after(last.map(|last| last.log)));
        let partitions = logs.flat_map(|(log, state)| {
            let indexes = (0..).map(PartitionIndex).zip(&state.partitions);
            indexes.map(move |(index, _)| PartitionId::new(log, index))
        });
        partitions.filter(move |partition| last.is_none_or(|last| *partition > last))
    }

    pub(super) fn apply_retention(&mut self, partition: PartitionId) {
        let logs = &self.state.logs;
        let Some((log, known)) = logs.log(partition.log).zip(logs.partition(partition)) else {
            return;
        };
        let start = known.start;
        let (window, held_from) = self.kept_starts(partition, log.config.retention);
        let to = self.state.logs.keep_from(partition, window, held_from);
        if to > start {
            let reason = TrimReason::Retention { held_from };
            self.tell(Trim {
                partition,
                to,
                reason,
            });
        }
    }

    /// What holds back the oldest record of each of a log's first partitions.
    pub(super) fn holders(&mut self, id: LogId) -> Vec<Vec<Holder>> {
        let Some(log) = self.state.logs.log(id) else {
            return Vec::new();
        };
        let retention = log.config.retention;
        let indexes = (0..log.config.partitions).map(PartitionIndex);
        let partitions = indexes.map(|index| PartitionId::new(id, index));
        let holders = partitions.take(MAINTAINED_PARTITIONS_MAX).map(|partition| {
            let (window, held_from) = self.kept_starts(partition, retention);
            self.state.logs.holders(partition, window, held_from)
        });
        holders.collect()
    }

    /// Where a partition's retention window begins, and the offset before which groups hold back
    /// nothing.
    fn kept_starts(&mut self, partition: PartitionId, retention: Retention) -> (Offset, Offset) {
        let log = self.state.logs.log(partition.log);
        let has_cursors = retention.is_queue() && log.is_some_and(Log::has_cursors);
        let held = has_cursors.then_some(Window {
            time_ms: Some(self.unread_kept_ms),
            size_bytes: None,
        });
        let mut start = |window: Option<Window>| {
            window.map_or(Offset::ZERO, |window| self.start_of(partition, &window))
        };
        (start(retention.window), start(held))
    }

    /// Has groups forget their offsets of logs that are no longer defined. This uses the
    /// definitions that the fronts route by, which contain a log before anybody can read it. So a
    /// deletion need not notify the groups, and a late commit leaves nothing behind.
    fn forget_deleted_logs(&mut self) {
        let replica = Arc::clone(&self.replica);
        let catalogue = replica.read();
        let read = self
            .state
            .groups
            .read_logs(self.maintained.offsets.as_ref());
        let mut looked_at = 0;
        let mut last = None;
        let mut deleted = Vec::new();
        for (group, log) in read.take(MAINTAINED_OFFSETS_MAX) {
            looked_at += 1;
            last = Some((group, log));
            if catalogue.log_by_id(log).is_none() {
                deleted.push((group.clone(), log));
            }
        }
        drop(catalogue);
        let is_last = looked_at < MAINTAINED_OFFSETS_MAX;
        let last = last.filter(|_| !is_last);
        self.maintained.offsets = last.map(|(group, log)| (group.clone(), log));
        let mut forgotten = 0;
        for (group, log) in deleted {
            let forget = ForgetLog { group, log };
            forgotten += self.carry_out(forget, None).map_or(0, |(count, _)| count);
            if forgotten >= MAINTAINED_OFFSETS_MAX {
                // The next call looks at the rest.
                break;
            }
        }
    }

    /// The start of a window over a partition.
    fn start_of(&mut self, partition: PartitionId, window: &Window) -> Offset {
        let known = self.state.logs.partition(partition);
        let end = known.map_or(Offset::ZERO, |known| known.end);
        let age = window.time_ms.map(|ms_max| Age {
            ms_max,
            of_those_below: self.arrivals.note(partition, end, ms_max, self.now),
        });
        let policy = RetentionPolicy {
            age,
            size_bytes_max: window.size_bytes,
        };
        self.index.retention_start(partition, &policy, self.now)
    }
}
