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
mod rooms;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use hashbrown::HashMap;
use smallvec::{SmallVec, smallvec};
use stele_base_env::Clock;
use stele_base_types::{LogId, ShardId, Timestamp};
use stele_core_engine::{
    AppendError, Catalogue, CatalogueError, DeadRun, DeathReason, HeaderChange, LogDefinition,
    Move, MoveError, Outcome, Schedule, Settle, SettleItem,
};
use stele_wire_batch::Record;
use tokio::{
    sync::{oneshot, watch},
    time::{Instant, sleep, sleep_until},
};

pub use self::deaths::{DEATHS_HEADER, Death, Deaths, Died, name_of};
use self::rooms::Rooms;
use crate::{
    AnswerTo, Awaits, Broker, Error, Failure, LeasedBatch, LeasedMessage, Memory, MoveMessages,
    MovedMessage, Request, Scheduled, limits::DEAD_ROOM_MS, opening::size_of_body, scheduled,
    scheduled::is_scheduled,
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

/// Dead records of one log.
#[derive(Debug)]
pub struct DeadOf {
    pub(crate) log: LogId,
    pub(crate) batches: Vec<DeadBatch>,
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

/// What becomes of a dead letter.
#[derive(Debug)]
enum Fate {
    /// It is moved, or copied.
    Moves(Box<Step>),
    /// It stays for now, for this reason.
    Stays(String),
    /// It stays until a queue has room.
    Waits,
    /// Nobody wants it.
    Goes,
}

/// The next step of a dead letter: to those of its targets on one shard that have room.
#[derive(Debug)]
struct Step {
    to: SmallVec<[LogId; 1]>,
    /// Whether targets are left, on other shards or without room.
    is_copied: bool,
    /// Why it died, if this step takes it out of its queue.
    leaves: Option<DeathReason>,
    headers: Vec<HeaderChange>,
    schedule: Schedule,
}

/// Dead letters that take the same step together.
#[derive(Debug)]
struct Leaving {
    run: MoveMessages,
    leaves: Option<DeathReason>,
}

/// What is known while dead records of one log are moved.
#[derive(Debug, Default)]
struct Pass {
    answers: Vec<Sent>,
    rooms: Rooms,
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

impl Step {
    /// To these targets, of as many as are left.
    fn of(letter: Letter, to: SmallVec<[LogId; 1]>, left: usize) -> Self {
        let deaths = letter.deaths.header();
        Self {
            is_copied: to.len() < left,
            to,
            leaves: None,
            headers: deaths.into_iter().chain(letter.headers).collect(),
            schedule: letter.schedule,
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
            broker,
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
                pass.rooms.watch(&self.broker).await;
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
            match self
                .fate_of((log, dead), &message, at, &mut pass.rooms)
                .await?
            {
                Fate::Moves(letter) => {
                    let full = add_to(&mut run, &self.broker, (log, dead), *letter, message);
                    if let Some(full) = full {
                        self.send(full, &mut pass.answers).await;
                    }
                }
                Fate::Stays(why) => self.put_off(log, &why).await,
                Fate::Waits => pass.awaits_room = true,
                Fate::Goes => self.drop_one(log, dead, &message).await,
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
        rooms: &mut Rooms,
    ) -> Result<Fate, Failure> {
        let record = &message.record;
        let Some(letter) = self.letter(log, dead.reason, record, at) else {
            return Ok(Fate::Goes);
        };
        let letter = match self.postponed(log, letter, at).await {
            Ok(letter) => letter,
            Err(error) => return Ok(Fate::Stays(error.to_string())),
        };
        let targets = letter.targets.iter().copied();
        let left: SmallVec<[LogId; 1]> = targets.filter(|to| !dead.copied.contains(to)).collect();
        if left.is_empty() {
            return Ok(match letter.is_kept && dead.copied.is_empty() {
                true => Fate::Stays("nothing is bound to the dead-letter exchange".to_owned()),
                false => Fate::Goes,
            });
        }
        let body_bytes = u64::from(size_of_body(record));
        let to = rooms.taking(&self.broker, &left, body_bytes).await?;
        let step = match to.is_empty() {
            false => Step::of(letter, to, left.len()),
            // A scheduled message stays a while longer, so that it doesn't hold up others.
            true if self.is_scheduled(log) => {
                let shortly = scheduled::shortly(log, record, &dead.copied);
                Step::of(shortly, smallvec![log], 1)
            }
            true => return Ok(Fate::Waits),
        };
        let is_back = step.to[..] == [log];
        let leaves = (!step.is_copied && !is_back).then_some(dead.reason);
        Ok(Fate::Moves(Box::new(Step { leaves, ..step })))
    }

    /// Has a run of dead letters moved.
    async fn send(&mut self, Leaving { run, leaves }: Leaving, answers: &mut Vec<Sent>) {
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

/// Adds a dead letter of a log to the run that it follows, or begins a new one. Returns the run
/// before it, if that has ended.
fn add_to(
    current: &mut Option<Leaving>,
    broker: &Broker,
    (log, dead): (LogId, &DeadRun),
    step: Step,
    message: LeasedMessage,
) -> Option<Leaving> {
    let partition = message.partition;
    let mut moved = MovedMessage {
        record: message.record,
        lease: None,
        headers: step.headers,
        schedule: step.schedule,
    };
    if let Some(Leaving { run, leaves }) = current
        && (&run.to, run.is_copied, *leaves) == (&step.to, step.is_copied, step.leaves)
    {
        match run.push(moved) {
            Ok(()) => return None,
            Err(refused) => moved = *refused,
        }
    }
    let run = MoveMessages::new(log, dead.ledger, partition, step.to);
    let mut run = run.as_defined(&broker.catalogue());
    run.is_copied = step.is_copied;
    let is_first = run.push(moved);
    debug_assert!(is_first.is_ok(), "the first message always fits");
    current.replace(Leaving {
        run,
        leaves: step.leaves,
    })
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
