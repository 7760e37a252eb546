//! Checkpoints the shards' journals, one at a time, so that it uses at most one core.

use std::{
    collections::VecDeque,
    io,
    sync::{
        Arc,
        mpsc::{self as std_mpsc, TryRecvError},
    },
};

use stele_base_env::spawn_thread;
use stele_core_storage::{CheckpointPlan, Checkpointer, Error, Retired};
use tokio::sync::{mpsc, watch};

use super::shard_thread::Heard;
use crate::shard::Replayed;

/// A job for the checkpointer.
#[derive(Debug)]
pub(super) enum CheckpointerJob {
    /// Checkpoint a journal.
    Checkpoint(Box<CheckpointJob>),
    /// The checkpoint is installed: keep its files as spares, or free their space.
    Installed(Retired),
    /// Free the space of spares.
    Release(Retired),
}

/// A journal to checkpoint.
#[derive(Debug)]
pub(super) struct CheckpointJob {
    pub(super) checkpointer: Checkpointer,
    pub(super) plan: CheckpointPlan,
    pub(super) done: mpsc::Sender<Heard>,
}

/// Starts the thread. It ends when all shards have dropped their senders, or at the first failure.
pub(super) fn spawn(
    jobs: std_mpsc::Receiver<CheckpointerJob>,
    failing: watch::Sender<Option<Arc<str>>>,
    alive: mpsc::Sender<()>,
) -> io::Result<()> {
    spawn_thread("checkpointer", move || {
        let _alive = alive;
        let mut jobs = Jobs::new(jobs);
        let mut unreleased = Vec::new();
        while let Some(job) = jobs.next() {
            let done = match job {
                CheckpointerJob::Checkpoint(job) => checkpoint(*job).map(|is_made| {
                    jobs.is_installing = is_made;
                }),
                CheckpointerJob::Installed(retired) | CheckpointerJob::Release(retired) => {
                    unreleased.push(retired);
                    release(&mut unreleased)
                }
            };
            if let Err(error) = done {
                tracing::error!(%error, "the journal can't be checkpointed");
                drop(failing.send(Some(error.to_string().into())));
                return;
            }
        }
    })
    .map(drop)
}

/// The jobs in order, except that those that free space come first: a checkpoint begins once the
/// files of the one before are released, so that the disk never has to hold the copies of both.
#[derive(Debug)]
struct Jobs {
    arriving: std_mpsc::Receiver<CheckpointerJob>,
    checkpoints: VecDeque<Box<CheckpointJob>>,
    /// A shard is installing a checkpoint.
    is_installing: bool,
}

impl Jobs {
    fn new(arriving: std_mpsc::Receiver<CheckpointerJob>) -> Self {
        Self {
            arriving,
            checkpoints: VecDeque::new(),
            is_installing: false,
        }
    }

    /// Waits for the next job; `None` once all shards have ended.
    fn next(&mut self) -> Option<CheckpointerJob> {
        loop {
            let arrived = if self.is_installing || self.checkpoints.is_empty() {
                self.arriving.recv().ok()?
            } else {
                match self.arriving.try_recv() {
                    Ok(arrived) => arrived,
                    Err(TryRecvError::Empty) => {
                        return self
                            .checkpoints
                            .pop_front()
                            .map(CheckpointerJob::Checkpoint);
                    }
                    Err(TryRecvError::Disconnected) => return None,
                }
            };
            match arrived {
                CheckpointerJob::Checkpoint(job) => self.checkpoints.push_back(job),
                CheckpointerJob::Installed(_) => {
                    self.is_installing = false;
                    return Some(arrived);
                }
                CheckpointerJob::Release(_) => return Some(arrived),
            }
        }
    }
}

/// Files that can't be released for lack of resources stay, and are retried with the next ones.
fn release(unreleased: &mut Vec<Retired>) -> Result<(), Error> {
    let mut failed = Ok(());
    unreleased.retain_mut(|retired| match retired.release() {
        Ok(()) => false,
        Err(error) if error.is_for_want() => {
            tracing::warn!(%error, "checkpointed files can't be removed yet");
            true
        }
        Err(error) => {
            failed = Err(error);
            false
        }
    });
    failed
}

/// Returns whether the shard has a checkpoint to install.
fn checkpoint(job: CheckpointJob) -> Result<bool, Error> {
    let CheckpointJob {
        mut checkpointer,
        plan,
        done,
    } = job;
    let checkpoint = match checkpointer.checkpoint(&plan, &mut Replayed::default()) {
        // Everything is still in the journal. The shard asks again later.
        Err(error) if error.is_for_want() => {
            tracing::warn!(%error, "no space to checkpoint the journal");
            None
        }
        checkpoint => Some(checkpoint?),
    };
    // The plan references the checkpointed files, which are released when nothing does.
    drop(plan);
    let is_made = checkpoint.is_some();
    drop(done.blocking_send(Heard::Checkpointed(Box::new((checkpointer, checkpoint)))));
    Ok(is_made)
}
