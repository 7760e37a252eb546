//! Moving a record to another log, exactly once, even with crashes.
//!
//! ```text
//!  both logs on one shard     appended there and settled here, in one decision
//!
//!  shard of the record                            shard of the other log
//!  leased ─ Moving, Sent Move ─► moving ─────────► Taken, Appended, Sent Moved
//!  settled ◄───── Taken, Settled ◄───────────────────┘
//!                                        or, if it is refused: Taken, Sent MoveRefused
//!  ready, in its place ◄── Taken, Returned ◄─────────┘
//! ```
//!
//! While it moves, the record isn't handed out, and its log keeps it: the link carries its body,
//! and reads it from there to send the command again. The link executes each command once, and each
//! of these steps is one decision. So the record is never in both logs, and never in neither,
//! unless one of them loses it for other reasons: deletion of the log, a purge that includes leased
//! records, a requested trim, the end of its window, or the end of a volatile log.

use serde::{Deserialize, Serialize};
use smallvec::smallvec;
use stele_base_types::{LogId, Offset, PartitionIndex, Timestamp};

use super::{Ledger, Run, SettleItem, Site, ledger_record};
use crate::{
    Adds, Append, AppendTarget, Columns, Command, Decision, LedgerId, LinkCommand, MoveError,
    Schedule, State,
    limits::MOVE_HEADERS_BYTES_MAX,
    log::{Logs, record::LedgerRecord},
    stored::stored_fields,
};

/// Moves a record to another log: it is appended there and settled here. The batch to append, with
/// this one record, travels with the command. It has the content that is stored here, except for
/// the headers that [`MovedRecord`] changes.
///
/// Answered when the decision is final: the other log has the record or will get it. If a log on
/// another shard refuses the record, because the log is gone or disk space is short, the record
/// returns to its place.
#[derive(Clone, Debug)]
pub struct Move {
    /// The log.
    pub log: LogId,
    /// The ledger.
    pub ledger: LedgerId,
    /// The record, by its lease. Without a lease, it is moved in any state except settled or
    /// moving.
    pub item: SettleItem,
    /// The log to move it to. The partition is chosen by its key, or in turn, as for every record
    /// without a partition.
    pub to: LogId,
    /// Its new attributes.
    pub record: MovedRecord,
}

/// A record as another log gets it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MovedRecord {
    /// The size of the batch.
    pub size_bytes: u32,
    /// Its timestamp, which doesn't change.
    pub timestamp: Timestamp,
    /// What the engine needs to know of it there.
    pub schedule: Schedule,
    /// The changes to its headers, in order.
    pub headers: Vec<HeaderChange>,
}

stored_fields! {
    MovedRecord {
        SizeBytes size_bytes: u32,
        Timestamp timestamp: Timestamp,
        Schedule schedule: Schedule,
        Headers headers: Vec<HeaderChange>,
    }
}

/// A change to the headers of a moved record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeaderChange {
    /// The key. All headers with this key are removed.
    pub key: Box<[u8]>,
    /// The new value, added after all other headers; `None` to only remove.
    pub value: Option<Box<[u8]>>,
}

/// Where a moved record comes from. Unique.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The log.
    pub log: LogId,
    /// The ledger that handed it out.
    pub ledger: LedgerId,
    /// The partition.
    pub partition: PartitionIndex,
    /// The record.
    pub offset: Offset,
}

/// A record that is being moved to a log of another shard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MovingRecord {
    /// Where it is until it has arrived.
    pub from: Origin,
    /// The log to move it to.
    pub to: LogId,
    /// Its new attributes.
    pub record: MovedRecord,
}

impl Command for Move {
    type Reply = ();
    type Error = MoveError;

    const ADDS: Adds = Adds::Messages;

