//! Retention.

use stele_base_types::{LogId, Offset, PartitionId, PartitionIndex, Timestamp};
use stele_core_engine::Trim;
use stele_core_storage::{Age, RetentionPolicy};

use super::Shard;
use crate::limits::MAINTAINED_LOGS_MAX;

impl Shard {
    /// Applies retention to some of the logs; further calls go on with the others. Called about
    /// once a second.
    pub fn maintain(&mut self, now: Timestamp) {
        self.now = now;
        if self.maintained.is_none() {
            let logs = &self.state.logs;
            self.arrivals.retain(|log| logs.log(log).is_some());
        }
        let following = self.state.logs.after(self.maintained);
        let turn: Vec<LogId> = following
            .map(|(log, _)| log)
            .take(MAINTAINED_LOGS_MAX)
            .collect();
        let is_last = turn.len() < MAINTAINED_LOGS_MAX;
        self.maintained = turn.last().copied().filter(|_| !is_last);
        for log in turn {
            self.apply_retention(log);
        }
        self.dispatch();
    }

    fn apply_retention(&mut self, log: LogId) {
        let Some(state) = self.state.logs.log(log) else {
            return;
        };
        let window = state.config.retention.window;
        let bounds: Vec<(Offset, Offset)> = state
            .partitions
            .iter()
            .map(|partition| (partition.start, partition.end))
            .collect();
        for (index, (start, end)) in bounds.into_iter().enumerate() {
            let index = PartitionIndex(index as u32);
            let partition = PartitionId::new(log, index);
            let window = window.map_or(Offset::ZERO, |window| {
                let age = window.time_ms.map(|ms_max| Age {
                    ms_max,
                    of_those_below: self.arrivals.note(partition, end, ms_max, self.now),
                });
                let policy = RetentionPolicy {
                    age,
                    size_bytes_max: window.size_bytes,
                };
                self.index.retention_start(partition, &policy, self.now)
            });
            let to = self.state.logs.keep_from(partition, window);
            if to > start {
                self.tell(Trim {
                    partition,
                    to,
                    force: false,
                });
            }
        }
    }
}
