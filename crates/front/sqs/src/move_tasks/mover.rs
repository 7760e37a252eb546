//! The mover of one queue's task.

use std::time::Duration;

use smallvec::{SmallVec, smallvec};
use stele_base_types::{ConsumerId, LogId, Offset, PartitionIndex, SessionId};
use stele_core_broker::{
    AnswerTo, Broker, Deaths, Failure, LeasedBatch, LeasedMessage, LetterRooms, Memory,
    MoveMessages, MovedMessage,
};
use stele_core_engine::{
    Catalogue, ConsumerRef, LeaseRequest, LedgerId, LogDefinition, Move, MoveError, Outcome,
    Schedule, Settle, SettleItem,
};
use tokio::{
    sync::watch,
    time::{Instant, timeout_at},
};

use super::{MoveTask, MoveTasks, Status, alter, tasks_of};
use crate::{
    Settings,
    dead_letters::PriorityOf,
    limits::{MOVE_BATCH_MAX, MOVE_LEASE, MOVE_RETRY},
    redrive::Arn,
};

/// How often the number of moved messages is stored at most.
const STORED_EVERY: Duration = Duration::from_secs(1);

/// Moves the messages of one queue, for its active task.
#[derive(Debug)]
pub(super) struct Mover {
    broker: Broker,
    moves: MoveTasks,
    priority_of: PriorityOf,
    changed: watch::Receiver<()>,
    stopping: watch::Receiver<bool>,
    log: LogId,
    /// The id of its task, once it has been read.
    id: Option<String>,
    holder: ConsumerRef,
    /// How many messages the task has moved, once it is known.
    moved: Option<u64>,
    stored_at: Instant,
    /// When the next messages may be moved.
    next_at: Instant,
    /// Until when messages may still be leased by a mover of an earlier process; `None` if this one
    /// has begun the task.
    resumed_until: Option<Instant>,
}

/// Moves that have been begun.
#[derive(Default)]
struct Begun {
    runs: Vec<(MoveMessages, AnswerTo<Move>)>,
    /// Leased messages that aren't moved.
    left: Vec<SettleItem>,
    /// How much the destinations take.
    rooms: LetterRooms,
    /// What went wrong first.
    trouble: Option<Trouble>,
}

impl Begun {
    fn note(&mut self, trouble: Trouble) {
        self.trouble.get_or_insert(trouble);
    }
}

/// How a step ended that the task goes on after.
enum Step {
    Moved,
    Nothing,
}

/// Why a step failed.
enum Trouble {
    /// The task can't go on.
    Fatal(&'static str),
    /// It may go on later.
    Passing(String),
}

impl Mover {
    pub(super) fn new(
        broker: Broker,
        settings: &Settings,
        stopping: watch::Receiver<bool>,
        log: LogId,
        is_resumed: bool,
    ) -> Self {
        let now = Instant::now();
        Self {
            holder: ConsumerRef {
                session: SessionId(broker.next_id()),
                consumer: ConsumerId(0),
            },
            changed: settings.moves.0.changed.subscribe(),
            broker,
            moves: settings.moves.clone(),
            priority_of: settings.priority_of,
            stopping,
            log,
            id: None,
            moved: None,
            stored_at: now,
            next_at: now,
            resumed_until: is_resumed.then(|| now + MOVE_LEASE),
        }
    }

    /// Runs the task until it has ended, or the front is to stop. Returns the queue.
    pub(super) async fn run(mut self) -> LogId {
        while let Some(task) = self.task() {
            if task.status == Status::Cancelling {
                self.end(&task, Status::Cancelled, None).await;
                continue;
            }
            if self.next_at > Instant::now() {
                // The time has come, or the task may have been cancelled.
                drop(timeout_at(self.next_at, self.changed.changed()).await);
                continue;
            }
            match self.step(&task).await {
                Ok(Step::Moved) => self.store(&task).await,
                Ok(Step::Nothing) if self.may_come_back().await => {
                    self.next_at = Instant::now() + MOVE_RETRY;
                }
                Ok(Step::Nothing) => {
                    // What an earlier process has moved last may not have been counted.
                    if self.resumed_until.is_some() {
                        self.moved = Some(task.to_move);
                    }
                    self.end(&task, Status::Completed, None).await;
                }
                Err(Trouble::Fatal(reason)) => {
                    self.end(&task, Status::Failed, Some(reason)).await;
                }
                Err(Trouble::Passing(reason)) => {
                    tracing::warn!(log = %self.log, reason, "messages can't be moved now");
                    self.next_at = Instant::now() + MOVE_RETRY;
                }
            }
        }
        self.moves.note_moved(self.log, None);
        self.log
    }

