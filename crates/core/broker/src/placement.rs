//! Which shard holds what. Stable across restarts: data doesn't move.

pub(crate) use stele_base_types::murmur2;
use stele_base_types::{LogId, ShardId};

/// The shard of a log: all of its partitions, so that a ledger's consumers and their credit are
/// held in one place.
pub(crate) fn log(log: LogId, shards: usize) -> ShardId {
    ShardId((log.0 % shards.max(1) as u64) as u16)
}

/// The shard of a consumer group.
pub(crate) fn group(name: &str, shards: usize) -> ShardId {
    ShardId((u64::from(murmur2(name.as_bytes())) % shards.max(1) as u64) as u16)
}
