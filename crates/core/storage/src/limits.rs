//! The bounds of what storage writes and holds, each with its reason.

use crate::block::TARGET_SIZE_BYTES;

/// The largest content of a block. Positions in a block are 32 bits wide, and recovery holds one
/// block in memory; a group commit is far smaller.
pub const BLOCK_CONTENT_SIZE_BYTES_MAX: usize = 256 << 20;

/// Blocks start at multiples of this, so that looking for the next one after damage has few places
/// to look at.
pub(crate) const BLOCK_ALIGNMENT_BYTES: usize = 8;

/// Distance between two entries of an index: reading one batch walks at most this much of others.
pub(crate) const INDEX_INTERVAL_BYTES: u32 = 4096;

/// From so many targets on, the readers of an append leave its targets out: together they are as
/// much as lies between two entries of an index.
pub(crate) const TARGETS_SKIPPED_MIN: usize = INDEX_INTERVAL_BYTES as usize / TARGET_SIZE_BYTES;

/// How much of a journal file is allocated ahead of what is written. Large enough that growing,
/// which costs the file system a transaction, is rare; small enough that an idle shard takes
/// little disk.
pub(crate) const PREALLOCATION_STEP_BYTES: u64 = 8 << 20;

/// Free space is measured again when so much was promised since, however little is left of it.
pub(crate) const MEASURED_EVERY_BYTES_MIN: u64 = 1 << 20;

/// And however much: as often as a journal file of the usual size is begun.
pub(crate) const MEASURED_EVERY_BYTES_MAX: u64 = 64 << 20;

/// How much of segments may lie below the floors before a checkpoint removes them, though nothing
/// else is due: what a deletion frees is free at once.
pub(crate) const DEAD_SEGMENTS_BYTES_MAX: u64 = 16 << 20;

/// While space is low, a journal file of this size is closed, so that what isn't needed of it is
/// given back: more than a second of acknowledging writes, as a rule.
pub(crate) const CLOSED_SIZE_BYTES_MIN: u64 = 1 << 20;

/// How much of a journal file is filled with zeroes ahead of small blocks, where it wasn't used
/// before. To sync what lies where nothing was ever written, a file system has to write its own
/// tables too: a second trip to the disk for each commit, against one for each of these.
pub(crate) const ZEROED_AHEAD_BYTES: u64 = 1 << 20;

/// Blocks from this size on are written where nothing was: their own bytes take longer than the
/// tables, and zeroes would double them.
pub(crate) const ZEROED_FOR_SIZE_BYTES_MAX: u64 = 64 << 10;

/// The smallest read of a segment: finding a batch costs an interval of the index anyway.
pub(crate) const SEGMENT_READ_SIZE_BYTES_MIN: usize = 8 << 10;

/// The largest single read of a segment, whatever the caller asks for at once.
pub(crate) const SEGMENT_READ_SIZE_BYTES_MAX: usize = 4 << 20;

/// Parts of a journal file this close to each other are read with one call.
pub(crate) const READ_GAP_BYTES_MAX: u64 = 16 << 10;

/// Segment files and indexes that stay open between reads.
pub(crate) const OPEN_FILES_MAX: usize = 256;

/// From this many files or directories on, the file system is synced as a whole rather than each of
/// them.
pub(crate) const GROUP_SYNC_MIN: usize = 4;

/// How much of a journal recovery replays between two lines in the log: some seconds' worth on a
/// slow disk.
pub(crate) const PROGRESS_STEP_SIZE_BYTES: u64 = 256 << 20;

/// Batches of this size on are kept while readers are in the middle of them: smaller ones are read
/// again as fast.
pub(crate) const BEGUN_SIZE_BYTES_MIN: usize = 16 << 10;

/// Larger ones aren't kept: what is must stay small beside the cache of blocks.
pub(crate) const BEGUN_SIZE_BYTES_MAX: usize = 2 << 20;

/// How many of them a shard keeps.
pub(crate) const BEGUN_BATCHES_MAX: usize = 8;

/// What recovery and a checkpoint read of a journal file at once.
pub(crate) const SCAN_WINDOW_SIZE_BYTES: usize = 1 << 20;

/// How much of segments and snapshots is written before it is synced. The journal's syncs wait for
/// what the disk was given before: a whole segment at once holds up every commit meanwhile.
pub(crate) const UNSYNCED_SIZE_BYTES_MAX: usize = 1 << 20;

/// How many of their files are, while they are small: each is more work for the file system than
/// its bytes are.
pub(crate) const UNSYNCED_FILES_MAX: usize = 256;

/// The size at which a part file of a snapshot ends, and the next one begins: what is rewritten at
/// once where little in it is alive.
pub(crate) const PART_FILE_SIZE_BYTES_MAX: u64 = 4 << 20;

/// Part files together take at most twice what is alive in them, and so much more.
pub(crate) const PART_FILES_SLACK_BYTES: u64 = 1 << 20;

/// Part files that are smaller than this are merged when there are many.
pub(crate) const SMALL_PART_FILE_SIZE_BYTES: u64 = 256 << 10;

/// How many small ones there may be. Each costs a recovery an open.
pub(crate) const SMALL_PART_FILES_MAX: usize = 16;

/// How much of a removed journal file's space is given back at once. A file system that tells the
/// disk of it (`discard`) has the journal's next sync wait for that too.
pub(crate) const RELEASE_STEP_BYTES: u64 = 4 << 20;

/// The journal may become so many times as large as it is when a checkpoint is due. A checkpointer
/// that doesn't get that done is slower than what comes in; and a start has to read all of it.
pub(crate) const JOURNAL_SIZES_MAX: u64 = 4;

/// How many checkpointed journal files a shard keeps to write over: what a burst writes before the
/// next checkpoint. With two, every other file of a burst was a fresh one.
pub(crate) const SPARE_FILES_MAX: usize = 4;

/// How far ahead of the broker's time a record's may be to be believed, in milliseconds. What is
/// further ahead was given in another unit, or by a clock that is wrong.
pub(crate) const AHEAD_MS_MAX: u64 = 60 * 60_000;
