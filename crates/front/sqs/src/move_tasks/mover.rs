//! The mover of one queue's task.

use std::time::Duration;

use smallvec::{SmallVec, smallvec};
use stele_base_types::{ConsumerId, LogId, Offset, PartitionIndex, SessionId};
use stele_core_broker::{
    AnswerTo, Broker, Deaths, Failure, LeasedBatch, LeasedMessage, Memory, MoveMessage,
};
use stele_core_engine::{
    Catalogue, ConsumerRef, LeaseRequest, LedgerId, LogDefinition, Move, Outcome, Schedule, Settle,
    SettleItem,
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
    /// Until when messages may still be leased by a mover of an earlier process.
    resumed_until: Instant,
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
            resumed_until: if is_resumed { now + MOVE_LEASE } else { now },
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
                Ok(Step::Nothing) if self.is_awaiting_leases().await => {
                    self.next_at = Instant::now() + MOVE_RETRY;
                }
                Ok(Step::Nothing) => self.end(&task, Status::Completed, None).await,
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

    /// Whether a mover of an earlier process may still have messages.
    async fn is_awaiting_leases(&self) -> bool {
        let status = self.broker.status(self.log).await;
        let is_leased = status.is_ok_and(|status| status.leased > 0);
        is_leased && Instant::now() < self.resumed_until
    }

    /// Moves the next messages.
    async fn step(&mut self, task: &MoveTask) -> Result<Step, Trouble> {
        let moved = self.moved(task).await?;
        let batches = self.lease(task, moved).await?;
        let mut answers = Vec::new();
        let mut left = Vec::new();
        let mut trouble = None;
        for batch in batches {
            let begun = self.move_batch(task, batch, &mut answers, &mut left);
            let begun = begun.await;
            trouble = trouble.or(begun.err());
        }
        self.give_back(left).await;
        let begun = answers.len();
        let mut moved = moved;
        for answer in answers {
            match answer.await {
                Ok(Ok(())) => moved += 1,
                // Its lease has ended: somebody else has it.
                Ok(Err(stele_core_broker::Error::Refused(
                    stele_core_engine::MoveError::NotLeased,
                ))) => {}
                Ok(Err(error)) => trouble = trouble.or(Some(error.to_string().into())),
                Err(_) => trouble = trouble.or(Some(Failure::Stopping.into())),
            }
        }
        self.moved = Some(moved);
        self.moves.note_moved(self.log, Some(moved));
        self.pace(task, begun, moved);
        match trouble {
            Some(trouble) => Err(trouble),
            None if begun > 0 => Ok(Step::Moved),
            None => Ok(Step::Nothing),
        }
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

    /// Begins to move the messages of a batch. Those that aren't moved are added to `left`.
    async fn move_batch(
        &self,
        task: &MoveTask,
        batch: LeasedBatch,
        answers: &mut Vec<AnswerTo<Move>>,
        left: &mut Vec<SettleItem>,
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
                left.push(item(&message.lease));
                continue;
            }
            match self.begin_move(task, &message).await {
                Ok(answer) => answers.push(answer),
                Err(trouble) => {
                    left.push(item(&message.lease));
                    result = Err(trouble);
                }
            }
        }
        left.extend(messages.leases().iter().map(item));
        result
    }

    async fn begin_move(
        &self,
        task: &MoveTask,
        message: &LeasedMessage,
    ) -> Result<AnswerTo<Move>, Trouble> {
        let (to, name) = destination(&self.broker.catalogue(), self.log, task, message)?;
        // As if it had been published to the queue by its name.
        let history = Deaths::of(&message.record).map(|history| Deaths {
            exchange: String::new(),
            routing_keys: vec![name],
            published: history.deaths.len(),
            ..history
        });
        let moved = MoveMessage {
            log: self.log,
            ledger: LedgerId::DEFAULT,
            partition: message.partition,
            lease: Some(message.lease.lease),
            record: message.record.clone(),
            to: smallvec![to],
            is_copied: false,
            headers: history.iter().cloned().filter_map(Deaths::header).collect(),
            schedule: Schedule {
                priority: (self.priority_of)(&message.record),
                ..Schedule::default()
            },
        };
        Ok(self.broker.begin_move(moved).await?)
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
