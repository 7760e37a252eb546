//! Reuse of checkpointed journal files: which, when, and that their old contents do no harm.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use stele_base_env::{Disk, DiskFile, OpenMode};
use stele_base_types::{Offset, ShardId};
use stele_test_disk::{Loss, MemoryDisk, Random};

use super::harness::{SMALL, Shard, batch, partition};
use crate::{
    BlockSequence, DataDirectory, Options, SpaceGuard, Verified, Words,
    block::{HEADER_SIZE_BYTES, Header, Salt, padded},
    dump,
    limits::SPARE_FILES_MAX,
    verify,
};

const PATH: &str = "/data";

fn open(disk: &MemoryDisk) -> Shard {
    open_with(disk, &SMALL)
}

fn open_with(disk: &MemoryDisk, options: &Options) -> Shard {
    Shard::open_with(&shared(disk), Path::new(PATH), options).unwrap()
}

fn shared(disk: &MemoryDisk) -> Arc<dyn Disk> {
    Arc::new(disk.clone())
}

/// The files of the journal's directory with this extension, in order.
fn files(disk: &MemoryDisk, extension: &str) -> Vec<PathBuf> {
    let files = disk.files().into_iter();
    let found = files.filter(|path| path.extension().is_some_and(|it| it == extension));
    found.collect()
}

/// Writes enough to fill several files.
fn fill(shard: &mut Shard) {
    for _ in 0..40 {
        shard.append(&[partition(1, 0)], &batch(&[&[b'x'; 500]]));
        shard.commit().unwrap();
    }
}

#[test]
fn checkpointed_files_are_kept_and_used_again_in_place_of_new_ones() {
    let disk = MemoryDisk::default();
    let mut shard = open(&disk);
    fill(&mut shard);
    shard.checkpoint().unwrap();
    let spares = files(&disk, "spare");
    assert_eq!(spares.len(), SPARE_FILES_MAX);
    let operations = disk.operations();
    shard.parts.writer.seal().unwrap();
    // Truncate and sync the old one; header, sync, rename and directory of the new one.
    assert_eq!(disk.operations() - operations, 6);
    assert_eq!(disk.files_used_again(), 1);
    assert_eq!(files(&disk, "spare").len(), SPARE_FILES_MAX - 1);
    fill(&mut shard);
    assert_eq!(files(&disk, "spare").len(), 0);
    drop(shard);
    let shard = open(&disk);
    assert_eq!(shard.parts.report.torn_size_bytes, 0);
    assert_eq!(shard.values(partition(1, 0)).len(), 80);
}

#[test]
fn what_a_used_file_has_is_neither_allocated_nor_filled_again() {
    let disk = MemoryDisk::default();
    let options = Options {
        journal_file_size_bytes_max: 32 << 10,
        ..SMALL
    };
    let mut shard = open_with(&disk, &options);
    for _ in 0..70 {
        shard.append(&[partition(1, 0)], &batch(&[&[b'x'; 500]]));
        shard.commit().unwrap();
    }
    shard.checkpoint().unwrap();
    // Before it is overwritten, a crash can't restore its former name.
    assert_eq!(files(&disk.after(Loss::Everything), "spare").len(), 1);
    shard.parts.writer.seal().unwrap();
    assert_eq!(disk.files_used_again(), 1);
    for _ in 0..40 {
        shard.append(&[partition(1, 0)], &batch(&[&[b'y'; 500]]));
        let operations = disk.operations();
        shard.commit().unwrap();
        // A write and a sync.
        assert_eq!(disk.operations() - operations, 2);
    }
}

#[test]
fn a_file_that_is_read_is_not_used_again_and_the_others_space_is_given_back() {
    let disk = MemoryDisk::default();
    let mut shard = open(&disk);
    fill(&mut shard);
    let index = &shard.parts.index;
    let read = index.read(partition(1, 0), Offset(0), Offset(u64::MAX), 1);
    let names = files(&disk, "journal");
    let journal: Vec<Arc<dyn DiskFile>> = names
        .iter()
        .map(|path| disk.open(path, OpenMode::Read).unwrap())
        .collect();
    shard.checkpoint().unwrap();
    let spares = files(&disk, "spare");
    let expected: Vec<_> = names[1..=SPARE_FILES_MAX]
        .iter()
        .map(|path| path.with_extension("spare"))
        .collect();
    assert_eq!(spares, expected);
    let sizes: Vec<_> = journal.iter().map(|it| it.size_bytes().unwrap()).collect();
    let [read_from, rest @ .., written] = &sizes[..] else {
        panic!("{sizes:?}");
    };
    assert!(*read_from > 0 && *written > 0, "{sizes:?}");
    let (kept, released) = rest.split_at(SPARE_FILES_MAX);
    assert!(kept.iter().all(|size| *size > 0), "{sizes:?}");
    assert!(!released.is_empty() && released.iter().all(|size| *size == 0));
    fill(&mut shard);
    assert_eq!(read[0].resolve().unwrap().len(), 1);
}

