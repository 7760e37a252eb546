//! Moving a record to another log, exactly once, whatever crashes.
//!
//! ```text
//!  both logs on one shard     appended there and settled here, by one decision
//!
//!  shard of the record                            shard of the other log
//!  leased ─ Moving, Sent Move ─► moving ─────────► Taken, Appended, Sent Moved
//!  settled ◄───── Taken, Settled ◄───────────────────┘
//!                                        or, where it isn't taken: Taken, Sent MoveRefused
//!  ready, in its place ◄── Taken, Returned ◄─────────┘
//! ```
//!
//! While it moves it is handed out to nobody, and its log keeps it: the link carries its body, and
//! whoever sends a command again reads the body from there. The link's numbers have each command
//! taken once, and each of these steps is one decision; so it is never in both logs, and never in
//! neither, unless one of them loses it by its own life: a deletion, a purge of what is leased, a
//! trim that somebody asked for, the end of its window, a volatile log's end.

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

/// Moves a record to another log: it is appended there and settled here. What is appended, a batch
/// of one record, travels beside this command: it is what lies here, but for the headers that
/// [`MovedRecord`] changes.
///
/// Answered once it is decided for good: the other log has the record, or is to get it. One on
/// another shard that doesn't take it, because it is gone or space is short, makes the record
/// return to its place.
#[derive(Clone, Debug)]
pub struct Move {
    /// The log.
    pub log: LogId,
    /// The ledger.
    pub ledger: LedgerId,
    /// Which record; by its lease, or, where none is named, whatever its state, if it isn't settled
    /// or on its way.
    pub item: SettleItem,
    /// Where to. By its key, or in turn, as every record whose publisher names no partition.
    pub to: LogId,
    /// What it is there.
    pub record: MovedRecord,
}

/// A record as another log gets it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MovedRecord {
    /// The size of the batch.
    pub size_bytes: u32,
    /// Its timestamp: that which it had.
    pub timestamp: Timestamp,
    /// What the engine is to know of it there.
    pub schedule: Schedule,
    /// What is different in its headers, in order.
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

/// A header that a moved record has anew, or no longer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeaderChange {
    /// Its key. All headers of this key go.
    pub key: Box<[u8]>,
    /// What takes their place, behind all others; `None` is nothing.
    pub value: Option<Box<[u8]>>,
}

/// Where a moved record comes from, which no other ever does.
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

/// A record on its way to a log of another shard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MovingRecord {
    /// Where it lies until it has arrived.
    pub from: Origin,
    /// Where to.
    pub to: LogId,
    /// What it is there.
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
    /// A record has come from another shard: it is appended, or refused if the log doesn't take it.
    /// A FIFO queue that knows its deduplication id has it already.
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
    /// It is known what has become of a moving record. Where its log or ledger is gone, or was
    /// cleared of it, that is nobody's concern any more.
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
