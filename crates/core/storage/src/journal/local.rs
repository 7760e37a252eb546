//! A journal in files of a [`stele_base_env::Disk`]: replays what an earlier process left, then
//! continues the last file.

use std::{
    collections::VecDeque,
    sync::{Arc, atomic::AtomicU64},
};

use stele_base_env::{OpenMode, Rng};

use super::{
    BlockSink, Ending, FILE_HEADER_SIZE_BYTES_MAX, FileHeader, Journal, JournalFile, JournalWriter,
    NewFile, ReplayedJournal, ScannedBlock, Scanner, Spares, Written, progress::Progress,
};
use crate::{
    Block, BlockBuilder, BlockSequence, Error, Options, ShardDirectory,
    block::Salt,
    directory::{StopMark, numbered_files, remove_file_if_any, sync_dir},
    error::AtPath,
    snapshot,
};

/// The journal of a shard's directory.
#[derive(Debug)]
pub(crate) struct LocalJournal {
    directory: ShardDirectory,
    options: Options,
    stage: Stage,
}

/// The stage that the journal has reached.
#[derive(Debug)]
enum Stage {
    New,
    Replayed(Tail),
    Begun(JournalWriter),
}

/// The end of the journal.
#[derive(Debug)]
struct Tail {
    /// The first block to replay.
    from: BlockSequence,
    /// The last file with a complete header, with the scanner at its end. `None` if there is none.
    last: Option<(Arc<JournalFile>, Scanner)>,
    /// The blocks of that file that nothing proves to be on disk.
    unproven: Unproven,
    /// A file after that one, created just before a crash and still empty.
    unborn: Option<BlockSequence>,
    next: BlockSequence,
}

/// Blocks whose sync may have failed: the kernel then treats them as clean, and returns them to
/// readers though they aren't on the disk.
///
/// All blocks of a file that another file follows are on disk, since the other is created only
/// after that. A block also states which blocks before it were on disk.
#[derive(Debug, Default)]
struct Unproven(VecDeque<ScannedBlock>);

impl Unproven {
    fn note(&mut self, block: ScannedBlock) {
        let synced = block.header.synced;
        while self.0.front().is_some_and(|it| it.header.sequence < synced) {
            self.0.pop_front();
        }
        self.0.push_back(block);
    }

    fn size_bytes(&self) -> u64 {
        self.0.iter().map(|block| block.bytes.len() as u64).sum()
    }

    /// Writes them again in place, from memory, with the file's header, which may have been lost
    /// likewise, so that the next sync can be trusted.
    fn write_again(&self, file: &JournalFile, header: &FileHeader) -> Result<(), Error> {
        let write = |position, bytes: &[u8]| {
            let written = file.file.write_at(position, bytes);
            written.at("write", &file.path)
        };
        write(0, &header.encode())?;
        let mut blocks = self.0.iter();
        blocks.try_for_each(|block| write(block.position, &block.bytes))
    }
}

impl LocalJournal {
    pub(crate) fn new(directory: &ShardDirectory, options: &Options) -> Self {
        Self {
            directory: directory.clone(),
            options: *options,
            stage: Stage::New,
        }
    }

    fn writer(&mut self) -> &mut JournalWriter {
        match &mut self.stage {
            Stage::Begun(writer) => writer,
            _ => panic!("a journal is appended to once it has begun"),
        }
    }

    /// The files that hold blocks from `from` on.
    fn names_from(&self, from: Option<BlockSequence>) -> Result<Vec<u64>, Error> {
        let directory = &self.directory;
        let mut names = numbered_files(&*directory.disk, &directory.journal(), "journal")?;
        names.retain(|first| from.is_none_or(|from| *first >= from.0));
        Ok(names)
    }

    /// The error for a journal that begins with `there`, or is empty, instead of beginning with
    /// `from`.
    fn missing_file(&self, from: BlockSequence, there: Option<u64>) -> Error {
        let directory = &self.directory;
        if let Some(there) = there {
            let path = directory.journal_file(BlockSequence(there));
            let what =
                format!("the journal begins here, though block {from} is the next to replay");
            return Error::damaged(&path, 0, what);
        }
        // Only a snapshot proves that there was a journal.
        let store = &*directory.store;
        let snapshots = match snapshot::names(store) {
            Ok(names) => names.into_iter(),
            Err(error) => return error,
        };
        let mut ends = snapshots.filter(|((next, _), _)| *next == from);
        let path = ends.next_back().map(|(_, name)| store.locate(&name));
        let what = format!("no journal file is there, though block {from} is the next to replay");
        Error::damaged(&path.unwrap_or(directory.journal()), 0, what)
    }

    fn replay_files(
        &self,
        names: &[u64],
        sink: &mut dyn BlockSink,
        tail: &mut Tail,
        replayed: &mut ReplayedJournal,
    ) -> Result<(), Error> {
        let directory = &self.directory;
        let mut progress = Progress::begin(directory.shard, names.len());
        for (at, first) in names.iter().map(|first| BlockSequence(*first)).enumerate() {
            if let Some((file, scanner)) = &mut tail.last {
                check_whole(file, scanner, first)?;
            } else if first != tail.from {
                return Err(self.missing_file(tail.from, Some(first.0)));
            }
            let file = open_file(directory, first)?;
            let Some(mut scanner) = Scanner::open(&file, directory.shard)? else {
                let is_last = at + 1 == names.len();
                if !is_last || file.size_bytes()? > FILE_HEADER_SIZE_BYTES_MAX as u64 {
                    return Err(Error::damaged(&file.path, 0, "not a journal file's header"));
                }
                tail.unborn = Some(first);
                return Ok(());
            };
            sink.file(&file);
            tail.unproven = Unproven::default();
            while let Some(block) = scanner.next_block()? {
                sink.block(&file, &block)?;
                tail.unproven.note(block);
            }
            tail.next = scanner.next_sequence();
            replayed.size_bytes += scanner.position();
            progress.replayed(at + 1, replayed.size_bytes);
            tail.last = Some((file, scanner));
        }
        Ok(())
    }
}

