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

use smallvec::SmallVec;
use stele_base_types::{LogId, Offset, Timestamp};

use super::{
    Ledger, MoveEnd, MovedRun, MovingRun, Origin, Run, SettleItem, Site, TakenBy, ledger_record,
    part::{Part, Seen, Was},
};
use crate::{
    Adds, AppendError, AppendResult, Command, Decision, Effect, LeaseId, LedgerConfig, LedgerId,
    LinkCommand, MoveError, State,
    log::{Logs, record::LedgerRecord},
};

/// Moves records to another log: they are appended there, as one batch, and settled here. The
/// records are consecutive, and of one partition. The batch to append travels with the command. It
/// has the content that is stored here, except for the headers that [`MovedRun`] changes.
///
/// Answered when the decision is final, with the number of records, from the first one on, that the
/// other log has or will get. If a log on another shard refuses records, because the log is gone or
/// full, or disk space is short, they return to their place.
#[derive(Clone, Debug)]
pub struct Move {
    /// The log.
    pub log: LogId,
    /// The ledger.
    pub ledger: LedgerId,
    /// The first record, by its lease; the leases of the others follow. Without a lease, they are
    /// moved in any state except settled or moving.
    pub item: SettleItem,
    /// The logs to move them to, all on one shard. The partition is chosen by their key, or in
    /// turn, as for all records without a partition. Logs that don't exist are passed over, unless
    /// none does.
    pub to: SmallVec<[LogId; 1]>,
    /// Whether they are to be moved to further logs, so that they aren't settled here. Only for
    /// dead records.
    pub is_copied: bool,
    /// The records as the other logs get them.
    pub run: MovedRun,
}

impl Command for Move {
    type Reply = u32;
    type Error = MoveError;

    const ADDS: Adds = Adds::Messages;

    fn decide(mut self, state: &State, now: Timestamp) -> Result<Decision<u32>, MoveError> {
        self.run.check()?;
        let known = state.logs.known(self.log)?;
        let ledger = known.known_ledger(self.ledger)?;
        match ledger.movable(&self) {
            0 => return Err(MoveError::NotLeased),
            count if count < self.run.count => return Err(MoveError::Divided(count)),
            _ => {}
        }
        let (Some(&first), owner) = (self.to.first(), |log| state.topology.owner(log)) else {
            return Err(MoveError::Target(AppendError::NoSuchLog));
        };
        if self.to.iter().any(|log| owner(*log) != owner(first)) {
            return Err(MoveError::Target(AppendError::Malformed(
                "a move to several shards",
            )));
        }
        self.run.also = self.to.iter().skip(1).copied().collect();
        if owner(first) == state.topology.own {
            return self.decide_here(first, ledger, state, now);
        }
        let (from, count) = (self.origin(), self.run.count);
        let run = from.run(count);
        let record = match self.is_copied {
            true => LedgerRecord::Copying { run, to: self.to },
            false => LedgerRecord::Moving(run),
        };
        let record = ledger_record(from.log, from.ledger, record);
        let moving = MovingRun {
            from,
            to: first,
            run: self.run,
        };
        let decision = Decision::change(record, count, known.config.durability);
        Ok(state.send(decision.sending(LinkCommand::Move(Box::new(moving))), now))
    }
}

impl Move {
    /// Moves the records to logs of this shard.
    fn decide_here(
        self,
        first: LogId,
        ledger: &Ledger,
        state: &State,
        now: Timestamp,
    ) -> Result<Decision<u32>, MoveError> {
        let (from, count) = (self.origin(), self.run.count);
        let run = from.run(count);
        let appended = self.run.append(first, now).decide(state, now);
        let mut appended = appended.map_err(|error| match divided(&[error]) {
            Some(count) => MoveError::Divided(count),
            None => MoveError::Target(error),
        })?;
        let results = std::mem::take(&mut appended.reply);
        let (taken, refusals) = sorted_out(&self.to, &results);
        if let Some(count) = divided(&refusals) {
            return Err(MoveError::Divided(count));
        }
        let stays = self.is_copied || (!refusals.is_empty() && ledger.are_dead(run));
        let ended = match refusals.first() {
            // Those that have refused them get them later.
            _ if stays => LedgerRecord::Copied { run, to: taken },
            None => LedgerRecord::Settled(run),
            Some(error) => return Err(MoveError::Target(*error)),
        };
        let durability = state.logs.known(self.log)?.config.durability;
        let ended = ledger_record(from.log, from.ledger, ended);
        let ended = Decision::change(ended, (), durability);
        let decision = appended.answered(()).and(ended);
        Ok(match refusals.is_empty() {
            true => decision.answered(count),
            false => decision.with(Effect::MoveRefused(self.log)).answered(0),
        })
    }

