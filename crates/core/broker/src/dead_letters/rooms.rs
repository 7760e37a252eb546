//! How much the queues take that dead letters go to, while those of one log are moved.
//!
//! A queue that refuses what is too much is asked once, before the first letter for it, and what
//! goes there is subtracted. So a letter that doesn't fit isn't sent, and the others aren't held up
//! by its refusal. Somebody else may fill the queue meanwhile; then the move is refused.

use std::collections::BTreeMap;

use smallvec::SmallVec;
use stele_base_types::{LogId, ShardId};
use stele_core_engine::RoomLeft;
use tokio::sync::oneshot;

use crate::{Broker, Failure, Request};

/// What the queues take that were asked.
#[derive(Debug, Default)]
pub(super) struct Rooms {
    /// `None` for those that refuse nothing.
    left: BTreeMap<LogId, Option<RoomLeft>>,
    /// The queues that too little room was found in, with the size of the smallest body.
    lacking: BTreeMap<LogId, u64>,
}

/// The logs of one shard that take a letter.
#[derive(Debug, Default)]
struct Taking {
    logs: SmallVec<[LogId; 1]>,
    /// Whether a log of this shard that is to get the letter refuses what is too much.
    may_refuse: bool,
}

impl Rooms {
    /// Which of these logs take a letter: those on the first shard that has any. The shards of
    /// queues that may refuse it come last, so that letters which go the same way stay in order
    /// where nothing is refused.
    pub(super) async fn taking(
        &mut self,
        broker: &Broker,
        logs: &[LogId],
        body_bytes: u64,
    ) -> Result<SmallVec<[LogId; 1]>, Failure> {
        let mut by_shard: BTreeMap<ShardId, Taking> = BTreeMap::new();
        for &log in logs {
            let left = self.left_in(broker, log).await?;
            let taking = by_shard.entry(broker.shard_of(log)).or_default();
            taking.may_refuse |= left.is_some();
            if left.is_none_or(|left| left.fits(body_bytes)) {
                taking.logs.push(log);
            } else {
                let smallest = self.lacking.entry(log).or_insert(body_bytes);
                *smallest = body_bytes.min(*smallest);
            }
        }
        let taking = by_shard.into_values().filter(|it| !it.logs.is_empty());
        let first = taking.min_by_key(|it| it.may_refuse).unwrap_or_default();
        for log in &first.logs {
            if let Some(Some(left)) = self.left.get_mut(log) {
                *left = left.after(body_bytes);
            }
        }
        Ok(first.logs)
    }

    /// Has the shards of the queues that lack room say when there is some.
    pub(super) async fn watch(self, broker: &Broker) {
        for (log, body_bytes) in self.lacking {
            let request = Request::AwaitRoom { log, body_bytes };
            broker.send(broker.shard_of(log), request).await;
        }
    }

    async fn left_in(&mut self, broker: &Broker, log: LogId) -> Result<Option<RoomLeft>, Failure> {
        if let Some(left) = self.left.get(&log) {
            return Ok(*left);
        }
        let (reply, answer) = oneshot::channel();
        let request = Request::Room { log, reply };
        broker.send(broker.shard_of(log), request).await;
        let left = answer.await.map_err(|_| Failure::Stopping)?;
        self.left.insert(log, left);
        Ok(left)
    }
}
