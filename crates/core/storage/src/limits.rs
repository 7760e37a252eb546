//! Limits on what storage writes and holds, each with its reason.

use crate::block::TARGET_SIZE_BYTES;

/// The largest content of a block: an AMQP message of 512 MiB, the most that clients may be
/// allowed, with its headers, also when it is moved. Positions in a block are 32 bits wide, and
/// recovery holds one block in memory; a group commit is far smaller.
pub const BLOCK_CONTENT_SIZE_BYTES_MAX: usize = 544 << 20;

/// Blocks start at multiples of this, which limits the positions to search for the next block after
/// damage.
pub(crate) const BLOCK_ALIGNMENT_BYTES: usize = 8;

/// Distance between two entries of an index: to find one batch, a reader skips at most this many
/// bytes of others.
pub(crate) const INDEX_INTERVAL_BYTES: u32 = 4096;

/// From this number of targets on, readers of an append skip its list of targets: it is then as
/// large as the distance between two entries of an index.
pub(crate) const TARGETS_SKIPPED_MIN: usize = INDEX_INTERVAL_BYTES as usize / TARGET_SIZE_BYTES;

/// How much of a journal file is allocated ahead of the data. Large enough that growing the file,
/// which costs a file system transaction, is rare; small enough that an idle shard uses little
/// disk.
pub(crate) const PREALLOCATION_STEP_BYTES: u64 = 8 << 20;

/// Lower bound of the bytes promised between two measurements of free space, however little is
/// left.
pub(crate) const MEASURED_EVERY_BYTES_MIN: u64 = 1 << 20;

/// Upper bound of the same, however much is left: about one measurement per journal file of the
/// usual size.
pub(crate) const MEASURED_EVERY_BYTES_MAX: u64 = 64 << 20;

/// A checkpoint is due once segments below the floors take this much, even if nothing else is due,
/// so that deletions free space soon.
pub(crate) const DEAD_SEGMENTS_BYTES_MAX: u64 = 16 << 20;

/// While space is low, a journal file of this size is closed, so that the part that isn't needed
/// can be freed. Usually more than a second of acknowledgements.
pub(crate) const CLOSED_SIZE_BYTES_MIN: u64 = 1 << 20;

/// How much of a new journal file is filled with zeroes ahead of small blocks. To sync a range that
/// was never written, a file system also has to write its own tables: a second disk access for each
/// commit, instead of one for each of these fills.
pub(crate) const ZEROED_AHEAD_BYTES: u64 = 1 << 20;

/// Blocks from this size on are written without zeroes ahead of them: writing their own bytes takes
/// longer than writing the tables, and zeroes would double it.
pub(crate) const ZEROED_FOR_SIZE_BYTES_MAX: u64 = 64 << 10;

/// The smallest read of a segment: finding a batch takes an interval of the index anyway.
pub(crate) const SEGMENT_READ_SIZE_BYTES_MIN: usize = 8 << 10;

/// The largest single read of a segment, however much the caller requests.
pub(crate) const SEGMENT_READ_SIZE_BYTES_MAX: usize = 4 << 20;

/// Ranges of a journal file that are this close to each other are read with one call.
pub(crate) const READ_GAP_BYTES_MAX: u64 = 16 << 10;

/// How many segment files and indexes stay open between reads.
pub(crate) const OPEN_FILES_MAX: usize = 256;

/// From this number of files or directories on, the whole file system is synced instead of each of
/// them.
pub(crate) const GROUP_SYNC_MIN: usize = 4;

/// How much of a journal recovery replays between two progress messages: some seconds on a slow
/// disk.
pub(crate) const PROGRESS_STEP_SIZE_BYTES: u64 = 256 << 20;

/// Partly read batches of at least this size are kept in memory: smaller ones are read again just
/// as fast.
pub(crate) const BEGUN_SIZE_BYTES_MIN: usize = 16 << 10;

/// Larger ones aren't kept: the kept batches must stay small compared with the block cache.
pub(crate) const BEGUN_SIZE_BYTES_MAX: usize = 2 << 20;

/// How many of them a shard keeps.
pub(crate) const BEGUN_BATCHES_MAX: usize = 8;

/// How much of a journal file recovery and checkpoints read at once.
pub(crate) const SCAN_WINDOW_SIZE_BYTES: usize = 1 << 20;

/// How much of segments and snapshots is written before it is synced. The journal's syncs wait for
/// everything given to the disk before: writing a whole segment at once would delay every commit.
pub(crate) const UNSYNCED_SIZE_BYTES_MAX: usize = 1 << 20;

/// How many small files are written before they are synced: each costs the file system more than
/// its bytes do.
pub(crate) const UNSYNCED_FILES_MAX: usize = 256;

/// A part file of a snapshot that reaches this size is closed. This limits how much is rewritten at
/// once when little of a file is live.
pub(crate) const PART_FILE_SIZE_BYTES_MAX: u64 = 4 << 20;

/// Part files together take at most twice their live data, plus this.
pub(crate) const PART_FILES_SLACK_BYTES: u64 = 1 << 20;

/// Part files smaller than this are merged when there are many.
pub(crate) const SMALL_PART_FILE_SIZE_BYTES: u64 = 256 << 10;

/// How many small part files there may be. Recovery has to open each.
pub(crate) const SMALL_PART_FILES_MAX: usize = 16;

/// How much of a removed journal file is freed at once. A file system that passes this on to the
/// disk (`discard`) makes the journal's next sync wait for it.
pub(crate) const RELEASE_STEP_BYTES: u64 = 4 << 20;

/// The journal may grow to this many times the size at which a checkpoint is due. Beyond that the
/// checkpointer is slower than the incoming data, and a restart has to read all of it.
pub(crate) const JOURNAL_SIZES_MAX: u64 = 4;

/// How many checkpointed journal files a shard keeps for reuse: what a burst writes before the next
/// checkpoint. With two, every other file of a burst was a new one.
pub(crate) const SPARE_FILES_MAX: usize = 4;

/// How far a record's timestamp may be ahead of the broker's clock to be trusted, in milliseconds.
/// A timestamp further ahead is in another unit, or of a wrong clock.
pub(crate) const AHEAD_MS_MAX: u64 = 60 * 60_000;
