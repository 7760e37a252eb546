//! Moves dead letters to where they belong.
//!
//! ```text
//!  shard ── has dead records ──► this task ── reads, asks the fronts for the targets ──┐
//!    ▲                                                                                 │
//!    └── Move, one shard of targets after the other ◄──────────────────────────────────┘
//! ```
//!
//! It keeps no state: a dead record stays in its queue until it has been moved, and is found again
//! after a restart. If a move is refused, because the target is full or gone or space is short, the
//! record stays, and the queue's dead records are tried again after a second, or as soon as a full
//! target has room.

mod deaths;
mod leaving;
mod rooms;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use hashbrown::HashMap;
use smallvec::smallvec;
use stele_base_env::Clock;
use stele_base_types::{LogId, ShardId, Timestamp};
use stele_core_engine::{
    AppendError, Catalogue, CatalogueError, DeadRun, DeathReason, HeaderChange, LogDefinition,
    Move, MoveError, Outcome, RoomLeft, Schedule, Settle, SettleItem,
};
use stele_wire_batch::Record;
use tokio::{
    sync::{oneshot, watch},
    time::{Instant, sleep, sleep_until},
};

pub use self::{
    deaths::{DEATHS_HEADER, Death, Deaths, Died, name_of},
    leaving::{LeavingLetters, LetterFate, LetterStep},
    rooms::LetterRooms,
};
use crate::{
    AnswerTo, Awaits, Broker, Error, Failure, LeasedBatch, LeasedMessage, Memory, Request,
    Scheduled, limits::DEAD_ROOM_MS, opening::size_of_body, scheduled, scheduled::is_scheduled,
};

/// How often a queue's dead letters are reported in the log at most.
const REPORTED_EVERY: Duration = Duration::from_secs(1);

/// A dead message.
#[derive(Clone, Copy, Debug)]
pub struct DeadLetter<'a> {
    /// The queue that it is in.
    pub queue: &'a LogDefinition,
    /// Why it died.
    pub reason: DeathReason,
    /// The message.
    pub record: &'a Record,
    /// When.
    pub at: Timestamp,
}

/// Where a dead letter goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Letter {
    /// The logs that get it.
    pub targets: Vec<LogId>,
    /// Its history, with this death.
    pub deaths: Deaths,
    /// Whether it stays where it is if there are no targets. Otherwise it is dropped.
    pub is_kept: bool,
    /// Further changes to its headers.
    pub headers: Vec<HeaderChange>,
    /// How its targets schedule it.
    pub schedule: Schedule,
}

/// Finds out where dead letters go. Implemented by the fronts whose queues have some.
pub trait DeadLetterRoutes: std::fmt::Debug + Send + Sync {
    /// The address of a dead letter; `None` if the front has set none for its queue and reason.
    fn route(&self, catalogue: &Catalogue, dead: &DeadLetter<'_>) -> Option<Letter>;

    /// The address of a message of this virtual host that is due soon; `None` if it isn't the
    /// front's.
    fn release(
        &self,
        _catalogue: &Catalogue,
        _vhost: &str,
        _record: &Record,
        _scheduled: &Scheduled,
    ) -> Option<Letter> {
        None
    }
}

/// Dead records of a log, as its shard gives them.
#[derive(Debug)]
pub struct DeadBatch {
    pub(crate) dead: DeadRun,
    pub(crate) batch: LeasedBatch,
}

/// Dead records of one log, which are to be moved.
#[derive(Debug)]
pub struct DeadOf {
    pub(crate) log: LogId,
    pub(crate) batches: Vec<DeadBatch>,
}

impl DeadOf {
    /// The log.
    pub fn log(&self) -> LogId {
        self.log
    }