    fn decide(self, state: &State, now: Timestamp) -> Result<Decision, MoveError> {
        self.record.check()?;
        let known = state.logs.known(self.log)?;
        let ledger = known.known_ledger(self.ledger)?;
        if !ledger.may_move(&self.item) {
            return Err(MoveError::NotLeased);
        }
        let durability = known.config.durability;
        let from = self.origin();
        let run = from.run();
        let change = |record| {
            let record = ledger_record(from.log, from.ledger, record);
            Decision::change(record, (), durability)
        };
        if state.topology.owner(self.to) == state.topology.own {
            let append = self.record.append(self.to);
            let appended = append.decide(state, now).map_err(MoveError::Target)?;
            return Ok(appended
                .answered(())
                .and(change(LedgerRecord::Settled(run))));
        }
        let moving = MovingRecord {
            from,
            to: self.to,
            record: self.record,
        };
        let decision = change(LedgerRecord::Moving(run));
        Ok(state.send(decision.sending(LinkCommand::Move(Box::new(moving))), now))
    }
}

impl Move {
    fn origin(&self) -> Origin {
        Origin {
            log: self.log,
            ledger: self.ledger,
            partition: self.item.partition,
            offset: self.item.offset,
        }
    }
}

impl MovedRecord {
    fn check(&self) -> Result<(), MoveError> {
        let changes = self.headers.iter();
        let sizes = changes.map(|it| it.key.len() + it.value.as_ref().map_or(0, |it| it.len()));
        let size_bytes = sizes.sum();
        if size_bytes > MOVE_HEADERS_BYTES_MAX {
            return Err(MoveError::Headers {
                size_bytes,
                size_bytes_max: MOVE_HEADERS_BYTES_MAX,
            });
        }
        Ok(())
    }

    fn append(&self, to: LogId) -> Append {
        Append {
            targets: smallvec![AppendTarget {
                log: to,
                partition: None,
            }],
            count: 1,
            size_bytes: self.size_bytes,
            timestamp: self.timestamp,
            producer: None,
            columns: Columns::of([self.schedule]),
        }
    }
}

impl Origin {
    fn run(&self) -> Run {
        Run {
            partition: self.partition,
            first: self.offset,
            count: 1,
        }
    }
}

impl State {
    /// Appends a record from another shard, or refuses it if the log doesn't accept it. A FIFO
    /// queue that knows its deduplication id already has it.
    pub(crate) fn take_in(&self, moving: &MovingRecord, now: Timestamp) -> Decision {
        match moving.record.append(moving.to).decide(self, now) {
            Ok(appended) => appended
                .answered(())
                .sending(LinkCommand::Moved(moving.from)),
            Err(_) => Decision::nothing().sending(LinkCommand::MoveRefused(moving.from)),
        }
    }
}

impl Logs {
    /// Ends a move whose result is known. Does nothing if the record's log or ledger is gone, or
    /// the record was cleared.
    pub(crate) fn end_move(&self, from: Origin, was_taken: bool) -> Decision {
        let log = self.log(from.log);
        let ledger = log.and_then(|log| log.ledger(from.ledger));
        if !ledger.is_some_and(|ledger| ledger.is_moving(from)) {
            return Decision::nothing();
        }
        let run = from.run();
        let record = if was_taken {
            LedgerRecord::Settled(run)
        } else {
            LedgerRecord::Returned { run, until: None }
        };
        Decision::record(ledger_record(from.log, from.ledger, record))
    }
}

impl Ledger {
    fn may_move(&self, item: &SettleItem) -> bool {
        match item.lease {
            Some(_) => self.is_leased(item),
            None => self
                .part(item.partition)
                .is_some_and(|part| part.may_be_settled(item.offset)),
        }
    }

    fn is_moving(&self, from: Origin) -> bool {
        let part = self.part(from.partition);
        part.is_some_and(|part| part.moving.contains_key(&from.offset))
    }

    pub(super) fn apply_moving(&mut self, run: Run, site: &mut Site<'_>) {
        for offset in run.offsets() {
            let Some(part) = self.part_mut(run.partition) else {
                return;
            };
            let was = part.begin_move(offset);
            self.forget_listed(run.partition, offset, was, site);
        }
        self.refresh(run.partition);
    }
}
