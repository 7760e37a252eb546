//! Retention and settling: what goes on beside the clients' work.

use stele_base_types::{LogId, Offset, PartitionId, PartitionIndex, Timestamp};
use stele_core_engine::{Command, LogCommand};
use stele_core_storage::{Age, Floors, RetentionPolicy, Retired, SettlePlan, Settled};

use super::Shard;
use crate::{limits::MAINTAINED_LOGS_MAX, reply_to::ReplyTo};

impl Shard {
    /// Applies retention to some of the logs; further calls go on with the others. Called about
    /// once a second.
    pub fn maintain(&mut self, now: Timestamp) {
        self.now = now;
        let mut logs: Vec<LogId> = self.state.logs.iter().map(|(log, _)| log).collect();
        logs.sort_unstable();
        let after = self
            .maintained
            .map_or(0, |last| logs.partition_point(|log| *log <= last));
        let turn = &logs[after..logs.len().min(after + MAINTAINED_LOGS_MAX)];
        self.maintained = turn.last().copied();
        if after == 0 {
            let logs = &self.state.logs;
            self.arrivals.retain(|log| logs.log(log).is_some());
        }
        for log in turn {
            self.apply_retention(*log);
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
                let trim = LogCommand::Trim {
                    partition: index,
                    to,
                    force: false,
                };
                self.command(Command::Log(log, trim), None, ReplyTo::Nobody);
            }
        }
    }

    /// Whether the writer is asked to start a new journal file, so that an idle shard's can be
    /// settled.
    pub fn should_rotate(&self, now: Timestamp) -> bool {
        self.index.should_rotate(now)
    }

    /// Whether settling is due: [`Shard::plan_settling`] then says what.
    pub fn should_settle(&self, now: Timestamp) -> bool {
        self.index.should_settle(now)
    }

    /// What to settle, if anything is due. Asked again and again: the floors are taken first, and
    /// the plan is made once what they stand on is on disk. The result comes back to
    /// [`Shard::settled`].
    pub fn plan_settling(&mut self, now: Timestamp) -> Option<SettlePlan> {
        if !self.should_settle(now) {
            self.floors = None;
            return None;
        }
        let floors = match self.floors.take() {
            Some(floors) => floors,
            None => self.take_floors(),
        };
        if floors.as_of <= self.synced {
            return Some(self.index.plan_settling(floors, now));
        }
        self.floors = Some(floors);
        self.want_block();
        None
    }

    fn take_floors(&self) -> Floors {
        let starts = self
            .state
            .logs
            .iter()
            .flat_map(|(log, state)| {
                state
                    .partitions
                    .iter()
                    .enumerate()
                    .map(move |(index, partition)| {
                        let index = PartitionIndex(index as u32);
                        (PartitionId::new(log, index), partition.start)
                    })
            })
            .collect();
        let filling = self.builder.sequence();
        Floors {
            as_of: if self.builder.is_empty() {
                filling
            } else {
                filling.next()
            },
            complete_before: filling,
            starts,
        }
    }

    /// Takes over what was settled. What comes of it goes back to the settler.
    pub fn settled(&mut self, settled: Settled) -> Retired {
        self.index.settled(settled)
    }

    /// Gives up a plan for which there was no room. Another is made later.
    pub fn abandon_settling(&mut self) {
        self.index.abandon_settling();
    }
}