#[test]
fn small_and_oversize_files_are_not_kept() {
    let disk = MemoryDisk::default();
    let mut shard = open(&disk);
    let size_bytes_max = SMALL.journal_file_size_bytes_max as usize;
    for size_bytes in [100, size_bytes_max, 3 * size_bytes_max] {
        shard.append(&[partition(1, 0)], &batch(&[&vec![b'x'; size_bytes]]));
        shard.commit().unwrap();
        shard.checkpoint_all().unwrap();
        assert!(files(&disk, "spare").is_empty(), "{size_bytes}");
    }
}

#[test]
fn spares_are_taken_up_by_the_next_start_unless_the_size_was_changed() {
    let disk = MemoryDisk::default();
    let mut shard = open(&disk);
    fill(&mut shard);
    shard.checkpoint().unwrap();
    drop(shard);
    let mut shard = open(&disk);
    shard.parts.writer.seal().unwrap();
    assert_eq!(disk.files_used_again(), 1);
    drop(shard);
    assert_eq!(files(&disk, "spare").len(), SPARE_FILES_MAX - 1);
    let larger = Options {
        journal_file_size_bytes_max: 64 << 10,
        ..SMALL
    };
    open_with(&disk, &larger);
    assert!(files(&disk, "spare").is_empty());
}

#[test]
fn spares_are_given_back_while_space_is_low() {
    let disk = MemoryDisk::default();
    let mut shard = open(&disk);
    let mut guard = SpaceGuard::new(&shard.directory, 8 << 10);
    fill(&mut shard);
    shard.checkpoint().unwrap();
    guard.check(0).unwrap();
    assert!(guard.take_spares().is_none());
    disk.limit(Some(disk.used_bytes() + 1000));
    assert!(guard.check(0).unwrap().is_low);
    let before = disk.used_bytes();
    guard.take_spares().unwrap().release().unwrap();
    assert!(files(&disk, "spare").is_empty());
    assert!(before - disk.used_bytes() > 6000);
    assert!(guard.take_spares().is_none());
    // No others are kept either.
    disk.limit(None);
    fill(&mut shard);
    shard.checkpoint().unwrap();
    assert!(files(&disk, "spare").is_empty());
    assert!(!guard.check(0).unwrap().is_low);
    fill(&mut shard);
    shard.checkpoint().unwrap();
    assert_eq!(files(&disk, "spare").len(), SPARE_FILES_MAX);
}

#[test]
fn a_full_disk_takes_what_fits_a_spare() {
    let disk = MemoryDisk::default();
    let mut shard = open(&disk);
    fill(&mut shard);
    shard.checkpoint().unwrap();
    shard.parts.writer.seal().unwrap();
    disk.limit(Some(0));
    for _ in 0..5 {
        shard.append(&[partition(1, 0)], &batch(&[&[b'x'; 500]]));
        shard.commit().unwrap();
    }
    let error = (0..40).find_map(|_| {
        shard.append(&[partition(1, 0)], &batch(&[&[b'x'; 500]]));
        shard.commit().err()
    });
    assert!(error.unwrap().is_for_want());
    let count = open(&disk.after(Loss::Everything)).values(partition(1, 0));
    assert!(count.len() >= 45, "{}", count.len());
}

#[test]
fn a_directory_of_format_1_gets_salt_and_keeps_spares_from_its_next_start_on() {
    let disk = MemoryDisk::default();
    disk.create_dir(Path::new(PATH)).unwrap();
    let format = Path::new(PATH).join("FORMAT");
    let text = include_bytes!("format/v1/FORMAT");
    disk.write_whole(&format, text).unwrap();
    let mut shard = open(&disk);
    fill(&mut shard);
    shard.checkpoint().unwrap();
    assert!(!files(&disk, "spare").is_empty());
    drop(shard);
    assert_eq!(open(&disk).values(partition(1, 0)).len(), 40);
    assert_ne!(disk.read(&format).unwrap(), text[..]);
}

