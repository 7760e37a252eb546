//! Recovery: from what a stopped or crashed process left, the state as of the last whole block.
//!
//! ```text
//!  1  newest intact snapshot        → state, segments
//!  2  journal files from there on   → replayed in order; each whole, the last one maybe torn
//!  3  the torn tail is cut          ─┐
//!  4  what was read is synced        │ only when 1 and 2 found no damage
//!  5  superfluous files are removed  │
//!  6  spares are taken up           ─┘
//! ```
//!
//! A crash during recovery changes nothing of that: it only ever removes what nothing refers to,
//! and bytes that were never acknowledged. Segments aren't read; how far they reach is in the
//! snapshot.

mod progress;

use std::sync::Arc;

use stele_base_env::{OpenMode, Rng};
use stele_base_types::{PartitionId, Timestamp};
use stele_wire_batch::BatchHeader;

use self::progress::Progress;
use crate::{
    BlockBuilder, BlockSequence, Error, JournalFile, JournalWriter, Options, ReadIndex, Replay,
    ReplayError, Settler, ShardDirectory, Target,
    block::Salt,
    directory::{numbered_files, remove_file_if_any, sync_dir},
    error::AtPath,
    journal::{Ending, FILE_HEADER_SIZE_BYTES_MAX, NewFile, Scanner, Spares},
    replay_files::{Sink, replay_file},
    segment::Segment,
    snapshot::{Newest, Snapshot, load_whole},
};

/// The parts of a shard's storage, ready for use.
#[derive(Debug)]
pub struct Recovered {
    /// For the shard.
    pub builder: BlockBuilder,
    /// For the shard. The caller tells it each partition's start
    /// ([`ReadIndex::advance_start`]), which only the replayed state knows.
    pub index: ReadIndex,
    /// For the writer thread.
    pub writer: JournalWriter,
    /// For the settling thread.
    pub settler: Settler,
    /// What was found.
    pub report: RecoveryReport,
}

/// What recovery found, for a line in the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecoveryReport {
    /// The first block that wasn't in the snapshot, where there was one.
    pub snapshot: Option<BlockSequence>,
    /// Blocks replayed from the journal.
    pub block_count: u64,
    /// What was read of the journal.
    pub journal_size_bytes: u64,
    /// Bytes cut off after the last whole block: writes that a crash cut short, and that were
    /// acknowledged to nobody.
    pub torn_size_bytes: u64,
}

/// Recovers a shard: brings `replay`, which is in its initial state, to where it was after the
/// last whole block. Makes what is missing in a new directory, with a secret from `rng`, which is
/// for secrets.
///
/// Fails with [`Error::Damaged`] where a crash doesn't explain what is found, without having
/// changed anything.
pub fn recover(
    directory: &ShardDirectory,
    options: &Options,
    replay: &mut dyn Replay,
    rng: &mut dyn Rng,
    now: Timestamp,
) -> Result<Recovered, Error> {
    let store = &*directory.store;
    let newest = Newest::find(store, directory.shard)?;
    let load = &mut |key, part: &[u8]| replay.load(key, part);
    let mut snapshot = Snapshot::open(store, directory.shard, newest.stored.as_ref(), load)?;
    load_whole(directory, &snapshot, replay)?;

    let names = numbered_files(&*directory.disk, &directory.journal(), "journal")?;
    let covered = names.partition_point(|first| *first < snapshot.next.0);
    let mut index = index_of(directory, options, &snapshot);
    let start = Start {
        directory,
        snapshot: &snapshot,
        damage: newest.damage.as_ref(),
        now,
    };
    let replayed = replay_journal(&start, &names[covered..], &mut index, replay)?;

    let tail = make_writable(directory, replayed, rng)?;
    index.start_at(tail.next);
    snapshot.ensure_durable(store)?;
    snapshot.remove_others(store)?;
    remove_journal_before(directory, snapshot.next)?;
    Spares::recover(directory, options)?;

    let Tail {
        salt,
        file,
        position,
        next,
        ..
    } = tail;
    let report = RecoveryReport {
        snapshot: snapshot.exists.then_some(snapshot.next),
        block_count: next.0 - snapshot.next.0,
        ..tail.report
    };
    let writer = JournalWriter::resume(directory, options, salt, file, position, next);
    Ok(Recovered {
        builder: BlockBuilder::new(next, salt),
        index,
        settler: Settler::new(directory, options, writer.synced_watch(), snapshot),
        writer,
        report,
    })
}

