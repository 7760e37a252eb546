//! The contract of a [`Journal`], for each implementation: files on a real disk, files on a disk in
//! memory, blocks in memory.

use std::{
    path::Path,
    sync::{Arc, atomic::Ordering},
};

use stele_base_env::{Disk, LocalDisk};
use stele_base_types::ShardId;
use stele_test_disk::{Loss, MemoryDisk, Random};

use super::harness::SMALL;
use crate::{
    BlockBuilder, BlockSequence, BlockSink, DataDirectory, Error, Journal, JournalFile,
    ReplayedJournal, ScannedBlock, Written,
    block::{Entries, Entry},
    journal::{LocalJournal, MemoryJournal},
};

/// Opens the same journal for each process; there is one process at a time.
type Open<'a> = dyn Fn() -> Box<dyn Journal> + 'a;

fn on_every_journal(test: fn(&Open<'_>)) {
    let directory = tempfile::tempdir().unwrap();
    let disk: Arc<dyn Disk> = Arc::new(LocalDisk);
    test(&|| local(&disk, directory.path()));
    let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::default());
    test(&|| local(&disk, Path::new("/data")));
    let journal = MemoryJournal::default();
    test(&|| Box::new(journal.clone()));
}

fn local(disk: &Arc<dyn Disk>, path: &Path) -> Box<dyn Journal> {
    let data = DataDirectory::open(disk.clone(), path, 1).unwrap();
    let directory = data.shard(ShardId(0));
    directory.make().unwrap();
    Box::new(LocalJournal::new(&directory, &SMALL))
}

/// The result of a replay: the control records of each block, by file.
#[derive(Debug, Default, PartialEq, Eq)]
struct Replay {
    files: Vec<BlockSequence>,
    records: Vec<(BlockSequence, Vec<u8>)>,
}

impl BlockSink for Replay {
    fn file(&mut self, file: &Arc<JournalFile>) {
        self.files.push(file.first);
    }

    fn block(&mut self, file: &JournalFile, block: &ScannedBlock) -> Result<(), Error> {
        assert_eq!(self.files.last(), Some(&file.first));
        for entry in Entries::new(block.entries()) {
            let Ok(Entry::Control(record)) = entry else {
                panic!("something else was pushed: {entry:?}");
            };
            self.records
                .push((block.header.sequence, record.to_owned()));
        }
        Ok(())
    }
}

/// A journal that has begun, with its replayed contents.
struct Begun {
    journal: Box<dyn Journal>,
    builder: BlockBuilder,
    replay: Replay,
    replayed: ReplayedJournal,
}

fn begin(open: &Open<'_>, from: Option<BlockSequence>) -> Result<Begun, Error> {
    let mut journal = open();
    let mut replay = Replay::default();
    let replayed = journal.replay(from, &mut replay)?;
    let builder = journal.begin(&mut Random::new(7))?;
    assert_eq!(builder.sequence(), replayed.next);
    Ok(Begun {
        journal,
        builder,
        replay,
        replayed,
    })
}

impl Begun {
    fn append(&mut self, record: &[u8]) -> Result<Written, Error> {
        self.builder.push_control(record).unwrap();
        let block = self.builder.finish(BlockSequence(0));
        self.journal.append(&block)
    }
}

/// The records of blocks from `first` on, as [`Begun::append`] makes them.
fn records(first: u64, records: &[&[u8]]) -> Vec<(BlockSequence, Vec<u8>)> {
    let sequences = (first..).map(BlockSequence);
    sequences
        .zip(records.iter().map(|record| record.to_vec()))
        .collect()
}

#[test]
fn what_is_appended_is_replayed_in_order() {
    on_every_journal(|open| {
        let mut begun = begin(open, None).unwrap();
        assert_eq!(
            (begun.replayed.next, begun.replay.records.len()),
            (BlockSequence(0), 0)
        );
        begun.append(b"a").unwrap();
        begun.append(b"b").unwrap();
        begun.journal.sync().unwrap();
        drop(begun);
        let mut begun = begin(open, None).unwrap();
        assert_eq!(begun.replay.records, records(0, &[b"a", b"b"]));
        assert_eq!(
            (begun.replayed.next, begun.replayed.torn_size_bytes),
            (BlockSequence(2), 0)
        );
        begun.append(b"c").unwrap();
        begun.journal.sync().unwrap();
        drop(begun);
        let begun = begin(open, None).unwrap();
        assert_eq!(begun.replay.records, records(0, &[b"a", b"b", b"c"]));
    });
}

#[test]
fn a_block_is_read_where_the_journal_says_that_it_was_written() {
    on_every_journal(|open| {
        let mut begun = begin(open, None).unwrap();
        for at in 0..40u8 {
            begun.builder.push_control(&[at; 300]).unwrap();
            let block = begun.builder.finish(BlockSequence(0));
            let written = begun.journal.append(&block).unwrap();
            let read = written
                .file
                .file
                .read_at(written.position, block.size_bytes());
            assert_eq!(written.sequence(), block.sequence());
            assert_eq!(read.unwrap(), block.bytes);
        }
    });
}

