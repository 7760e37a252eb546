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
//! A record that goes to several logs is copied to those of one shard after the other, and stays
//! dead until the last of them have it: `Copying` and `Copied` instead of `Moving` and `Settled`.
//!
//! While it moves, the record isn't handed out, and its log keeps it: the link carries its body,
//! and reads it from there to send the command again. The link executes each command once, and each
//! of these steps is one decision. So the record is never in both logs, and never in neither,
//! unless one of them loses it for other reasons: deletion of the log, a purge that includes leased
//! records, a requested trim, the end of its window, or the end of a volatile log.

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use stele_base_types::{LogId, Offset, PartitionIndex, Timestamp};

use super::{
    Ledger, Run, SettleItem, Site, ledger_record,
    part::{Part, Seen, Was},
};
use crate::{
    Adds, Append, AppendError, AppendTarget, Columns, Command, Decision, Effect, LedgerId,
    LinkCommand, MoveError, Schedule, State,
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
    /// The logs to move it to, all on one shard. The partition is chosen by its key, or in turn, as
    /// for every record without a partition. Logs that don't exist are passed over, unless none
    /// does.
    pub to: SmallVec<[LogId; 1]>,
    /// Whether it is to be moved to further logs, so that it isn't settled here. Only for a dead
    /// record.
    pub is_copied: bool,
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
    /// The other logs that get it, on the same shard.
    pub also: Vec<LogId>,
}

stored_fields! {
    MovedRecord {
        SizeBytes size_bytes: u32,
        Timestamp timestamp: Timestamp,
        Schedule schedule: Schedule,
        Headers headers: Vec<HeaderChange>,
        Also also: Vec<LogId>,
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

    fn decide(mut self, state: &State, now: Timestamp) -> Result<Decision, MoveError> {
        self.record.check()?;
        let known = state.logs.known(self.log)?;
        let ledger = known.known_ledger(self.ledger)?;
        if !ledger.may_move(&self.item) || (self.is_copied && !ledger.is_dead(&self.item)) {
            return Err(MoveError::NotLeased);
        }
        let (Some(&first), owner) = (self.to.first(), |log| state.topology.owner(log)) else {
            return Err(MoveError::Target(AppendError::NoSuchLog));
        };
        if self.to.iter().any(|log| owner(*log) != owner(first)) {
            return Err(MoveError::Target(AppendError::Malformed(
                "a move to several shards",
            )));
        }
        self.record.also = self.to.iter().skip(1).copied().collect();
        let durability = known.config.durability;
        let from = self.origin();
        let run = from.run();
        let change = |record| {
            let record = ledger_record(from.log, from.ledger, record);
            Decision::change(record, (), durability)
        };
        if owner(first) == state.topology.own {
            let append = self.record.append(first);
            let appended = append.decide(state, now).map_err(MoveError::Target)?;
            let ended = match self.is_copied {
                true => LedgerRecord::Copied { run, to: self.to },
                false => LedgerRecord::Settled(run),
            };
            return Ok(appended.answered(()).and(change(ended)));
        }
        let moving = MovingRecord {
            from,
            to: first,
            record: self.record,
        };
        let decision = change(match self.is_copied {
            true => LedgerRecord::Copying { run, to: self.to },
            false => LedgerRecord::Moving(run),
        });
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
        let targets = std::iter::once(&to).chain(&self.also);
        Append {
            targets: targets
                .map(|log| AppendTarget::any_partition(*log))
                .collect(),
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
        let copied_to = ledger.and_then(|ledger| ledger.copied_to(from));
        let record = match (was_taken, copied_to) {
            (true, None) => LedgerRecord::Settled(run),
            (true, Some(to)) => LedgerRecord::Copied { run, to },
            (false, _) => LedgerRecord::Returned { run, until: None },
        };
        let decision = Decision::record(ledger_record(from.log, from.ledger, record));
        match was_taken {
            true => decision,
            false => decision.with(Effect::MoveRefused(from.log)),
        }
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

    fn is_dead(&self, item: &SettleItem) -> bool {
        let part = self.part(item.partition);
        part.is_some_and(|part| part.is_dead(item.offset))
    }

    /// The logs that a record is being copied to, unless it is to be settled then.
    fn copied_to(&self, from: Origin) -> Option<SmallVec<[LogId; 1]>> {
        let dead = self.part(from.partition)?.dead.as_ref()?;
        let to = dead.sent_to(from.offset)?;
        (!to.is_empty()).then(|| to.iter().copied().collect())
    }

    /// Applies that records are on their way to other logs. With `copied_to`, these are not the
    /// last ones that get them.
    pub(super) fn apply_moving(&mut self, run: Run, copied_to: &[LogId], site: &mut Site<'_>) {
        for offset in run.offsets() {
            let Some(part) = self.part_mut(run.partition) else {
                return;
            };
            let was = part.begin_move(offset, copied_to);
            self.forget_listed(run.partition, offset, was, site);
        }
        self.refresh(run.partition);
    }

    pub(super) fn apply_copied(&mut self, run: Run, to: &[LogId]) {
        for offset in run.offsets() {
            if let Some(part) = self.part_mut(run.partition) {
                part.end_copy(offset, to);
            }
        }
        self.refresh(run.partition);
    }
}

impl Part {
    /// Begins to move an unsettled record to another log, so that it isn't handed out. In a FIFO
    /// part its group waits for it as for a leased record.
    pub(super) fn begin_move(&mut self, offset: Offset, copied_to: &[LogId]) -> Was {
        if let Some(dead) = self.dead.as_mut().filter(|dead| dead.contains(offset)) {
            dead.send_away(offset, copied_to);
            self.moving.insert(offset, Seen::default());
            return Was::Dead;
        }
        let seen = match (self.leased.get(&offset), self.delayed.get(&offset)) {
            (Some(lease), _) => lease.seen,
            (None, Some(delayed)) => delayed.seen,
            (None, None) => self.seen(offset),
        };
        let was = self.settle_listed(offset);
        if let Some(fifo) = &mut self.fifo {
            fifo.lease(offset, &self.delayed);
        } else if was == Was::Settled && offset >= self.next {
            self.skip(offset, 1);
        }
        self.moving.insert(offset, seen);
        was
    }

    /// Notes that other logs have a copy of a dead record, which stays.
    pub(super) fn end_copy(&mut self, offset: Offset, to: &[LogId]) {
        self.moving.remove(&offset);
        if let Some(dead) = &mut self.dead {
            dead.take_back(offset);
            dead.copied(offset, to);
        }
    }

    /// Returns a record that wasn't moved to its place, unless it has expired.
    pub(super) fn end_move(&mut self, offset: Offset) {
        let Some(seen) = self.moving.remove(&offset) else {
            return;
        };
        if let Some(dead) = self.dead.as_mut().filter(|dead| dead.contains(offset)) {
            dead.take_back(offset);
            return;
        }
        let is_expired = offset < self.expired;
        match &mut self.fifo {
            Some(fifo) if is_expired => {
                fifo.settle(offset, &self.delayed);
            }
            None if is_expired => {}
            Some(fifo) => {
                if seen.deliveries > 0 {
                    self.returned.insert(offset, seen);
                }
                fifo.give_back(offset, &self.delayed);
            }
            // It was never delivered, as delivered ones are before `next`.
            None if offset >= self.next => self.ahead.remove(offset),
            None => {
                self.returned.insert(offset, seen);
            }
        }
    }
}