/// An index of the segments that `snapshot` lists.
fn index_of(directory: &ShardDirectory, options: &Options, snapshot: &Snapshot) -> ReadIndex {
    let mut index = ReadIndex::new(directory, options, snapshot.next);
    for (partition, segments) in &snapshot.segments {
        index.add_segments(*partition, segments.clone());
    }
    index
}

/// What the journal's replay starts from.
struct Start<'a> {
    directory: &'a ShardDirectory,
    snapshot: &'a Snapshot,
    /// What is wrong with a newer snapshot.
    damage: Option<&'a Error>,
    now: Timestamp,
}

/// All of the state is there, and so is the index.
struct All<'a>(&'a mut dyn Replay);

impl Sink for All<'_> {
    fn control(&mut self, record: &[u8]) -> Result<(), ReplayError> {
        self.0.control(record)
    }

    fn append(&mut self, targets: &[Target], header: &BatchHeader<'_>) -> Result<(), ReplayError> {
        self.0.append(targets, header)
    }

    fn segments_of(&self, _: PartitionId) -> Option<&Vec<Segment>> {
        None
    }
}

/// What the journal ends with.
struct Replayed {
    /// The last file that has a whole header, with the scanner at its end. `None` where no file
    /// has one.
    last: Option<(Arc<JournalFile>, Scanner)>,
    /// A file after that one, made right before a crash, that holds nothing.
    unborn: Option<BlockSequence>,
    next: BlockSequence,
    report: RecoveryReport,
}

fn replay_journal(
    start: &Start<'_>,
    names: &[u64],
    index: &mut ReadIndex,
    replay: &mut dyn Replay,
) -> Result<Replayed, Error> {
    let directory = start.directory;
    let mut replayed = Replayed {
        last: None,
        unborn: None,
        next: start.snapshot.next,
        report: RecoveryReport::default(),
    };
    if names.is_empty() && start.snapshot.exists {
        return Err(missing_file(start));
    }
    let mut progress = Progress::begin(directory.shard, names.len());
    for (at, first) in names.iter().map(|first| BlockSequence(*first)).enumerate() {
        let is_last = at + 1 == names.len();
        if let Some((file, scanner)) = &mut replayed.last {
            check_whole(file, scanner, first)?;
        } else if first != replayed.next {
            return Err(missing_file(start));
        }
        let file = open_file(directory, first)?;
        let Some(mut scanner) = Scanner::open(&file, directory.shard)? else {
            if !is_last || file.size_bytes()? > FILE_HEADER_SIZE_BYTES_MAX as u64 {
                return Err(Error::damaged(&file.path, 0, "not a journal file's header"));
            }
            replayed.unborn = Some(first);
            break;
        };
        index.add_journal_file(&file, start.now);
        replay_file(&file.path, &mut scanner, index, &mut All(replay))?;
        replayed.next = scanner.next_sequence();
        replayed.report.journal_size_bytes += scanner.position();
        progress.replayed(at + 1, replayed.report.journal_size_bytes);
        replayed.last = Some((file, scanner));
    }
    if let Some((file, scanner)) = &mut replayed.last {
        replayed.report.torn_size_bytes = check_tail(file, scanner)?;
    }
    Ok(replayed)
}

