//! Settles the shards' journals, one at a time, so that settling takes at most one core.

use std::{
    io,
    sync::{Arc, mpsc as std_mpsc},
};

use stele_base_env::spawn_thread;
use stele_core_storage::{Error, Retired, SettlePlan, Settler};
use tokio::sync::{mpsc, watch};

use super::shard_thread::Heard;
use crate::shard::Replayed;

/// What the settler is asked.
#[derive(Debug)]
pub(super) enum SettlerJob {
    /// Settle a journal.
    Settle(Box<SettleJob>),
    /// Keep what was settled as spares, or give its space back.
    Release(Retired),
}

/// A journal to settle.
#[derive(Debug)]
pub(super) struct SettleJob {
    pub(super) settler: Settler,
    pub(super) plan: SettlePlan,
    pub(super) done: mpsc::Sender<Heard>,
}

/// Starts the thread. It ends when all shards have dropped their senders, or at the first failure.
pub(super) fn spawn(
    jobs: std_mpsc::Receiver<SettlerJob>,
    failing: watch::Sender<Option<Arc<str>>>,
    alive: mpsc::Sender<()>,
) -> io::Result<()> {
    spawn_thread("settler", move || {
        let _alive = alive;
        while let Ok(job) = jobs.recv() {
            let done = match job {
                SettlerJob::Settle(job) => settle(*job),
                SettlerJob::Release(retired) => retired.release(),
            };
            if let Err(error) = done {
                tracing::error!(%error, "the journal can't be settled");
                drop(failing.send(Some(error.to_string().into())));
                return;
            }
        }
    })
    .map(drop)
}

fn settle(job: SettleJob) -> Result<(), Error> {
    let SettleJob {
        mut settler,
        plan,
        done,
    } = job;
    let settled = match settler.settle(&plan, &mut Replayed::default()) {
        // All is still in the journal: the shard asks again, when there may be room.
        Err(error) if error.is_storage_full() => {
            tracing::warn!(%error, "no room to settle the journal");
            None
        }
        settled => Some(settled?),
    };
    // The plan holds the files that were settled, which are released when nobody does.
    drop(plan);
    drop(done.blocking_send(Heard::Settled(Box::new((settler, settled)))));
    Ok(())
}
