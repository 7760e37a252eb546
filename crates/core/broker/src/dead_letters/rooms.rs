//! How much the queues take that dead letters go to, while those of one log are moved.
//!
//! A queue that refuses what is too much is asked once, before the first letter for it, and what
//! goes there is subtracted. So a letter that doesn't fit isn't sent, and the others aren't held up
//! by its refusal. Somebody else may fill the queue meanwhile; then the move is refused.

use std::collections::BTreeMap;

use smallvec::SmallVec;
use stele_base_types::{LogId, ShardId};
use stele_core_engine::RoomLeft;

/// What the queues take that were asked.
#[derive(Debug, Default)]
pub struct LetterRooms {
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

impl LetterRooms {
    /// Those of these logs that weren't asked yet.
    pub fn unasked(&self, logs: &[LogId]) -> SmallVec<[LogId; 1]> {
        let logs = logs.iter().copied();
        logs.filter(|log| !self.left.contains_key(log)).collect()
    }

    /// Notes how much a log takes; `None` if it refuses nothing.
    pub fn note(&mut self, log: LogId, left: Option<RoomLeft>) {
        self.left.insert(log, left);
    }

    /// Which of these logs, all of them asked, take a letter: those on the first shard that has
    /// any. The shards of queues that may refuse it come last, so that letters which go the same
    /// way stay in order where nothing is refused.
    pub fn taking(
        &mut self,
        logs: &[LogId],
        body_bytes: u64,
        shard_of: impl Fn(LogId) -> ShardId,
    ) -> SmallVec<[LogId; 1]> {
        let mut by_shard: BTreeMap<ShardId, Taking> = BTreeMap::new();
        for &log in logs {
            let left = self.left.get(&log).copied().flatten();
            let taking = by_shard.entry(shard_of(log)).or_default();
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
        first.logs
    }

    /// The queues that too little room was found in, with the size of the smallest body.
    pub fn lacking(self) -> impl Iterator<Item = (LogId, u64)> {
        self.lacking.into_iter()
    }
}