    /// The records, with their bytes.
    pub fn into_batches(self) -> impl Iterator<Item = (DeadRun, LeasedBatch)> {
        let batches = self.batches.into_iter();
        batches.map(|DeadBatch { dead, batch }| (dead, batch))
    }
}

/// The task that moves dead letters.
#[derive(Debug)]
pub struct DeadLetters {
    broker: Broker,
    clock: Arc<dyn Clock>,
    routes: Vec<Box<dyn DeadLetterRoutes>>,
    reports: HashMap<LogId, Report>,
}

/// What is to be reported of a queue.
#[derive(Debug)]
struct Report {
    last: Instant,
    dead: BTreeMap<DeathReason, u64>,
    /// Why some couldn't be moved.
    trouble: Option<String>,
}

/// What is known while dead records of one log are moved.
#[derive(Debug, Default)]
struct Pass {
    answers: Vec<Sent>,
    rooms: LetterRooms,
    /// Whether some stay until there is room. They are looked at again as long as others move.
    awaits_room: bool,
}

/// A move whose answer is awaited.
#[derive(Debug)]
struct Sent {
    answer: AnswerTo<Move>,
    /// Why the messages died, if this move takes them out of their queue.
    leaves: Option<DeathReason>,
}

impl Letter {
    /// Returns a dead letter to its queue, as a new record.
    pub fn back_to(queue: LogId) -> Self {
        Self {
            targets: vec![queue],
            is_kept: true,
            ..Self::default()
        }
    }
}

impl DeadLetters {
    /// For a broker, with the fronts in the order in which they are asked.
    pub fn new(
        broker: Broker,
        clock: Arc<dyn Clock>,
        routes: Vec<Box<dyn DeadLetterRoutes>>,
    ) -> Self {
        Self {
            broker: broker.for_client(),
            clock,
            routes,
            reports: HashMap::new(),
        }
    }

    /// Moves dead letters until it is to stop, or the broker has stopped.
    pub async fn run(mut self, mut stopping: watch::Receiver<bool>) {
        let mut room_at = None;
        loop {
            let has_reports = !self.reports.is_empty();
            let has_room = tokio::select! {
                () = self.broker.dead_notified() => false,
                () = self.broker.room_notified(), if room_at.is_none() => {
                    room_at = Some(Instant::now() + Duration::from_millis(DEAD_ROOM_MS));
                    continue;
                }
                () = until(room_at) => true,
                () = sleep(REPORTED_EVERY), if has_reports => {
                    self.report_all();
                    false
                }
                _ = stopping.wait_for(|is_stopping| *is_stopping) => return,
            };
            if has_room {
                room_at = None;
                self.take_up().await;
            }
            for shard in self.broker.shards() {
                if self.work_off(shard).await.is_err() {
                    return;
                }
            }
        }
    }

    /// Has all shards try again what waits for room.
    async fn take_up(&self) {
        for shard in self.broker.shards() {
            self.broker.send(shard, Request::TakeUpDead).await;
        }
    }

    /// Moves the dead letters of a shard's logs, one log after the other.
    async fn work_off(&mut self, shard: ShardId) -> Result<(), Failure> {
        let mut last = None;
        while let Some(DeadOf { log, batches }) = self.broker.dead_after(shard, last).await? {
            last = Some(log);
            let mut pass = Pass::default();
            for DeadBatch { dead, batch } in batches {
                match self.move_batch(log, &dead, batch, &mut pass).await {
                    Ok(()) => {}
                    Err(Failure::Stopping) => return Err(Failure::Stopping),
                    // They stay, as for a consumer that can't read them.
                    Err(failure) => self.put_off(log, &failure.to_string()).await,
                }
            }
            let is_idle = pass.answers.is_empty();
            self.await_all(log, pass.answers).await;
            if pass.awaits_room && is_idle {
                for (to, body_bytes) in pass.rooms.lacking() {
                    self.broker.await_room(to, body_bytes).await;
                }
                self.put_off_for(log, Awaits::Room, &AppendError::TooLong.to_string())
                    .await;
            }
            self.report(log);
        }
        Ok(())
    }

    async fn move_batch(
        &mut self,
        log: LogId,
        dead: &DeadRun,
        batch: LeasedBatch,
        pass: &mut Pass,
    ) -> Result<(), Failure> {
        let mut messages = batch.messages(log);
        let size_bytes = messages.size_bytes_max();
        let kind = Memory::kind_of_response(size_bytes);
        let room = self.broker.memory().take(kind, size_bytes).await;
        self.broker.read_leased(&mut messages, room).await?;
        // The same time for all, so that the same history is the same text.
        let at = self.clock.now();
        let mut run = None;
        while let Some(message) = self.broker.next_message(&mut messages).await? {
            let fate = self.fate_of((log, dead), &message, at, &mut pass.rooms);
            match fate.await? {
                LetterFate::Moves(step) => {
                    let full = {
                        let catalogue = self.broker.catalogue();
                        LeavingLetters::add(&mut run, &catalogue, (log, dead), *step, message)
                    };
                    if let Some(full) = full {
                        self.send(full, &mut pass.answers).await;
                    }
                }
                LetterFate::Stays(why) => self.put_off(log, &why).await,
                LetterFate::Waits => pass.awaits_room = true,
                LetterFate::Goes => self.drop_one(log, dead, &message).await,
            }
        }
        if let Some(last) = run {
            self.send(last, &mut pass.answers).await;
        }
        Ok(())
    }

