//! What a shard has to do with settling: it says when and with which floors, and takes over what
//! came of it. Both go by pieces, so that clients never wait for more than one.
//!
//! ```text
//!  idle ──due──► taking floors ──all──► taken ──they are on disk──► with the settler
//!   ▲                                     │ no longer due                   │
//!   ├─────────────────────────────────────┘                                 │ settled
//!   └───────────all───────────── installing ◄───────────────────────────────┘
//! ```

use std::mem;

use stele_base_types::{LogId, Offset, PartitionId, PartitionIndex, Timestamp};
use stele_core_storage::{BlockSequence, Floors, Retired, SettlePlan, Settled};

use super::Shard;

/// How far a settling has come.
#[derive(Debug, Default)]
pub(super) enum Settling {
    #[default]
    Idle,
    TakingFloors(TakingFloors),
    /// To be used once what they stand on is on disk.
    TakenFloors(Floors),
    WithSettler,
    Installing(Settled),
}

/// Floors of some logs. Those that were taken first are the older ones, which is no matter: a floor
/// only rises.
#[derive(Debug)]
pub(super) struct TakingFloors {
    /// The block that was being filled at the beginning: what was made since isn't settled yet.
    complete_before: BlockSequence,
    starts: Vec<(PartitionId, Offset)>,
    /// The last of these logs.
    last: Option<LogId>,
}

impl Shard {
    /// Whether the writer is asked to start a new journal file, so that an idle shard's can be
    /// settled.
    pub fn should_rotate(&self, now: Timestamp) -> bool {
        self.index.should_rotate(now)
    }

    /// Whether settling is so far behind that no more requests are to be taken up. Where space is
    /// low, none adds data anyway.
    pub fn is_settling_behind(&self) -> bool {
        !self.is_blocked && self.index.is_settling_behind()
    }

    /// What to settle, if anything is due. Asked again and again, about once a second: the floors
    /// are taken first, and the plan is made once what they stand on is on disk. What was settled
    /// comes back to [`Shard::settled`].
    pub fn plan_settling(&mut self, now: Timestamp) -> Option<SettlePlan> {
        if matches!(
            self.settling,
            Settling::WithSettler | Settling::Installing(_)
        ) {
            return None;
        }
        if !self.index.should_settle(now) {
            self.settling = Settling::Idle;
            return None;
        }
        match mem::take(&mut self.settling) {
            Settling::TakenFloors(floors) if floors.as_of <= self.synced => {
                self.settling = Settling::WithSettler;
                return Some(self.index.plan_settling(floors, now));
            }
            Settling::Idle => self.settling = Settling::TakingFloors(self.begin_taking_floors()),
            unfinished => self.settling = unfinished,
        }
        None
    }

    /// Whether there is a piece of settling to do, with [`Shard::settle_piece`].
    pub fn has_settling_piece(&self) -> bool {
        matches!(
            self.settling,
            Settling::TakingFloors(_) | Settling::Installing(_)
        )
    }

    /// Does a piece of what settling wants of the shard, for so many partitions; those of one log
    /// go together into the floors. After the last piece it gives what goes back to the settler.
    pub fn settle_piece(&mut self, count_max: usize) -> Option<Retired> {
        match mem::take(&mut self.settling) {
            Settling::TakingFloors(taking) => {
                self.settling = self.take_floors(taking, count_max);
                None
            }
            Settling::Installing(mut settled) => {
                let retired = self.index.install_settled(&mut settled, count_max);
                if retired.is_none() {
                    self.settling = Settling::Installing(settled);
                }
                retired
            }
            nothing_to_do => {
                self.settling = nothing_to_do;
                None
            }
        }
    }

    /// Tells what was settled, for the next pieces to take over.
    pub fn settled(&mut self, settled: Settled) {
        self.settling = Settling::Installing(settled);
    }

    /// Gives up a plan for which there was no room. Another is made later.
    pub fn abandon_settling(&mut self) {
        self.settling = Settling::Idle;
        self.index.abandon_settling();
    }

    fn begin_taking_floors(&self) -> TakingFloors {
        TakingFloors {
            complete_before: self.builder.sequence(),
            starts: Vec::new(),
            last: None,
        }
    }

    /// Takes the floors of some more logs, until there are so many partitions more.
    fn take_floors(&mut self, mut taking: TakingFloors, count_max: usize) -> Settling {
        let enough = taking.starts.len().saturating_add(count_max);
        for (log, state) in self.state.logs.after(taking.last) {
            if taking.starts.len() >= enough {
                return Settling::TakingFloors(taking);
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
        Settling::TakenFloors(floors)
    }
}