#[test]
fn directories_differ_in_their_salt() {
    let disk = shared(&MemoryDisk::default());
    let header = |path: &str, seed| {
        let data = DataDirectory::open(disk.clone(), Path::new(path), 1).unwrap();
        let directory = data.shard(ShardId(0));
        let mut state = super::harness::State::default();
        let now = super::harness::NOW;
        crate::recover(&directory, &SMALL, &mut state, &mut Random::new(seed), now).unwrap();
        let path = directory.journal_file(BlockSequence(0));
        disk.open(&path, OpenMode::Read).unwrap().read_at(0, 40)
    };
    let (one, other) = (header("/one", 1).unwrap(), header("/other", 2).unwrap());
    assert_eq!(one[..28], other[..28]);
    assert_ne!(one[28..32], other[28..32]);
    assert_ne!(one[32..36], other[32..36]);
}

#[test]
fn spares_are_fine_to_verification_and_can_be_shown() {
    let disk = MemoryDisk::default();
    let mut shard = open(&disk);
    fill(&mut shard);
    shard.checkpoint().unwrap();
    drop(shard);
    let mut findings = Vec::new();
    let verified = verify(shared(&disk), Path::new(PATH), &mut |it| findings.push(it)).unwrap();
    assert_eq!(findings, []);
    let Verified {
        journal_files,
        spares,
        ..
    } = verified;
    assert_eq!(
        (journal_files, spares),
        (files(&disk, "journal").len(), SPARE_FILES_MAX)
    );
    let mut lines = Vec::new();
    let spare = &files(&disk, "spare")[0];
    dump(&shared(&disk), spare, &Words::NONE, &mut |line| {
        lines.push(line.to_owned());
    })
    .unwrap();
    assert_eq!(lines[0], "a spare: checkpointed, and kept for reuse");
    assert_eq!(lines[1], "journal of shard 0 from block 0");
    assert!(lines.len() > 10, "{lines:?}");
}

/// A forged block, made without knowing the salt.
fn forged(sequence: u64) -> Vec<u8> {
    let content = [b"\x05\x00\x00\x00\x01", &b"forge"[..]].concat();
    let mut body = content.clone();
    body.resize(
        padded(HEADER_SIZE_BYTES + content.len()) - HEADER_SIZE_BYTES,
        0,
    );
    let header = Header {
        sequence: BlockSequence(sequence),
        synced: BlockSequence(sequence + 1000),
        content_size_bytes: content.len() as u32,
        entry_count: 1,
        checksum: Salt::NONE.content_checksum(&body),
    };
    [&header.encode(Salt::NONE)[..], &body].concat()
}

/// Forged blocks of every sequence in use, with each shift within the alignment, so that one begins
/// at every place of a reused file.
fn forgery(shift: usize) -> Vec<u8> {
    let blocks = (0..60u64).flat_map(forged);
    [0; 8][..shift].iter().copied().chain(blocks).collect()
}

#[test]
fn a_block_in_what_a_client_sent_long_ago_is_never_taken_for_one() {
    let options = Options {
        journal_file_size_bytes_max: 32 << 10,
        ..SMALL
    };
    for shift in 0..8 {
        let disk = MemoryDisk::default();
        let mut shard = open_with(&disk, &options);
        for _ in 0..8 {
            let payload = forgery(shift).repeat(2);
            shard.append(&[partition(1, 0)], &batch(&[&payload]));
            shard.commit().unwrap();
        }
        shard.checkpoint_all().unwrap();
        shard.parts.writer.seal().unwrap();
        assert_eq!(disk.files_used_again(), 1);
        let path = files(&disk, "journal").pop().unwrap();
        for round in 0..12usize {
            // So that the end is at many different places of the old contents.
            shard.control(&vec![1; 13 * round + shift]);
            shard.commit().unwrap();
            let synced = shard.state.controls.len();
            let end = {
                let mut scanned = Vec::new();
                let lines = &mut |line: &str| scanned.push(line.to_owned());
                dump(&shared(&disk), &path, &Words::NONE, lines).unwrap();
                let (end, _) = scanned.last().unwrap().split_once(':').unwrap();
                end.parse::<usize>().unwrap()
            };
            shard.control(&[2; 300]);
            shard.write().unwrap();
            for seed in 0..20 {
                let after = disk.after(Loss::Some(seed));
                let opened = open_with(&after, &options);
                let controls = &opened.state.controls;
                assert!((synced..=synced + 1).contains(&controls.len()), "{round}");
                assert!(controls.iter().all(|control| control != b"forge"));
            }
            // The worst result of a lost write: the forged block directly at the end.
            let after = disk.after(Loss::Everything);
            let next = shard.parts.builder.sequence().0 - 1;
            after.edit(&path, |bytes| {
                let block = forged(next);
                bytes[end..end + block.len()].copy_from_slice(&block);
            });
            let opened = open_with(&after, &options);
            assert_eq!(opened.state.controls.len(), synced, "{round}");
        }
    }
}
