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
use stele_base_types::Timestamp;

use self::progress::Progress;
use crate::{
    BlockBuilder, BlockSequence, Error, JournalFile, JournalWriter, Options, ReadIndex, Replay,
    Settler, ShardDirectory,
    block::Salt,
    directory::numbered_files,
    error::AtPath,
    journal::{Ending, FILE_HEADER_SIZE_BYTES_MAX, NewFile, Scanner, Spares},
    replay_files::replay_file,
    snapshot::{Newest, Snapshot},
    superfluous,
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
    let newest = Newest::find(directory)?;
    let snapshot = &newest.snapshot;
    load_state(directory, snapshot, replay)?;

    let names = numbered_files(&*directory.disk, &directory.journal(), "journal")?;
    let covered = names.partition_point(|first| *first < snapshot.next.0);
    let mut index = index_of(directory, options, snapshot);
    let replayed = replay_journal(
        directory,
        &names[covered..],
        &newest,
        &mut index,
        replay,
        now,
    )?;

    let tail = make_writable(directory, replayed, rng)?;
    index.start_at(tail.next);
    superfluous::remove_after_snapshot(directory, snapshot, snapshot.next)?;
    Spares::recover(directory, options)?;

    let Tail {
        salt,
        file,
        position,
        next,
        ..
    } = tail;
    let writer = JournalWriter::resume(directory, options, salt, file, position, next);
    Ok(Recovered {
        builder: BlockBuilder::new(next, salt),
        index,
        settler: Settler::new(directory, options, writer.synced_watch()),
        writer,
        report: RecoveryReport {
            snapshot: snapshot.state.is_some().then_some(snapshot.next),
            block_count: next.0 - snapshot.next.0,
            ..tail.report
        },
    })
}

/// An index of the segments that `snapshot` lists.
pub(crate) fn index_of(
    directory: &ShardDirectory,
    options: &Options,
    snapshot: &Snapshot,
) -> ReadIndex {
    let mut index = ReadIndex::new(directory, options, snapshot.next);
    let segments = &snapshot.manifest.segments;
    for of_partition in segments.chunk_by(|left, right| left.partition == right.partition) {
        index.add_segments(of_partition[0].partition, of_partition.to_vec());
    }
    index
}

/// Gives the state of `snapshot`, if it has one, to `replay`.
pub(crate) fn load_state(
    directory: &ShardDirectory,
    snapshot: &Snapshot,
    replay: &mut dyn Replay,
) -> Result<(), Error> {
    let Some(state) = &snapshot.state else {
        return Ok(());
    };
    replay.load(state).map_err(|source| Error::Replay {
        path: directory.snapshot(snapshot.next),
        position: 0,
        source,
    })
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
    directory: &ShardDirectory,
    names: &[u64],
    newest: &Newest,
    index: &mut ReadIndex,
    replay: &mut dyn Replay,
    now: Timestamp,
) -> Result<Replayed, Error> {
    let mut replayed = Replayed {
        last: None,
        unborn: None,
        next: newest.snapshot.next,
        report: RecoveryReport::default(),
    };
    if names.is_empty() && newest.snapshot.state.is_some() {
        return Err(missing_file(directory, newest));
    }
    let mut progress = Progress::begin(directory.shard, names.len());
    for (at, first) in names.iter().map(|first| BlockSequence(*first)).enumerate() {
        let is_last = at + 1 == names.len();
        if let Some((file, scanner)) = &mut replayed.last {
            check_whole(file, scanner, first)?;
        } else if first != replayed.next {
            return Err(missing_file(directory, newest));
        }
        let file = open_file(directory, first)?;
        let Some(mut scanner) = Scanner::open(&file, directory.shard)? else {
            if !is_last || file.size_bytes()? > FILE_HEADER_SIZE_BYTES_MAX as u64 {
                return Err(Error::damaged(&file.path, 0, "not a journal file's header"));
            }
            replayed.unborn = Some(first);
            break;
        };
        index.add_journal_file(&file, now);
        replay_file(&file.path, &mut scanner, index, replay)?;
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
fn missing_file(directory: &ShardDirectory, newest: &Newest) -> Error {
    if let Some(Error::Damaged {
        path,
        position,
        what,
        ..
    }) = &newest.damage
    {
        return Error::damaged(path, *position, what.clone());
    }
    let next = newest.snapshot.next;
    let what = format!("the file isn't there, though block {next} is the next to replay");
    Error::damaged(&directory.journal_file(next), 0, what)
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
    if let Some(first) = replayed.unborn {
        let path = directory.journal_file(first);
        directory.disk.remove_file(&path).at("remove", &path)?;
    }
    // A process that was killed may have made or removed a file and not got to syncing that: the
    // file must neither vanish with what is written to it from now on, nor come back.
    crate::directory::sync_dir(&*directory.disk, &directory.journal())?;
    let (salt, file, position) = match replayed.last {
        Some((file, scanner)) => {
            let position = scanner.position();
            file.file.truncate(position).at("cut", &file.path)?;
            file.file.sync_data().at("sync", &file.path)?;
            (scanner.header().salt, file, position)
        }
        None => {
            let salt = if directory.format.is_salted() {
                Salt::random(rng)
            } else {
                Salt::NONE
            };
            let made = NewFile::start(directory, replayed.next, salt)?;
            (salt, made.file, made.position)
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

fn open_file(directory: &ShardDirectory, first: BlockSequence) -> Result<Arc<JournalFile>, Error> {
    let path = directory.journal_file(first);
    let file = directory.disk.open(&path, OpenMode::Write);
    let file = file.at("open", &path)?;
    Ok(Arc::new(JournalFile { path, first, file }))
}
