//! What each shard may lease to a channel whose consumers share a limit.
//!
//! Each shard enforces a limit by itself. To keep to the channel's limit together, each is given
//! that limit minus what the other shards have leased. When two shards lease at the same time, the
//! total may exceed the limit, by at most the limit for each shard but one. The excess waits in the
//! channel (`waiting.rs`) and is delivered first.
//!
//! The excess isn't returned to its queue, although other consumers could take it: the shard that
//! receives an acknowledgement leases first, so it would use all the room and the queues of other
//! shards would starve. Offering the room to one shard at a time would leave it unused while that
//! shard has nothing ready.

use std::collections::BTreeMap;

use stele_base_types::{LogId, ShardId};

use super::{Channel, ChannelId, Session};

/// A limit for a channel, to be sent to the shard of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bound {
    pub(crate) channel: ChannelId,
    pub(crate) log: LogId,
    pub(crate) limit: u32,
}

impl Session {
    /// The limits that have changed since they were sent to the shards. Marks them as sent.
    pub(crate) fn changed_bounds(&mut self, shard_of: impl Fn(LogId) -> ShardId) -> Vec<Bound> {
        let mut changed = Vec::new();
        for channel in self.channels.values_mut() {
            let Some(limit) = channel.prefetch_shared else {
                continue;
            };
            let subscribed = channel.consumers.values();
            let subscribed = subscribed.filter_map(|id| self.subscriptions.get(id));
            let subscribed = subscribed.filter(|subscription| !subscription.reads);
            let consumed: BTreeMap<ShardId, LogId> = subscribed
                .map(|subscription| (shard_of(subscription.log), subscription.log))
                .collect();
            channel.told.retain(|shard, _| consumed.contains_key(shard));
            if consumed.len() < 2 && channel.told.is_empty() {
                continue;
            }
            let held = channel.held(&shard_of);
            let all: u32 = held.values().sum();
            for (shard, log) in consumed {
                let others = all - held.get(&shard).copied().unwrap_or(0);
                let limit = limit.saturating_sub(others);
                if channel.told.insert(shard, limit) != Some(limit) {
                    changed.push(Bound {
                        channel: channel.id,
                        log,
                        limit,
                    });
                }
            }
        }
        changed
    }
}

impl Channel {
    /// What a shard may lease to a new consumer.
    pub(crate) fn bound_at(
        &self,
        shard: ShardId,
        shard_of: impl Fn(LogId) -> ShardId,
    ) -> Option<u32> {
        let limit = self.prefetch_shared?;
        let held = self.held(shard_of);
        let others = held.iter().filter(|(other, _)| **other != shard);
        Some(limit.saturating_sub(others.map(|(_, count)| count).sum()))
    }

    /// What each shard has leased to the channel.
    fn held(&self, shard_of: impl Fn(LogId) -> ShardId) -> BTreeMap<ShardId, u32> {
        let mut held = BTreeMap::new();
        let mut add = |log, count: usize| {
            let count = u32::try_from(count).unwrap_or(u32::MAX);
            let sum = held.entry(shard_of(log)).or_insert(0_u32);
            *sum = sum.saturating_add(count);
        };
        for (log, count) in self.deliveries.counted_of() {
            add(log, count);
        }
        for waiting in self.waiting.iter().filter(|it| it.is_counted) {
            add(waiting.log, waiting.messages.leases().len());
        }
        for (_, unacked, _) in self.transaction.iter().flat_map(|it| &it.settlements) {
            add(unacked.log, usize::from(unacked.is_counted));
        }
        held
    }
}
