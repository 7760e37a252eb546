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
use crate::{
    AnswerTo, Broker, Error, Failure, LeasedBatch, LeasedMessage, Memory, MoveMessages,
    MovedMessage, Request, Scheduled, limits::DEAD_ROOM_MS, scheduled, scheduled::is_scheduled,
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
    /// Nobody wants it.
    Goes,
}

/// The next step of a dead letter: to its targets on one shard.
#[derive(Debug)]
struct Step {
    to: SmallVec<[LogId; 1]>,
    /// Whether targets on other shards are left.
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
            let mut answers = Vec::new();
            for DeadBatch { dead, batch } in batches {
                match self.move_batch(log, &dead, batch, &mut answers).await {
                    Ok(()) => {}
                    Err(Failure::Stopping) => return Err(Failure::Stopping),
                    // They stay, as for a consumer that can't read them.
                    Err(failure) => self.put_off(log, &failure.to_string()).await,
                }
            }
            self.await_all(log, answers).await;
            self.report(log);
        }
        Ok(())
    }

    async fn move_batch(
        &mut self,
        log: LogId,
        dead: &DeadRun,
        batch: LeasedBatch,
        answers: &mut Vec<Sent>,
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
            match self.fate_of(log, dead, &message, at).await {
                Fate::Moves(letter) => {
                    let full = add_to(&mut run, &self.broker, (log, dead), *letter, message);
                    if let Some(full) = full {
                        self.send(full, answers).await;
                    }
                }
                Fate::Stays(why) => self.put_off(log, &why).await,
                Fate::Goes => self.drop_one(log, dead, &message).await,
            }
        }
        if let Some(last) = run {
            self.send(last, answers).await;
        }
        Ok(())
    }

    /// What becomes of a dead letter.
    async fn fate_of(
        &self,
        log: LogId,
        dead: &DeadRun,
        message: &LeasedMessage,
        at: Timestamp,
    ) -> Fate {
        let Some(letter) = self.letter(log, dead.reason, &message.record, at) else {
            return Fate::Goes;
        };
        let letter = match self.postponed(log, letter, at).await {
            Ok(letter) => letter,
            Err(error) => return Fate::Stays(error.to_string()),
        };
        let is_left = |to: &LogId| !dead.copied.contains(to);
        let mut by_shard: BTreeMap<ShardId, SmallVec<[LogId; 1]>> = BTreeMap::new();
        for to in letter.targets.iter().copied().filter(is_left) {
            by_shard
                .entry(self.broker.shard_of(to))
                .or_default()
                .push(to);
        }
        let is_copied = by_shard.len() > 1;
        let is_back = letter.targets == [log];
        let Some((_, to)) = by_shard.pop_first() else {
            return match letter.is_kept && dead.copied.is_empty() {
                true => Fate::Stays("nothing is bound to the dead-letter exchange".to_owned()),
                false => Fate::Goes,
            };
        };
        Fate::Moves(Box::new(Step {
            to,
            is_copied,
            leaves: (!is_copied && !is_back).then_some(dead.reason),
            headers: letter
                .deaths
                .header()
                .into_iter()
                .chain(letter.headers)
                .collect(),
            schedule: letter.schedule,
        }))
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
    /// hold it back. One that comes from there stays a while longer if its targets are full, so
    /// that it doesn't hold up others.
    async fn postponed(
        &self,
        log: LogId,
        letter: Letter,
        now: Timestamp,
    ) -> Result<Letter, Error<CatalogueError>> {
        let definition = |catalogue: &Catalogue| {
            let queue = catalogue.log_by_id(log)?;
            Some((queue.vhost.clone(), is_scheduled(queue)))
        };
        let Some((vhost, is_scheduled)) = definition(&self.broker.catalogue()) else {
            return Ok(letter);
        };
        if scheduled::is_far(&letter, now) {
            let through = self.broker.scheduled_log(&vhost).await?;
            return Ok(scheduled::through(through, letter, now));
        }
        match is_scheduled && self.broker.are_full(&letter.targets).await? {
            true => Ok(scheduled::shortly(log)),
            false => Ok(letter),
        }
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
        self.report_of(log).trouble = Some(why.to_owned());
        let request = Request::PutOffDead(log);
        self.broker.send(self.broker.shard_of(log), request).await;
    }

    /// Counts dead letters. Scheduled messages aren't any.
    fn count(&mut self, log: LogId, reason: DeathReason, count: u64) {
        let is_scheduled =
            |catalogue: &Catalogue| catalogue.log_by_id(log).is_some_and(is_scheduled);
        if is_scheduled(&self.broker.catalogue()) {
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