    fn origin(&self) -> Origin {
        Origin {
            log: self.log,
            ledger: self.ledger,
            partition: self.item.partition,
            offset: self.item.offset,
        }
    }

    /// Its records, each with its lease.
    fn items(&self) -> impl Iterator<Item = SettleItem> {
        (0..u64::from(self.run.count)).map(|place| SettleItem {
            partition: self.item.partition,
            offset: self.item.offset.plus(place),
            lease: self.item.lease.map(|lease| LeaseId(lease.0 + place)),
        })
    }
}

/// The logs that have accepted an append, and why others have refused it. Those that don't exist
/// are in neither.
fn sorted_out(to: &[LogId], results: &[AppendResult]) -> (SmallVec<[LogId; 1]>, Vec<AppendError>) {
    let mut taken = SmallVec::new();
    let mut refusals = Vec::new();
    for (log, result) in to.iter().zip(results) {
        match result {
            Ok(_) => taken.push(*log),
            Err(AppendError::NoSuchLog) => {}
            Err(error) => refusals.push(*error),
        }
    }
    (taken, refusals)
}

/// How many of the records all of these could accept, if not none.
fn divided(refusals: &[AppendError]) -> Option<u32> {
    let counts = refusals.iter().filter_map(|error| match error {
        AppendError::Divided(count) => Some(*count),
        _ => None,
    });
    counts.min().filter(|count| *count > 0)
}

impl State {
    /// How many of moved records, from the first one on, the logs that they are moved to accept
    /// together. All of them if they are refused for other reasons than their number.
    pub fn fitting(&self, moving: &MovingRun, now: Timestamp) -> u32 {
        let count = moving.run.count;
        if count == 1 {
            return count;
        }
        let fits = match moving.run.append(moving.to, now).decide(self, now) {
            Ok(appended) => divided(&sorted_out(&moving.targets(), &appended.reply).1),
            Err(error) => divided(&[error]),
        };
        fits.unwrap_or(count)
    }

    /// Appends the first of these records from another shard, as `first` has them, or refuses them
    /// if no log accepts them; and refuses the rest. A FIFO queue that knows their deduplication
    /// ids already has them.
    pub(crate) fn take_in(&self, moving: &MovingRun, first: &MovedRun, now: Timestamp) -> Decision {
        let (from, count) = (moving.from, first.count);
        let end = |from, count, taken| LinkCommand::MoveEnded(MoveEnd { from, count, taken });
        let decision = match first.append(moving.to, now).decide(self, now) {
            Ok(mut appended) => {
                let results = std::mem::take(&mut appended.reply);
                let (taken, refusals) = sorted_out(&moving.targets(), &results);
                let taken = match refusals.is_empty() {
                    true => TakenBy::All,
                    false => TakenBy::Some(taken.into_vec()),
                };
                appended.answered(()).sending(end(from, count, taken))
            }
            Err(_) => Decision::nothing().sending(end(from, count, TakenBy::None)),
        };
        match moving.run.count.saturating_sub(count) {
            0 => decision,
            rest => decision.sending(end(from.plus(count), rest, TakenBy::None)),
        }
    }
}

impl MovingRun {
    /// The logs that they are moved to.
    pub fn targets(&self) -> SmallVec<[LogId; 1]> {
        std::iter::once(self.to)
            .chain(self.run.also.iter().copied())
            .collect()
    }
}

