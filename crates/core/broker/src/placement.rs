//! Which shard holds what. Stable across restarts: data doesn't move.

use stele_base_types::ShardId;
pub(crate) use stele_base_types::murmur2;

/// The shard of a consumer group.
pub(crate) fn group(name: &str, shards: usize) -> ShardId {
    ShardId((u64::from(murmur2(name.as_bytes())) % shards.max(1) as u64) as u16)
}
