//! The shard's part of a checkpoint: it decides when to make one and with which floors, and
//! installs the result. Both are done in pieces, so that clients never wait for more than one
//! piece.
//!
//! ```text
//!  idle ──due──► taking floors ──all──► taken ──they are on disk──► with the checkpointer
//!   ▲                                     │ no longer due                   │
//!   ├─────────────────────────────────────┘                                 │ checkpointed
//!   └───────────all───────────── installing ◄───────────────────────────────┘
//! ```

use std::mem;

use stele_base_types::{LogId, Offset, PartitionId, PartitionIndex, Timestamp};
use stele_core_storage::{BlockSequence, Checkpoint, CheckpointPlan, Floors, Retired};

use super::Shard;

/// The progress of a checkpoint.
#[derive(Debug, Default)]
pub(super) enum Checkpointing {
    #[default]
    Idle,
    TakingFloors(TakingFloors),
    /// Used once the state they are based on is on disk.
    TakenFloors(Floors),
    WithCheckpointer,
    Installing(Checkpoint),
}

/// Floors of some logs. Those taken first may be out of date, which does no harm: a floor only
/// rises.
#[derive(Debug)]
pub(super) struct TakingFloors {
    /// The block that was being filled at the beginning: later changes aren't in this checkpoint.
    complete_before: BlockSequence,
    starts: Vec<(PartitionId, Offset)>,
    /// The last log whose floors were taken.
    last: Option<LogId>,
}

impl Shard {
    /// Whether the writer should start a new journal file, so that an idle shard's current one can
    /// be checkpointed.
    pub fn should_rotate(&self, now: Timestamp) -> bool {
        self.index.should_rotate(now)
    }

    /// Whether checkpoints are so far behind that no more requests should be taken. Not while space
    /// is low, as no requests add data then anyway.
    pub fn are_checkpoints_behind(&self) -> bool {
        !self.is_blocked && self.index.are_checkpoints_behind()
    }

    /// Whether the next step of a checkpoint should be taken now instead of at the next
    /// maintenance: space is short, or much can be freed.
    pub fn should_checkpoint_at_once(&self, now: Timestamp) -> bool {
        let can_go_on = match &self.checkpointing {
            Checkpointing::Idle => true,
            Checkpointing::TakenFloors(floors) => floors.as_of <= self.synced,
            _ => false,
        };
        can_go_on && self.index.should_checkpoint_at_once(now)
    }

    /// The plan of a checkpoint, if one is due. Called about once a second: first the floors are
    /// taken, and the plan is made once the state they are based on is on disk. The result is
    /// passed to [`Shard::checkpointed`].
    pub fn plan_checkpoint(&mut self, now: Timestamp) -> Option<CheckpointPlan> {
        if matches!(
            self.checkpointing,
            Checkpointing::WithCheckpointer | Checkpointing::Installing(_)
        ) {
            return None;
        }
        if !self.index.should_checkpoint(now) {
            self.checkpointing = Checkpointing::Idle;
            return None;
        }
        match mem::take(&mut self.checkpointing) {
            Checkpointing::TakenFloors(floors) if floors.as_of <= self.synced => {
                self.checkpointing = Checkpointing::WithCheckpointer;
                // How many files are planned depends on the space left now.
                self.check_space();
                return Some(self.index.plan_checkpoint(floors, now));
            }
            Checkpointing::Idle => {
                self.checkpointing = Checkpointing::TakingFloors(self.begin_taking_floors())
            }
            unfinished => self.checkpointing = unfinished,
        }
        None
    }

    /// Whether [`Shard::checkpoint_piece`] has work to do.
    pub fn has_checkpoint_piece(&self) -> bool {
        matches!(
            self.checkpointing,
            Checkpointing::TakingFloors(_) | Checkpointing::Installing(_)
        )
    }

    /// Does a piece of the shard's part of a checkpoint, covering this many partitions; the floors
    /// of a log's partitions are taken together. After the last piece, returns the files that go
    /// back to the checkpointer.
    pub fn checkpoint_piece(&mut self, count_max: usize) -> Option<Retired> {
        match mem::take(&mut self.checkpointing) {
            Checkpointing::TakingFloors(taking) => {
                self.checkpointing = self.take_floors(taking, count_max);
                None
            }
            Checkpointing::Installing(mut checkpoint) => {
                let retired = self.index.install_checkpoint(&mut checkpoint, count_max);
                if retired.is_none() {
                    self.checkpointing = Checkpointing::Installing(checkpoint);
                }
                retired
            }
            nothing_to_do => {
                self.checkpointing = nothing_to_do;
                None
            }
        }
    }

    /// Takes the result of a checkpoint, which the next pieces install.
    pub fn checkpointed(&mut self, checkpoint: Checkpoint) {
        self.checkpointing = Checkpointing::Installing(checkpoint);
    }

    /// Gives up a plan for which there was no space. Another one is made later.
    pub fn abandon_checkpoint(&mut self) {
        self.checkpointing = Checkpointing::Idle;
        self.index.abandon_checkpoint();
    }

    fn begin_taking_floors(&self) -> TakingFloors {
        TakingFloors {
            complete_before: self.builder.sequence(),
            starts: Vec::new(),
            last: None,
        }
    }

    /// Takes the floors of further logs, for about this many partitions.
    fn take_floors(&mut self, mut taking: TakingFloors, count_max: usize) -> Checkpointing {
        let enough = taking.starts.len().saturating_add(count_max);
        for (log, state) in self.state.logs.after(taking.last) {
            if taking.starts.len() >= enough {
                return Checkpointing::TakingFloors(taking);
            }
            taking.last = Some(log);
            let partitions = (0..).map(PartitionIndex).zip(&state.partitions);
            taking
                .starts
                .extend(partitions.map(|(index, held)| (PartitionId::new(log, index), held.start)));
        }
        let filling = self.builder.sequence();
        let floors = Floors {
            as_of: if self.builder.is_empty() {
                filling
            } else {
                filling.next()
            },
            complete_before: taking.complete_before,
            starts: taking.starts,
        };
        if floors.as_of > self.synced {
            self.want_block();
        }
        Checkpointing::TakenFloors(floors)
    }
}
