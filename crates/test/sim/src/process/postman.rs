//! The work of the broker's task that moves dead letters, one log of one shard at a time.

use smallvec::smallvec;
use stele_base_types::{LogId, ShardId, Timestamp};
use stele_core_broker::{
    AnswerTo, Awaits, DeadOf, Error, LeasedBatch, LeasedMessage, LeavingLetters, LetterFate,
    LetterRooms, LetterStep, Request,
};
use stele_core_engine::{
    AppendError, DeadRun, LedgerId, Move, MoveError, Outcome, Settle, SettleItem,
};
use tokio::sync::oneshot::{self, error::TryRecvError};

use super::Process;
use crate::letters::letter_of;

/// What is known while dead records of one log are moved.
#[derive(Debug, Default)]
struct Pass {
    rooms: LetterRooms,
    /// Whether some stay until there is room.
    awaits_room: bool,
}

/// What the task knows of a shard.
#[derive(Debug, Default)]
pub(super) struct Postman {
    /// The log whose dead records it has asked for last.
    last: Option<LogId>,
    /// Moves of its letters that aren't answered yet.
    sent: Vec<AnswerTo<Move>>,
}

impl Process {
    /// Moves the dead letters of the next log of a shard, unless those of the last one are still
    /// on their way. Returns whether there was something to do; fails if letters can't be read.
    pub(crate) fn post(&mut self, shard: usize, now: Timestamp) -> Result<bool, String> {
        if !self.are_answered(shard, now) {
            return Ok(false);
        }
        let last = self.sites[shard].postman.last;
        let (reply, mut answer) = oneshot::channel();
        self.handle(shard, Request::Dead { last, reply }, now);
        let dead = answer.try_recv().ok().flatten();
        self.sites[shard].postman.last = dead.as_ref().map(DeadOf::log);
        let Some(dead) = dead else {
            // A queue that was full may have room by now.
            self.handle(shard, Request::TakeUpDead, now);
            return Ok(last.is_some());
        };
        let log = dead.log();
        let mut pass = Pass::default();
        for (run, batch) in dead.into_batches() {
            self.post_batch((shard, log), &run, batch, &mut pass, now)?;
        }
        if pass.awaits_room && self.sites[shard].postman.sent.is_empty() {
            for (to, body_bytes) in pass.rooms.lacking() {
                let request = Request::AwaitRoom {
                    log: to,
                    body_bytes,
                };
                self.handle(self.shard_of(to), request, now);
            }
            self.put_off(shard, log, Awaits::Room, now);
        }
        Ok(true)
    }

    fn put_off(&mut self, shard: usize, log: LogId, awaits: Awaits, now: Timestamp) {
        self.handle(shard, Request::PutOffDead { log, awaits }, now);
    }

    /// Whether all moves are answered. Leaves the letters of a log alone for a while if they
    /// couldn't be moved.
    fn are_answered(&mut self, shard: usize, now: Timestamp) -> bool {
        let postman = &mut self.sites[shard].postman;
        let mut is_put_off = false;
        postman.sent.retain_mut(|answer| match answer.try_recv() {
            Err(TryRecvError::Empty) => true,
            Ok(Err(Error::Refused(
                MoveError::NotLeased | MoveError::Log(_) | MoveError::Target(AppendError::TooLong),
            ))) => false,
            Ok(Err(_)) => {
                is_put_off = true;
                false
            }
            Ok(Ok(_)) | Err(TryRecvError::Closed) => false,
        });
        let is_idle = postman.sent.is_empty();
        if let Some(log) = postman.last.filter(|_| is_put_off) {
            self.put_off(shard, log, Awaits::Time, now);
        }
        is_idle
    }

    fn post_batch(
        &mut self,
        (shard, log): (usize, LogId),
        dead: &DeadRun,
        batch: LeasedBatch,
        pass: &mut Pass,
        now: Timestamp,
    ) -> Result<(), String> {
        let messages = batch.resolve_blocking();
        let mut leaving = None;
        for message in messages.map_err(|error| error.to_string())? {
            match self.fate_of((log, dead), &message, &mut pass.rooms, now) {
                LetterFate::Moves(step) => {
                    let catalogue = self.replica.read();
                    let from = (log, dead);
                    let full = LeavingLetters::add(&mut leaving, &catalogue, from, *step, message);
                    drop(catalogue);
                    full.map_or(Ok(()), |full| self.send_letters(shard, full, now))?;
                }
                LetterFate::Stays(_) => self.put_off(shard, log, Awaits::Time, now),
                LetterFate::Waits => pass.awaits_room = true,
                LetterFate::Goes => self.handle(shard, drop_one(log, dead.ledger, &message), now),
            }
        }
        leaving.map_or(Ok(()), |last| self.send_letters(shard, last, now))
    }

    fn fate_of(
        &mut self,
        (log, dead): (LogId, &DeadRun),
        message: &LeasedMessage,
        rooms: &mut LetterRooms,
        now: Timestamp,
    ) -> LetterFate {
        let letter = letter_of(&self.replica.read(), log, dead.reason, &message.record, now);
        let Some(letter) = letter else {
            return LetterFate::Goes;
        };
        let left = letter.left(dead);
        if left.is_empty() {
            return LetterFate::of_last(&letter, dead);
        }
        for to in rooms.unasked(&left) {
            let (reply, mut answer) = oneshot::channel();
            self.handle(self.shard_of(to), Request::Room { log: to, reply }, now);
            rooms.note(to, answer.try_recv().ok().flatten());
        }
        let body = message.record.value.as_ref();
        let body_bytes = body.map_or(0, |body| body.len() as u64);
        let shard_of = |to| ShardId(self.shard_of(to) as u16);
        let to = rooms.taking(&left, body_bytes, shard_of);
        if to.is_empty() {
            return LetterFate::Waits;
        }
        let step = LetterStep::of(letter, (to, left.len()), (log, dead));
        LetterFate::Moves(Box::new(step))
    }

    fn send_letters(
        &mut self,
        shard: usize,
        LeavingLetters { run, .. }: LeavingLetters,
        now: Timestamp,
    ) -> Result<(), String> {
        let (request, answer) = run.request().map_err(|error| error.to_string())?;
        self.handle(shard, request, now);
        self.sites[shard].postman.sent.push(answer);
        Ok(())
    }
}

/// Settles a letter that nobody wants.
fn drop_one(log: LogId, ledger: LedgerId, message: &LeasedMessage) -> Request {
    let item = SettleItem {
        partition: message.partition,
        offset: message.lease.offset,
        lease: None,
    };
    let settle = Settle {
        log,
        ledger,
        items: smallvec![item],
        outcome: Outcome::Done,
        durable: false,
    };
    let reply = None;
    Request::Settle { settle, reply }
}