/// A file that another follows must reach up to it.
fn check_whole(
    file: &JournalFile,
    scanner: &mut Scanner,
    following: BlockSequence,
) -> Result<(), Error> {
    if scanner.next_sequence() == following {
        return Ok(());
    }
    let what = format!(
        "block {} isn't there or isn't whole, though a file from block {following} on follows",
        scanner.next_sequence()
    );
    Err(Error::damaged(&file.path, scanner.position(), what))
}

/// How many bytes are to be cut off the last file.
fn check_tail(file: &JournalFile, scanner: &mut Scanner) -> Result<u64, Error> {
    match scanner.ending()? {
        Ending::Clean => Ok(0),
        Ending::Torn { size_bytes } => Ok(size_bytes),
        Ending::Damaged { what } => Err(Error::damaged(&file.path, scanner.position(), what)),
    }
}

/// The journal doesn't go on where the snapshot ends. Where a newer snapshot is damaged, that is
/// the reason, since what it covered was removed.
fn missing_file(start: &Start<'_>) -> Error {
    if let Some(Error::Damaged {
        path,
        position,
        what,
        ..
    }) = start.damage
    {
        return Error::damaged(path, *position, what.clone());
    }
    let next = start.snapshot.next;
    let what = format!("the file isn't there, though block {next} is the next to replay");
    Error::damaged(&start.directory.journal_file(next), 0, what)
}

/// Where the journal is to be continued.
struct Tail {
    salt: Salt,
    file: Arc<JournalFile>,
    position: u64,
    next: BlockSequence,
    report: RecoveryReport,
}

/// Cuts what follows the last block, and makes sure that everything that was read is on disk: a
/// process that was killed may have left written blocks that were never synced.
fn make_writable(
    directory: &ShardDirectory,
    replayed: Replayed,
    rng: &mut dyn Rng,
) -> Result<Tail, Error> {
    directory.format.upgrade(&*directory.disk)?;
    if let Some(first) = replayed.unborn {
        let path = directory.journal_file(first);
        directory.disk.remove_file(&path).at("remove", &path)?;
    }
    // A process that was killed may have made or removed a file and not got to syncing that: the
    // file must neither vanish with what is written to it from now on, nor come back.
    sync_dir(&*directory.disk, &directory.journal())?;
    let mut salt = None;
    let mut last = None;
    if let Some((file, scanner)) = replayed.last {
        let position = scanner.position();
        file.file.truncate(position).at("cut", &file.path)?;
        file.file.sync_data().at("sync", &file.path)?;
        if scanner.header().is_salted() {
            salt = Some(scanner.header().salt);
            last = Some((file, position));
        } else if scanner.next_sequence() == file.first {
            // It holds nothing: the salted one that takes its place has its name.
            directory
                .disk
                .remove_file(&file.path)
                .at("remove", &file.path)?;
        }
    }
    let salt = salt.unwrap_or_else(|| Salt::random(rng));
    let (file, position) = match last {
        Some(last) => last,
        None => {
            let made = NewFile::start(directory, replayed.next, salt)?;
            (made.file, made.position)
        }
    };
    Ok(Tail {
        salt,
        file,
        position,
        next: replayed.next,
        report: replayed.report,
    })
}

/// Removes the journal files that the snapshot covers. What becomes of those that are settled later
/// is for [`crate::Retired`] to say.
fn remove_journal_before(directory: &ShardDirectory, start: BlockSequence) -> Result<(), Error> {
    let disk = &*directory.disk;
    let journal = directory.journal();
    for first in numbered_files(disk, &journal, "journal")? {
        if first < start.0 {
            remove_file_if_any(disk, &directory.journal_file(BlockSequence(first)))?;
        }
    }
    sync_dir(disk, &journal)
}

fn open_file(directory: &ShardDirectory, first: BlockSequence) -> Result<Arc<JournalFile>, Error> {
    let path = directory.journal_file(first);
    let file = directory.disk.open(&path, OpenMode::Write);
    let file = file.at("open", &path)?;
    Ok(Arc::new(JournalFile { path, first, file }))
}