impl Journal for LocalJournal {
    fn replay(
        &mut self,
        from: Option<BlockSequence>,
        sink: &mut dyn BlockSink,
    ) -> Result<ReplayedJournal, Error> {
        let first = from.unwrap_or_default();
        let mut tail = Tail {
            from: first,
            last: None,
            unproven: Unproven::default(),
            unborn: None,
            next: first,
        };
        let names = self.names_from(from)?;
        if names.is_empty() && from.is_some() {
            return Err(self.missing_file(first, None));
        }
        let mut replayed = ReplayedJournal::default();
        self.replay_files(&names, sink, &mut tail, &mut replayed)?;
        if let Some((file, scanner)) = &mut tail.last {
            replayed.torn_size_bytes = check_tail(file, scanner)?;
        }
        let end = tail.last.as_ref();
        let end = end.map(|(file, scanner)| (&*file.path, scanner.position()));
        StopMark::check(&self.directory, tail.next, end)?;
        replayed.next = tail.next;
        replayed.unproven_size_bytes = tail.unproven.size_bytes();
        self.stage = Stage::Replayed(tail);
        Ok(replayed)
    }

    fn begin(&mut self, rng: &mut dyn Rng) -> Result<BlockBuilder, Error> {
        let Stage::Replayed(tail) = std::mem::replace(&mut self.stage, Stage::New) else {
            panic!("a journal begins once, after it was replayed");
        };
        let (from, next) = (tail.from, tail.next);
        let end = make_writable(&self.directory, tail, rng)?;
        remove_before(&self.directory, from)?;
        Spares::recover(&self.directory, &self.options)?;
        let End {
            salt,
            file,
            position,
        } = end;
        let writer =
            JournalWriter::resume(&self.directory, &self.options, salt, file, position, next);
        self.stage = Stage::Begun(writer);
        Ok(BlockBuilder::new(next, salt))
    }

    fn append(&mut self, block: &Block) -> Result<Written, Error> {
        self.writer().write(block)
    }

    fn sync(&mut self) -> Result<BlockSequence, Error> {
        self.writer().sync()
    }

    fn seal(&mut self) -> Result<(), Error> {
        self.writer().rotate()
    }

    fn mark_end(&mut self) -> Result<(), Error> {
        let next = self.sync()?;
        StopMark::leave(&self.directory, next)
    }

    fn synced_watch(&mut self) -> Arc<AtomicU64> {
        self.writer().synced_watch()
    }
}

/// Checks that a file followed by another one reaches up to it.
fn check_whole(
    file: &JournalFile,
    scanner: &mut Scanner,
    following: BlockSequence,
) -> Result<(), Error> {
    if scanner.next_sequence() == following {
        return Ok(());
    }
    let what = format!(
        "block {} is missing or incomplete, though a file from block {following} on follows",
        scanner.next_sequence()
    );
    Err(Error::damaged(&file.path, scanner.position(), what))
}

/// How many bytes to cut off the last file.
fn check_tail(file: &JournalFile, scanner: &mut Scanner) -> Result<u64, Error> {
    match scanner.ending()? {
        Ending::Clean => Ok(0),
        Ending::Torn { size_bytes } => Ok(size_bytes),
        Ending::Damaged { what } => Err(Error::damaged(&file.path, scanner.position(), what)),
    }
}

/// Where the journal continues.
struct End {
    salt: Salt,
    file: Arc<JournalFile>,
    position: u64,
}

/// Cuts off what follows the last block, and makes sure that everything that was read is on disk: a
/// killed process may have left blocks written but never synced, and a process whose sync failed
/// may have left blocks that another sync alone wouldn't write.
fn make_writable(directory: &ShardDirectory, tail: Tail, rng: &mut dyn Rng) -> Result<End, Error> {
    let disk = &directory.disk;
    if let Some(first) = tail.unborn {
        let path = directory.journal_file(first);
        disk.remove_file(&path).at("remove", &path)?;
    }
    // A killed process may have created or removed a file without syncing the directory. The file
    // must neither vanish with the data written to it from now on, nor reappear.
    sync_dir(&**disk, &directory.journal())?;
    if let Some((file, scanner)) = tail.last {
        let position = scanner.position();
        file.file.truncate(position).at("cut", &file.path)?;
        tail.unproven.write_again(&file, scanner.header())?;
        file.file.sync_data().at("sync", &file.path)?;
        let salt = scanner.header().salt;
        if scanner.header().is_salted() {
            return Ok(End {
                salt,
                file,
                position,
            });
        }
        // New blocks have salt, so they can't follow in a file without it. If that file holds no
        // block yet, the new file gets the same name, so the old one is removed first.
        if file.first == tail.next {
            disk.remove_file(&file.path).at("remove", &file.path)?;
        }
    }
    let salt = Salt::random(rng);
    let made = NewFile::start(directory, tail.next, salt)?;
    Ok(End {
        salt,
        file: made.file,
        position: made.position,
    })
}

/// Removes the journal files that the snapshot covers. [`crate::Retired`] handles those that are
/// checkpointed later.
fn remove_before(directory: &ShardDirectory, start: BlockSequence) -> Result<(), Error> {
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
