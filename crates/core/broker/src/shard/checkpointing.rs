//! What a shard has to do with checkpoints: it says when and with which floors, and takes over what
//! came of it. Both go by pieces, so that clients never wait for more than one.
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

/// How far a checkpoint has come.
#[derive(Debug, Default)]
pub(super) enum Checkpointing {
    #[default]
    Idle,
    TakingFloors(TakingFloors),
    /// To be used once what they stand on is on disk.
    TakenFloors(Floors),
    WithCheckpointer,
    Installing(Checkpoint),
}

/// Floors of some logs. Those that were taken first are the older ones, which is no matter: a floor
/// only rises.
#[derive(Debug)]
pub(super) struct TakingFloors {
    /// The block that was being filled at the beginning: what was made since isn't checkpointed
    /// yet.
    complete_before: BlockSequence,
    starts: Vec<(PartitionId, Offset)>,
    /// The last of these logs.
    last: Option<LogId>,
}

impl Shard {
    /// Whether the writer is asked to start a new journal file, so that an idle shard's can be
    /// checkpointed.
    pub fn should_rotate(&self, now: Timestamp) -> bool {
        self.index.should_rotate(now)
    }

    /// Whether checkpoints are so far behind that no more requests are to be taken up. Where space
    /// is low, none adds data anyway.
    pub fn are_checkpoints_behind(&self) -> bool {
        !self.is_blocked && self.index.are_checkpoints_behind()
    }

    /// Whether the next step towards a checkpoint is to be taken now, and not only with the next
    /// maintenance: space is short, or much is to be given back.
    pub fn should_checkpoint_at_once(&self, now: Timestamp) -> bool {
        let can_go_on = match &self.checkpointing {
            Checkpointing::Idle => true,
            Checkpointing::TakenFloors(floors) => floors.as_of <= self.synced,
            _ => false,
        };
        can_go_on && self.index.should_checkpoint_at_once(now)
    }

    /// What to checkpoint, if anything is due. Asked again and again, about once a second: the
    /// floors are taken first, and the plan is made once what they stand on is on disk. What was
    /// checkpointed comes back to [`Shard::checkpointed`].
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
                return Some(self.index.plan_checkpoint(floors, now));
            }
            Checkpointing::Idle => {
                self.checkpointing = Checkpointing::TakingFloors(self.begin_taking_floors())
            }
            unfinished => self.checkpointing = unfinished,
        }
        None
    }

    /// Whether there is a piece of a checkpoint to do, with [`Shard::checkpoint_piece`].
    pub fn has_checkpoint_piece(&self) -> bool {
        matches!(
            self.checkpointing,
            Checkpointing::TakingFloors(_) | Checkpointing::Installing(_)
        )
    }

    /// Does a piece of the shard's part of a checkpoint, for so many partitions; those of one log
    /// go together into the floors. After the last piece it gives what goes back to the
    /// checkpointer.
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

    /// Tells what a checkpoint made, for the next pieces to take over.
    pub fn checkpointed(&mut self, checkpoint: Checkpoint) {
        self.checkpointing = Checkpointing::Installing(checkpoint);
    }

    /// Gives up a plan for which there was no room. Another is made later.
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

    /// Takes the floors of some more logs, until there are so many partitions more.
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