    /// What becomes of a dead letter.
    async fn fate_of(
        &self,
        (log, dead): (LogId, &DeadRun),
        message: &LeasedMessage,
        at: Timestamp,
        rooms: &mut LetterRooms,
    ) -> Result<LetterFate, Failure> {
        let record = &message.record;
        let Some(letter) = self.letter(log, dead.reason, record, at) else {
            return Ok(LetterFate::Goes);
        };
        let letter = match self.postponed(log, letter, at).await {
            Ok(letter) => letter,
            Err(error) => return Ok(LetterFate::Stays(error.to_string())),
        };
        let left = letter.left(dead);
        if left.is_empty() {
            return Ok(LetterFate::of_last(&letter, dead));
        }
        for to in rooms.unasked(&left) {
            let room = self.broker.room_of(to).await?;
            rooms.note(to, room);
        }
        let body_bytes = u64::from(size_of_body(record));
        let to = rooms.taking(&left, body_bytes, |to| self.broker.shard_of(to));
        let step = match to.is_empty() {
            false => LetterStep::of(letter, (to, left.len()), (log, dead)),
            // A scheduled message stays a while longer, so that it doesn't hold up others.
            true if self.is_scheduled(log) => {
                let shortly = scheduled::shortly(log, record, &dead.copied);
                LetterStep::of(shortly, (smallvec![log], 1), (log, dead))
            }
            true => return Ok(LetterFate::Waits),
        };
        Ok(LetterFate::Moves(Box::new(step)))
    }

    /// Has a run of dead letters moved.
    async fn send(
        &mut self,
        LeavingLetters { run, leaves }: LeavingLetters,
        answers: &mut Vec<Sent>,
    ) {
        match run.request() {
            Ok((request, answer)) => {
                let shard = self.broker.shard_of(run.log);
                self.broker.send(shard, request).await;
                answers.push(Sent { answer, leaves });
            }
            Err(failure) => self.put_off(run.log, &failure.to_string()).await,
        }
    }

    /// Where a dead letter goes; `None` if nobody wants it any more. One that was delivered too
    /// often goes back if the limit was removed meanwhile.
    fn letter(
        &self,
        log: LogId,
        reason: DeathReason,
        record: &Record,
        at: Timestamp,
    ) -> Option<Letter> {
        let catalogue = self.broker.catalogue();
        let queue = catalogue.log_by_id(log)?;
        if is_scheduled(queue) {
            return scheduled::onward(&catalogue, queue, record, at, &self.routes);
        }
        let dead = DeadLetter {
            queue,
            reason,
            record,
            at,
        };
        let mut routes = self.routes.iter();
        let letter = routes.find_map(|route| route.route(&catalogue, &dead));
        let goes_back = reason == DeathReason::Deliveries;
        letter.or_else(|| goes_back.then(|| Letter::back_to(log)))
    }

    /// A letter through the log for scheduled messages, if it is due later than its targets would
    /// hold it back.
    async fn postponed(
        &self,
        log: LogId,
        letter: Letter,
        now: Timestamp,
    ) -> Result<Letter, Error<CatalogueError>> {
        let vhost_of = |catalogue: &Catalogue| Some(catalogue.log_by_id(log)?.vhost.clone());
        let vhost = vhost_of(&self.broker.catalogue());
        let Some(vhost) = vhost.filter(|_| scheduled::is_far(&letter, now)) else {
            return Ok(letter);
        };
        let through = self.broker.scheduled_log(&vhost).await?;
        Ok(scheduled::through(through, letter, now))
    }

    fn is_scheduled(&self, log: LogId) -> bool {
        let catalogue = self.broker.catalogue();
        catalogue.log_by_id(log).is_some_and(is_scheduled)
    }

    async fn drop_one(&mut self, log: LogId, dead: &DeadRun, message: &LeasedMessage) {
        self.count(log, dead.reason, 1);
        let item = SettleItem {
            partition: message.partition,
            offset: message.lease.offset,
            lease: None,
        };
        let settle = Settle {
            log,
            ledger: dead.ledger,
            items: smallvec![item],
            outcome: Outcome::Done,
            durable: false,
        };
        let reply = None;
        let request = Request::Settle { settle, reply };
        self.broker.send(self.broker.shard_of(log), request).await;
    }