impl Logs {
    /// Ends a move whose result is known. Leaves out records that were cleared meanwhile, with
    /// their log or ledger or by themselves.
    pub(crate) fn end_move(&self, end: &MoveEnd) -> Decision {
        let from = end.from;
        let mut decision = Decision::nothing();
        let ledger = self.log(from.log).and_then(|log| log.ledger(from.ledger));
        let Some(ledger) = ledger else {
            return decision;
        };
        let sent_to = ledger.sent_to(from.run(end.count));
        for run in ledger.still_moving(from.run(end.count)) {
            let record = match (&end.taken, &sent_to) {
                (TakenBy::None, _) => LedgerRecord::Returned { run, until: None },
                (TakenBy::Some(to), Some(_)) => {
                    let to = to.iter().copied().collect();
                    LedgerRecord::Copied { run, to }
                }
                (TakenBy::All, Some(to)) if !to.is_empty() => {
                    let to = to.clone();
                    LedgerRecord::Copied { run, to }
                }
                _ => LedgerRecord::Settled(run),
            };
            decision = decision.and(Decision::record(ledger_record(
                from.log,
                from.ledger,
                record,
            )));
        }
        match end.taken {
            TakenBy::All => decision,
            _ if decision.is_nothing() => decision,
            _ => decision.with(Effect::MoveRefused(from.log)),
        }
    }
}

impl Ledger {
    /// How many of the records to be moved, from the first one on, can be moved.
    fn movable(&self, command: &Move) -> u32 {
        let may_move =
            |item: &SettleItem| self.may_move(item) && (!command.is_copied || self.is_dead(item));
        let movable = command.items().take_while(may_move).count();
        u32::try_from(movable).unwrap_or(u32::MAX)
    }

    fn may_move(&self, item: &SettleItem) -> bool {
        match item.lease {
            Some(_) => self.is_leased(item),
            None => self
                .part(item.partition)
                .is_some_and(|part| part.may_be_settled(item.offset)),
        }
    }

    /// Those of these records that are being moved.
    fn still_moving(&self, run: Run) -> SmallVec<[Run; 2]> {
        let mut runs = SmallVec::new();
        if let Some(part) = self.part(run.partition) {
            for (&offset, _) in part.moving.range(run.first..run.end()) {
                Run::push(&mut runs, run.partition, offset);
            }
        }
        runs
    }

    fn is_dead(&self, item: &SettleItem) -> bool {
        let part = self.part(item.partition);
        part.is_some_and(|part| part.is_dead(item.offset))
    }

    fn are_dead(&self, run: Run) -> bool {
        let part = self.part(run.partition);
        part.is_some_and(|part| run.offsets().all(|offset| part.is_dead(offset)))
    }

    /// The logs that dead records are being copied to, none if they are to be settled then; from
    /// the first one that is still being moved, since all of a run go to the same logs. `None` if
    /// it isn't dead.
    fn sent_to(&self, run: Run) -> Option<SmallVec<[LogId; 1]>> {
        let dead = self.part(run.partition)?.dead.as_ref()?;
        let to = run.offsets().find_map(|offset| dead.sent_to(offset))?;
        Some(to.iter().copied().collect())
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
        let is_overdue = self.is_overdue(offset);
        let was = self.settle_listed(offset);
        if let Some(fifo) = &mut self.fifo {
            fifo.lease(offset, &self.delayed);
        } else if was == Was::Settled && offset >= self.next {
            self.skip(offset, 1);
        }
        self.moving.insert(offset, seen);
        if is_overdue {
            self.note_overdue(offset);
        }
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

    /// Returns a record that wasn't moved to its place, unless it has expired or has been delivered
    /// as often as it may be.
    pub(super) fn end_move(&mut self, offset: Offset, config: &LedgerConfig) {
        let Some(seen) = self.moving.remove(&offset) else {
            return;
        };
        if let Some(dead) = self.dead.as_mut().filter(|dead| dead.contains(offset)) {
            dead.take_back(offset);
            return;
        }
        if let Some(reason) = self.death_of(offset, seen, config) {
            self.die(offset, reason, config);
            return;
        }
        match &mut self.fifo {
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

    /// Settles a record that is being moved, without waiting for the end of the move.
    pub(super) fn drop_move(&mut self, offset: Offset) {
        self.moving.remove(&offset);
        self.forget_overdue(offset);
        if let Some(fifo) = &mut self.fifo {
            fifo.settle(offset, &self.delayed);
        }
    }
}