#[test]
fn a_sync_says_how_far_it_is_durable() {
    on_every_journal(|open| {
        let mut begun = begin(open, None).unwrap();
        let watch = begun.journal.synced_watch();
        for next in 1..4 {
            begun.append(b"a").unwrap();
            assert_eq!(begun.journal.sync().unwrap(), BlockSequence(next));
            assert_eq!(watch.load(Ordering::Acquire), next);
        }
    });
}

#[test]
fn a_replay_begins_where_a_file_was_sealed_and_what_came_before_goes() {
    on_every_journal(|open| {
        let mut begun = begin(open, None).unwrap();
        begun.append(b"a").unwrap();
        begun.append(b"b").unwrap();
        begun.journal.seal().unwrap();
        begun.journal.seal().unwrap();
        begun.append(b"c").unwrap();
        begun.journal.sync().unwrap();
        drop(begun);
        let from = Some(BlockSequence(2));
        let begun = begin(open, from).unwrap();
        assert_eq!(begun.replay.files, [BlockSequence(2)]);
        assert_eq!(begun.replay.records, records(2, &[b"c"]));
        drop(begun);
        let begun = begin(open, from).unwrap();
        assert_eq!(begun.replay.records, records(2, &[b"c"]));
        drop(begun);
        let refused = begin(open, Some(BlockSequence(0)));
        let is_damage = matches!(refused, Err(Error::Damaged { position: 0, .. }));
        assert!(is_damage);
    });
}

#[test]
fn to_mark_the_end_makes_all_durable_and_ends_nothing() {
    on_every_journal(|open| {
        let mut begun = begin(open, None).unwrap();
        let watch = begun.journal.synced_watch();
        begun.append(b"a").unwrap();
        begun.journal.mark_end().unwrap();
        assert_eq!(watch.load(Ordering::Acquire), 1);
        begun.append(b"b").unwrap();
        begun.journal.sync().unwrap();
        drop(begun);
        let mut begun = begin(open, None).unwrap();
        assert_eq!(begun.replay.records, records(0, &[b"a", b"b"]));
        begun.journal.mark_end().unwrap();
        drop(begun);
        let begun = begin(open, None).unwrap();
        assert_eq!(begun.replay.records, records(0, &[b"a", b"b"]));
    });
}

#[test]
fn what_comes_after_a_seal_may_be_nothing() {
    on_every_journal(|open| {
        let mut begun = begin(open, None).unwrap();
        begun.append(b"a").unwrap();
        begun.journal.seal().unwrap();
        begun.journal.sync().unwrap();
        drop(begun);
        let mut begun = begin(open, Some(BlockSequence(1))).unwrap();
        assert_eq!(
            (begun.replayed.next, begun.replay.records.len()),
            (BlockSequence(1), 0)
        );
        begun.append(b"b").unwrap();
        begun.journal.sync().unwrap();
        drop(begun);
        let begun = begin(open, Some(BlockSequence(1))).unwrap();
        assert_eq!(begun.replay.records, records(1, &[b"b"]));
    });
}

#[test]
fn a_crash_takes_nothing_that_was_synced_and_leaves_no_gap() {
    let all: Vec<Vec<u8>> = (0..30u8).map(|at| vec![at; 200]).collect();
    let live = |disk: &MemoryDisk, synced: &mut usize| -> Result<(), Error> {
        let shared: Arc<dyn Disk> = Arc::new(disk.clone());
        let data = DataDirectory::open(shared.clone(), Path::new("/data"), 1)?;
        let directory = data.shard(ShardId(0));
        directory.make()?;
        let open: &Open<'_> = &|| Box::new(LocalJournal::new(&directory, &SMALL));
        let mut begun = begin(open, None)?;
        for (at, record) in all.iter().enumerate() {
            begun.append(record)?;
            if at % 3 == 2 {
                *synced = begun.journal.sync()?.0 as usize;
            }
            if at % 10 == 9 {
                begun.journal.seal()?;
            }
        }
        Ok(())
    };
    let whole = MemoryDisk::default();
    live(&whole, &mut 0).unwrap();
    for at in 0..whole.operations() {
        let disk = MemoryDisk::default();
        disk.die_after(at);
        let mut synced = 0;
        live(&disk, &mut synced).unwrap_err();
        for loss in [
            Loss::Nothing,
            Loss::Everything,
            Loss::Some(at),
            Loss::Some(!at),
        ] {
            let shared: Arc<dyn Disk> = Arc::new(disk.after(loss));
            let begun = begin(&|| local(&shared, Path::new("/data")), None).unwrap();
            let found: Vec<_> = begun.replay.records.into_iter().map(|(_, it)| it).collect();
            assert!(found.len() >= synced, "{at} {loss:?}");
            assert_eq!(found, all[..found.len()], "{at} {loss:?}");
        }
    }
}
