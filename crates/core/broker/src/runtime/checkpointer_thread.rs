//! Checkpoints the shards' journals, one at a time, so that it uses at most one core.

use std::{
    io,
    sync::{Arc, mpsc as std_mpsc},
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
    /// Keep checkpointed files as spares, or free their space.
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
        let mut unreleased = Vec::new();
        while let Ok(job) = jobs.recv() {
            let done = match job {
                CheckpointerJob::Checkpoint(job) => checkpoint(*job),
                CheckpointerJob::Release(retired) => {
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

fn checkpoint(job: CheckpointJob) -> Result<(), Error> {
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
    drop(done.blocking_send(Heard::Checkpointed(Box::new((checkpointer, checkpoint)))));
    Ok(())
}