    /// The task, as long as it is active and the front isn't to stop.
    fn task(&mut self) -> Option<MoveTask> {
        if *self.stopping.borrow() {
            return None;
        }
        let tasks = tasks_of(self.broker.catalogue().log_by_id(self.log)?);
        let task = tasks.into_iter().next().filter(MoveTask::is_active)?;
        let id = self.id.get_or_insert_with(|| task.id.clone());
        (task.id == *id).then_some(task)
    }

    /// Whether there may be messages again: those that a mover of an earlier process has leased,
    /// and those on their way, which return if they aren't taken.
    async fn may_come_back(&self) -> bool {
        let Ok(status) = self.broker.status(self.log).await else {
            return true;
        };
        let resumed_until = self.resumed_until.filter(|until| *until > Instant::now());
        status.moving > 0 || (status.leased > 0 && resumed_until.is_some())
    }

    /// Moves the next messages.
    async fn step(&mut self, task: &MoveTask) -> Result<Step, Trouble> {
        let before = self.moved(task).await?;
        let batches = self.lease(task, before).await?;
        let mut begun = Begun::default();
        for batch in batches {
            let moving = self.move_batch(task, batch, &mut begun).await;
            begun.trouble = begun.trouble.or(moving.err());
        }
        self.give_back(std::mem::take(&mut begun.left)).await;
        let (count, moved) = self.await_all(&mut begun).await;
        let moved = before + moved;
        self.moved = Some(moved);
        self.moves.note_moved(self.log, Some(moved));
        self.pace(task, count, moved);
        match begun.trouble {
            Some(trouble) => Err(trouble),
            None if count > 0 => Ok(Step::Moved),
            None => Ok(Step::Nothing),
        }
    }

    /// Awaits the answers to moves. Returns how many messages were to be moved, and how many were.
    async fn await_all(&self, begun: &mut Begun) -> (usize, u64) {
        let (mut count, mut moved) = (0, 0);
        for (run, answer) in std::mem::take(&mut begun.runs) {
            count += run.messages().len();
            match answer.await {
                Ok(Ok(all)) if all as usize == run.messages().len() => moved += u64::from(all),
                Ok(Ok(first)) => {
                    moved += u64::from(first);
                    moved += self.move_singly(&run, first as usize, begun).await;
                }
                Ok(Err(stele_core_broker::Error::Refused(MoveError::NotLeased))) => {
                    // The lease of the first one has ended: somebody else has it.
                    moved += self.move_singly(&run, 1, begun).await;
                }
                Ok(Err(error)) => begun.note(error.to_string().into()),
                Err(_) => begun.note(Failure::Stopping.into()),
            }
        }
        (count, moved)
    }

    /// Moves the messages of a run from this one on that couldn't be moved with those before.
    /// Returns how many were moved.
    async fn move_singly(&self, run: &MoveMessages, from: usize, begun: &mut Begun) -> u64 {
        let mut moved = 0;
        for message in run.messages().iter().skip(from) {
            let mut alone = run.without_messages();
            let is_first = alone.push(message.clone());
            debug_assert!(is_first.is_ok(), "the first message always fits");
            match self.broker.move_messages(&alone).await {
                Ok(count) => moved += u64::from(count),
                Err(stele_core_broker::Error::Refused(MoveError::NotLeased)) => {}
                Err(error) => begun.note(error.to_string().into()),
            }
        }
        moved
    }

    /// Sets when the next messages may be moved, after this many.
    fn pace(&mut self, task: &MoveTask, count: usize, moved: u64) {
        let now = Instant::now();
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        let pause = match task.per_second_max {
            Some(rate) => Duration::from_secs(1) * count / rate.max(1),
            // A message that another shard refuses returns: it isn't tried all the time.
            None if moved > task.to_move => MOVE_RETRY,
            None => Duration::ZERO,
        };
        self.next_at = self.next_at.max(now - pause.min(STORED_EVERY)) + pause;
    }

    /// How many messages the task has moved. After a restart the stored number may be too low:
    /// those that are gone have been moved.
    async fn moved(&self, task: &MoveTask) -> Result<u64, Trouble> {
        if let Some(moved) = self.moved {
            return Ok(moved);
        }
        let status = self.broker.status(self.log).await?;
        let gone = task.to_move.saturating_sub(status.ready + status.leased);
        Ok(task.moved.max(gone))
    }

