//! The journal, the segments and the snapshots of a shard, on a [`stele_base_env::Disk`].
//!
//! Everything is synchronous and starts no threads. Who calls what from which thread:
//!
//! ```text
//!  shard    BlockBuilder ─▶ finish ─▶ ReadIndex::install ──▶ read, find_by_time, retention_start
//!                             │            ▲        ▲
//!                           Block       Written   Checkpoint
//!                             ▼            │        │
//!  writer                   Journal::append, sync   │
//!                                                   │
//!  checkpointer  CheckpointPlan ─▶ Checkpointer::checkpoint  (reads closed files, writes segments)
//!  anyone        Slice::resolve, TimeLookup::resolve         (reads files)
//! ```
//!
//! Invariants: data is copied in memory once on its way from the socket to the block, and not at
//! all from the block to the reader. The shard's thread never waits for the disk. Data on disk is
//! only appended to; a file is removed or reused only as a whole, once nothing refers to it and
//! nobody reads it.
//!
//! The format is described in `docs/storage.md`.

mod block;
mod checkpoint;
mod directory;
mod dump;
mod error;
mod journal;
mod limits;
mod options;
mod read_index;
mod recover;
mod replay;
mod replay_files;
mod retention;
mod segment;
mod snapshot;
mod space;
mod store;
mod verify;

pub use block::{Block, BlockBuilder, BlockSequence, Filled, Target};
pub use checkpoint::{Checkpoint, CheckpointPlan, Checkpointer, Floors};
pub use directory::{DataDirectory, ShardDirectory};
pub use dump::{Words, dump};
pub use error::{Error, ReplayError};
pub use journal::{
    BlockSink, Journal, JournalFile, ReplayedJournal, Retired, ScannedBlock, Written,
};
pub use limits::BLOCK_CONTENT_SIZE_BYTES_MAX;
pub use options::Options;
pub use read_index::{
    FoundByTime, PartitionExtent, ReadIndex, ReadPlan, Slice, StoredBatch, TimeLookup, Usage,
};
pub use recover::{Intact, Recovered, RecoveryReport, recover};
pub use replay::{PartKey, Parts, Replay};
pub use retention::{Age, RetentionPolicy};
pub use space::{Purpose, Space, SpaceGuard};
pub use store::{ObjectWriter, SegmentStore};
pub use verify::{Finding, Severity, Verified, verify};

#[cfg(test)]
mod tests;