    async fn await_all(&mut self, log: LogId, answers: Vec<Sent>) {
        let mut trouble = None;
        for Sent { answer, leaves } in answers {
            match answer.await {
                Ok(Ok(count)) => {
                    if let Some(reason) = leaves {
                        self.count(log, reason, count.into());
                    }
                }
                // The record went by other means, as when its queue was deleted.
                Ok(Err(Error::Refused(MoveError::NotLeased | MoveError::Log(_)))) => {}
                // The shard has put them off, until there is room.
                Ok(Err(Error::Refused(MoveError::Target(error @ AppendError::TooLong)))) => {
                    self.report_of(log).trouble = Some(error.to_string());
                }
                Ok(Err(error)) => trouble = Some(error.to_string()),
                Err(_) => {}
            }
        }
        if let Some(trouble) = trouble {
            self.put_off(log, &trouble).await;
        }
    }

    /// Leaves a queue's dead records alone for a while.
    async fn put_off(&mut self, log: LogId, why: &str) {
        self.put_off_for(log, Awaits::Time, why).await;
    }

    async fn put_off_for(&mut self, log: LogId, awaits: Awaits, why: &str) {
        self.report_of(log).trouble = Some(why.to_owned());
        let request = Request::PutOffDead { log, awaits };
        self.broker.send(self.broker.shard_of(log), request).await;
    }

    /// Counts dead letters. Scheduled messages aren't any.
    fn count(&mut self, log: LogId, reason: DeathReason, count: u64) {
        if self.is_scheduled(log) {
            return;
        }
        self.broker.count_dead(reason, count);
        *self.report_of(log).dead.entry(reason).or_default() += count;
    }

    fn report_of(&mut self, log: LogId) -> &mut Report {
        self.reports.entry(log).or_insert_with(|| Report {
            // Not reported yet.
            last: Instant::now()
                .checked_sub(REPORTED_EVERY)
                .unwrap_or_else(Instant::now),
            dead: BTreeMap::new(),
            trouble: None,
        })
    }

    /// Logs what happened to the dead letters of all queues, and forgets those that are quiet.
    fn report_all(&mut self) {
        let queues: Vec<LogId> = self.reports.keys().copied().collect();
        for log in queues {
            self.report(log);
        }
        self.reports
            .retain(|_, report| !report.dead.is_empty() || report.trouble.is_some());
    }

    /// Logs what happened to a queue's dead letters, not too often.
    fn report(&mut self, log: LogId) {
        let name = match self.broker.catalogue().log_by_id(log) {
            Some(definition) => definition.name.clone(),
            None => return drop(self.reports.remove(&log)),
        };
        let report = self.report_of(log);
        if report.last.elapsed() < REPORTED_EVERY {
            return;
        }
        report.last = Instant::now();
        for (reason, count) in std::mem::take(&mut report.dead) {
            let reason = name_of(reason);
            tracing::info!(queue = %name, reason, count, "messages were dead-lettered");
        }
        if let Some(trouble) = report.trouble.take() {
            let what = "dead letters can't be moved; they stay";
            tracing::warn!(queue = %name, reason = trouble, "{what}");
        }
    }
}

/// Waits until this time, if there is one.
async fn until(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}

impl Broker {
    /// Messages, since the start, that were dead-lettered for a reason.
    pub fn dead_count(&self, reason: DeathReason) -> u64 {
        self.shared.meters.dead_count(reason)
    }

    pub(crate) fn count_dead(&self, reason: DeathReason, count: u64) {
        self.shared.meters.count_dead(reason, count);
    }

    /// Returns when there are dead records to be moved, or may be.
    pub(crate) async fn dead_notified(&self) {
        self.shared.dead.dead.notified().await;
    }

    /// Returns when a queue that was too full for dead records has room.
    pub(crate) async fn room_notified(&self) {
        self.shared.dead.room.notified().await;
    }

    /// How much a queue takes before it refuses records for its length; `None` if it takes all.
    pub async fn room_of(&self, log: LogId) -> Result<Option<RoomLeft>, Failure> {
        let (reply, answer) = oneshot::channel();
        self.send(self.shard_of(log), Request::Room { log, reply })
            .await;
        answer.await.map_err(|_| Failure::Stopping)
    }

    /// Has the shard of a queue say when it takes a record with a body of this size.
    async fn await_room(&self, log: LogId, body_bytes: u64) {
        let request = Request::AwaitRoom { log, body_bytes };
        self.send(self.shard_of(log), request).await;
    }

    async fn dead_after(
        &self,
        shard: ShardId,
        last: Option<LogId>,
    ) -> Result<Option<DeadOf>, Failure> {
        let (reply, answer) = oneshot::channel();
        self.send(shard, Request::Dead { last, reply }).await;
        answer.await.map_err(|_| Failure::Stopping)
    }
}
