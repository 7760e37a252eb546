//! Settles the shards' journals, one at a time, so that settling takes at most one core.

use std::{
    io,
    sync::{Arc, mpsc as std_mpsc},
};

use stele_base_env::spawn_thread;
use stele_core_storage::{SettlePlan, Settler};
use tokio::sync::{mpsc, watch};

use super::shard_thread::Heard;
use crate::shard::Replayed;

/// A journal to settle.
#[derive(Debug)]
pub(super) struct SettleJob {
    pub(super) settler: Settler,
    pub(super) plan: SettlePlan,
    pub(super) done: mpsc::Sender<Heard>,
}

/// Starts the thread. It ends when all shards have dropped their senders, or at the first failure.
pub(super) fn spawn(
    jobs: std_mpsc::Receiver<SettleJob>,
    failing: watch::Sender<Option<Arc<str>>>,
    alive: mpsc::Sender<()>,
) -> io::Result<()> {
    spawn_thread("settler", move || {
        let _alive = alive;
        while let Ok(job) = jobs.recv() {
            let settled = match job.settler.settle(&job.plan, &mut Replayed::default()) {
                Ok(settled) => Some(settled),
                // All is still in the journal: the shard asks again, when there may be room.
                Err(error) if error.is_storage_full() => {
                    tracing::warn!(%error, "no room to settle the journal");
                    None
                }
                Err(error) => {
                    tracing::error!(%error, "the journal can't be settled");
                    drop(failing.send(Some(error.to_string().into())));
                    return;
                }
            };
            let heard = Heard::Settled(Box::new((job.settler, settled)));
            drop(job.done.blocking_send(heard));
        }
    })
    .map(drop)
}