    async fn lease(&self, task: &MoveTask, moved: u64) -> Result<Vec<LeasedBatch>, Trouble> {
        let at_once = match task.per_second_max {
            Some(rate) => (rate / 10).clamp(1, MOVE_BATCH_MAX),
            None => MOVE_BATCH_MAX,
        };
        let left = task.to_move.saturating_sub(moved).max(1);
        let request = LeaseRequest {
            ledger: LedgerId::DEFAULT,
            holder: self.holder,
            records_max: u32::try_from(left).unwrap_or(u32::MAX).min(at_once),
            lease_ms: Some(u64::try_from(MOVE_LEASE.as_millis()).unwrap_or(u64::MAX)),
            settle: false,
            wait_ms: None,
            attempt: None,
            leased_max: None,
        };
        Ok(self.broker.lease(self.log, request).await?)
    }

    /// Begins to move the messages of a batch. Those that aren't moved are added to what is left.
    async fn move_batch(
        &self,
        task: &MoveTask,
        batch: LeasedBatch,
        begun: &mut Begun,
    ) -> Result<(), Trouble> {
        let mut messages = batch.messages(self.log);
        let partition = messages.partition();
        let item = |lease: &stele_core_engine::LeasedRecord| SettleItem {
            partition,
            offset: lease.offset,
            lease: Some(lease.lease),
        };
        let size_bytes = messages.size_bytes_max();
        let kind = Memory::kind_of_response(size_bytes);
        let room = self.broker.memory().take(kind, size_bytes).await;
        let mut result = match self.broker.read_leased(&mut messages, room).await {
            Ok(()) => Ok(()),
            Err(failure) => Err(failure.into()),
        };
        let mut run = None;
        while result.is_ok() {
            let message = match self.broker.next_message(&mut messages).await {
                Ok(Some(message)) => message,
                Ok(None) => break,
                Err(failure) => {
                    result = Err(failure.into());
                    break;
                }
            };
            if !is_of(task, partition, message.lease.offset) {
                begun.left.push(item(&message.lease));
                continue;
            }
            let destined = self.destined(task, &message);
            let full = match destined {
                Ok((to, moved)) => match self.is_taken(to, &moved, &mut begun.rooms).await {
                    Ok(()) => Ok(self.add_to(&mut run, to, message.partition, moved)),
                    Err(trouble) => Err(trouble),
                },
                Err(trouble) => Err(trouble),
            };
            match full {
                Ok(full) => result = self.begin_move(full, begun).await,
                Err(trouble) => {
                    begun.left.push(item(&message.lease));
                    result = Err(trouble);
                }
            }
        }
        begun.left.extend(messages.leases().iter().map(item));
        let last = self.begin_move(run, begun).await;
        result.and(last)
    }

    /// Fails if the queue that is to get a message is too full for it. Otherwise the room is taken.
    async fn is_taken(
        &self,
        to: LogId,
        message: &MovedMessage,
        rooms: &mut LetterRooms,
    ) -> Result<(), Trouble> {
        for to in rooms.unasked(&[to]) {
            let room = self.broker.room_of(to).await?;
            rooms.note(to, room);
        }
        let shard_of = |log| self.broker.shard_of(log);
        match rooms
            .taking(&[to], message.body_bytes(), shard_of)
            .is_empty()
        {
            true => Err("the queue that they go to is full".to_owned().into()),
            false => Ok(()),
        }
    }

    /// Where a message goes, and how.
    fn destined(
        &self,
        task: &MoveTask,
        message: &LeasedMessage,
    ) -> Result<(LogId, MovedMessage), Trouble> {
        let catalogue = self.broker.catalogue();
        let (to, name) = destination(&catalogue, self.log, task, message)?;
        // As if it had been published to the queue by its name.
        let history = Deaths::of(&message.record).map(|history| Deaths {
            exchange: String::new(),
            routing_keys: vec![name],
            published: history.deaths.len(),
            ..history
        });
        let moved = MovedMessage {
            lease: Some(message.lease.lease),
            record: message.record.clone(),
            headers: history.into_iter().filter_map(Deaths::header).collect(),
            schedule: Schedule {
                priority: (self.priority_of)(&message.record),
                ..Schedule::default()
            },
        };
        Ok((to, moved))
    }

    /// Adds a message to the run that it follows, or begins a new one. Returns the run before it,
    /// if that has ended.
    fn add_to(
        &self,
        current: &mut Option<MoveMessages>,
        to: LogId,
        partition: PartitionIndex,
        mut moved: MovedMessage,
    ) -> Option<MoveMessages> {
        if let Some(run) = current.as_mut().filter(|run| run.to[..] == [to]) {
            match run.push(moved) {
                Ok(()) => return None,
                Err(refused) => moved = *refused,
            }
        }
        let run = MoveMessages::new(self.log, LedgerId::DEFAULT, partition, smallvec![to]);
        let mut run = run.as_defined(&self.broker.catalogue());
        let is_first = run.push(moved);
        debug_assert!(is_first.is_ok(), "the first message always fits");
        current.replace(run)
    }

