//! Tasks that move the messages of a dead-letter queue back, or to another queue.
//!
//! ```text
//!  StartMessageMoveTask ──► a setting of the dead-letter queue ◄── CancelMessageMoveTask
//!                                │  found at a start, or when told of a change
//!                                ▼
//!                             Mover: lease ─► move, exactly once ─► count in the setting
//! ```
//!
//! A queue's last tasks are a setting of its log, so they survive a restart. A task moves what was
//! in the queue when it began: for each partition, the setting has the offset up to which it goes.

mod mover;

use std::{collections::HashMap, sync::Arc};

use hashbrown::HashSet;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use stele_base_types::{LogId, VHOST_DEFAULT};
use stele_core_broker::Broker;
use stele_core_engine::{AlterLog, Altered, LogDefinition, Settings as FacetSettings};
use stele_wire_sqs::Error;
use tokio::{sync::watch, task::JoinSet};

use self::mover::Mover;
use crate::{Settings, attributes::FACET, errors, limits::MOVE_TASKS_MAX};

/// The setting with a queue's tasks, the most recent first.
const TASKS: &str = "move-tasks";

/// What the operations and the movers of all ports share.
#[derive(Clone, Debug)]
pub struct MoveTasks(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// Changes when a task was started or cancelled.
    changed: watch::Sender<()>,
    /// How many messages the running tasks have moved, which the settings know a bit later.
    moved: Mutex<HashMap<LogId, u64>>,
}

/// A task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct MoveTask {
    pub(crate) id: String,
    pub(crate) status: Status,
    /// The ARN of the queue that gets the messages, if it was given.
    pub(crate) destination: Option<String>,
    pub(crate) per_second_max: Option<u32>,
    pub(crate) started_ms: i64,
    /// How many messages there were to move when it started.
    pub(crate) to_move: u64,
    pub(crate) moved: u64,
    /// The offset up to which messages are moved, by partition. Empty once it has ended.
    pub(crate) until: Vec<u64>,
    pub(crate) failure: Option<String>,
}

/// The status of a task, by AWS's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Status {
    Running,
    Cancelling,
    Cancelled,
    Completed,
    Failed,
}

impl Status {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Cancelling => "CANCELLING",
            Self::Cancelled => "CANCELLED",
            Self::Completed => "COMPLETED",
            Self::Failed => "FAILED",
        }
    }
}

impl MoveTask {
    pub(crate) fn is_active(&self) -> bool {
        matches!(self.status, Status::Running | Status::Cancelling)
    }
}

impl Default for MoveTasks {
    fn default() -> Self {
        Self(Arc::new(Shared {
            changed: watch::Sender::new(()),
            moved: Mutex::default(),
        }))
    }
}

impl MoveTasks {
    /// Tells the movers that a task was started or cancelled.
    pub(crate) fn tell(&self) {
        self.0.changed.send_replace(());
    }

    /// How many messages the active task of a queue has moved.
    pub(crate) fn moved(&self, log: LogId, task: &MoveTask) -> u64 {
        let live = self.0.moved.lock().get(&log).copied();
        let live = live.filter(|_| task.is_active()).unwrap_or(0);
        live.max(task.moved).min(task.to_move)
    }

    fn note_moved(&self, log: LogId, moved: Option<u64>) {
        let mut known = self.0.moved.lock();
        match moved {
            Some(moved) => known.insert(log, moved),
            None => known.remove(&log),
        };
    }
}

/// The tasks of a queue, the most recent first.
pub(crate) fn tasks_of(definition: &LogDefinition) -> Vec<MoveTask> {
    let settings = definition.facets.get(FACET);
    settings.map(tasks_in).unwrap_or_default()
}

fn tasks_in(settings: &FacetSettings) -> Vec<MoveTask> {
    let tasks = settings.get(TASKS);
    tasks
        .and_then(|tasks| serde_json::from_str(tasks).ok())
        .unwrap_or_default()
}

/// Changes the tasks of a queue. `change` is called again if another change came first.
pub(crate) async fn alter<R>(
    broker: &Broker,
    log: LogId,
    change: impl Fn(&mut Vec<MoveTask>) -> Result<R, Error>,
) -> Result<R, Error> {
    let definition = broker.catalogue().log_by_id(log).cloned();
    let mut definition = definition.ok_or_else(errors::no_such_queue)?;
    loop {
        let judged_by = definition.facets.get(FACET).cloned().unwrap_or_default();
        let mut tasks = tasks_in(&judged_by);
        let result = change(&mut tasks)?;
        tasks.truncate(MOVE_TASKS_MAX);
        let tasks = serde_json::to_string(&tasks).map_err(|error| errors::internal(&error))?;
        let setting = (TASKS.into(), Some(tasks.into()));
        let alter = AlterLog {
            settings: Some((FACET.into(), [setting].into())),
            judged_by: Some(judged_by),
            ..AlterLog::nothing(log)
        };
        let altered = broker.alter_log(alter).await;
        match altered.map_err(errors::of_broker)? {
            Altered::Made(_) => return Ok(result),
            Altered::Outdated(current) => definition = current,
        }
    }
}

/// Runs the tasks of all queues, also those that an earlier process has begun, until it is to stop.
pub async fn run_move_tasks(
    broker: Broker,
    settings: Settings,
    mut stopping: watch::Receiver<bool>,
) {
    let mut changed = settings.moves.0.changed.subscribe();
    let mut movers = JoinSet::new();
    let mut moving = HashSet::new();
    let mut is_first = true;
    loop {
        for log in active(&broker) {
            if moving.insert(log) {
                let (broker, stopping) = (broker.for_client(), stopping.clone());
                let mover = Mover::new(broker, &settings, stopping, log, is_first);
                movers.spawn(mover.run());
            }
        }
        is_first = false;
        tokio::select! {
            _ = changed.changed() => {}
            Some(ended) = movers.join_next() => {
                moving.remove(&ended.unwrap_or_default());
            }
            _ = stopping.wait_for(|is_stopping| *is_stopping) => break,
        }
    }
    // They finish what they have begun.
    settings.moves.tell();
    while movers.join_next().await.is_some() {}
}

/// The queues with an active task.
fn active(broker: &Broker) -> Vec<LogId> {
    let catalogue = broker.catalogue();
    let logs = catalogue.logs(VHOST_DEFAULT, None);
    let active = logs.filter(|log| tasks_of(log).first().is_some_and(MoveTask::is_active));
    active.map(|log| log.id).collect()
}