    /// Begins to move a run of messages. If that fails, they are left.
    async fn begin_move(
        &self,
        run: Option<MoveMessages>,
        begun: &mut Begun,
    ) -> Result<(), Trouble> {
        let Some(run) = run else {
            return Ok(());
        };
        match self.broker.begin_move(&run).await {
            Ok(answer) => begun.runs.push((run, answer)),
            Err(failure) => {
                let items = run.messages().iter().map(|message| SettleItem {
                    partition: run.partition,
                    offset: message.record.offset,
                    lease: message.lease,
                });
                begun.left.extend(items);
                return Err(failure.into());
            }
        }
        Ok(())
    }

    /// Returns messages to the queue.
    async fn give_back(&self, left: Vec<SettleItem>) {
        if left.is_empty() {
            return;
        }
        let settle = Settle {
            log: self.log,
            ledger: LedgerId::DEFAULT,
            items: SmallVec::from_vec(left),
            outcome: Outcome::Return(0),
            durable: false,
        };
        // If this fails, they return at their deadlines.
        drop(self.broker.settle(settle).await);
    }

    /// Stores how many messages have been moved, not too often.
    async fn store(&mut self, task: &MoveTask) {
        let moved = self.moved.unwrap_or(0);
        if self.stored_at.elapsed() >= STORED_EVERY {
            self.stored_at = Instant::now();
            self.change(task, |task| task.moved = moved).await;
        }
    }

    async fn end(&mut self, task: &MoveTask, status: Status, failure: Option<&str>) {
        let moved = self.moved.unwrap_or(task.moved);
        let change = |task: &mut MoveTask| {
            task.status = status;
            task.moved = moved;
            task.until.clear();
            task.failure = failure.map(str::to_owned);
        };
        self.change(task, change).await;
        let status = status.name();
        tracing::info!(log = %self.log, status, moved, failure, "a task that moves messages ended");
    }

    /// Changes the stored task, if it is still active.
    async fn change(&mut self, task: &MoveTask, change: impl Fn(&mut MoveTask)) {
        let altered = alter(&self.broker, self.log, |tasks| {
            let stored = tasks.first_mut();
            let stored = stored.filter(|stored| stored.id == task.id && stored.is_active());
            if let Some(stored) = stored {
                change(stored);
            }
            Ok(())
        });
        if altered.await.is_err() {
            self.next_at = Instant::now() + MOVE_RETRY;
        }
    }
}

/// Whether a message was in the queue when the task began.
fn is_of(task: &MoveTask, partition: PartitionIndex, offset: Offset) -> bool {
    let index = usize::try_from(partition.0).unwrap_or(usize::MAX);
    task.until.get(index).is_some_and(|until| offset.0 < *until)
}

/// The log that gets a message, and its name: the given one, or the one in which it died last.
fn destination(
    catalogue: &Catalogue,
    log: LogId,
    task: &MoveTask,
    message: &LeasedMessage,
) -> Result<(LogId, String), Trouble> {
    const GONE: Trouble = Trouble::Fatal("AWS.SimpleQueueService.NonExistentQueue");
    const UNKNOWN: Trouble = Trouble::Fatal("CouldNotDetermineMessageSource");
    let own = catalogue.log_by_id(log).ok_or(GONE)?;
    let find = |name: &str| catalogue.log(&own.vhost, name);
    let found: Option<&LogDefinition> = match &task.destination {
        Some(arn) => find(Arn::read(arn).ok_or(GONE)?.name),
        None => {
            let history = Deaths::of(&message.record).unwrap_or_default();
            let mut queues = history.deaths.iter().map(|death| &death.died.queue);
            let source = queues.find(|queue| queue.as_str() != own.name.as_str());
            find(source.ok_or(UNKNOWN)?)
        }
    };
    let found = found.ok_or(GONE)?;
    Ok((found.id, found.name.as_str().to_owned()))
}

impl<E: std::fmt::Display> From<stele_core_broker::Error<E>> for Trouble
where
    stele_core_broker::Error<E>: std::fmt::Display,
{
    fn from(error: stele_core_broker::Error<E>) -> Self {
        Self::Passing(error.to_string())
    }
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        Self::Passing(failure.to_string())
    }
}

impl From<String> for Trouble {
    fn from(reason: String) -> Self {
        Self::Passing(reason)
    }
}
