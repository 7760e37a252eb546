//! After a graceful stop, missing parts of the journal are distinguished from the result of a
//! crash.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use stele_base_env::Disk;
use stele_test_disk::{Loss, MemoryDisk};

use super::harness::{Shard, batch, partition};
use crate::{Error, Severity, Words, dump, verify};

const PATH: &str = "/data";
const MARK: &str = "/data/shard-0.stopped";

fn open(disk: &MemoryDisk) -> Result<Shard, Error> {
    Shard::open(&(Arc::new(disk.clone()) as Arc<dyn Disk>), Path::new(PATH))
}

fn fill(shard: &mut Shard, count: u8) {
    for at in 0..count {
        shard.append(&[partition(1, 0)], &batch(&[&[at; 200]]));
        shard.commit().unwrap();
    }
}

/// Journal files, the last of which holds one block more than that of the stop, and nothing else.
fn stopped() -> MemoryDisk {
    let disk = MemoryDisk::default();
    let mut shard = open(&disk).unwrap();
    fill(&mut shard, 30);
    shard.parts.writer.seal().unwrap();
    fill(&mut shard, 1);
    shard.stop();
    disk
}

fn journal_files(disk: &MemoryDisk) -> Vec<PathBuf> {
    let files = disk.files().into_iter();
    let journal = files.filter(|path| path.extension().is_some_and(|it| it == "journal"));
    journal.collect()
}

fn contents(disk: &MemoryDisk) -> Vec<(PathBuf, Vec<u8>)> {
    let files = disk.files().into_iter();
    let contents = files.map(|path| (disk.read(&path).unwrap().to_vec(), path));
    contents.map(|(bytes, path)| (path, bytes)).collect()
}

/// Asserts that a start refuses the directory because of an existing file and changes nothing;
/// returns the error's text.
#[track_caller]
fn refused(disk: &MemoryDisk) -> String {
    let before = contents(disk);
    let error = open(disk).expect_err("something is missing");
    let Error::Damaged { path, .. } = &error else {
        panic!("{error}");
    };
    assert!(disk.exists(path).unwrap(), "{error}");
    assert_eq!(contents(disk), before);
    error.to_string()
}

/// How much damage a verification finds.
fn damages(disk: &MemoryDisk) -> usize {
    let mut damages = 0;
    let report = &mut |finding: crate::Finding| {
        damages += usize::from(finding.severity == Severity::Damage);
    };
    verify(Arc::new(disk.clone()), Path::new(PATH), report).unwrap();
    damages
}

#[test]
fn what_is_whole_starts_again_and_again() {
    let disk = stopped();
    for times in 0..3 {
        assert_eq!(damages(&disk), 0);
        let mut shard = open(&disk).unwrap();
        assert_eq!(shard.values(partition(1, 0)).len(), 31 + times);
        fill(&mut shard, 1);
        shard.stop();
    }
}

#[test]
fn a_last_file_that_was_cut_is_refused_wherever() {
    let whole = stopped();
    let path = journal_files(&whole).pop().unwrap();
    let used = whole.read(&path).unwrap();
    let used = used.iter().rposition(|byte| *byte != 0).unwrap();
    for length in (0..used).step_by(7) {
        let disk = whole.after(Loss::Nothing);
        disk.edit(&path, |bytes| bytes.truncate(length));
        let said = refused(&disk);
        assert!(said.contains(".journal"), "{length}: {said}");
        assert!(damages(&disk) > 0, "{length}");
    }
}

#[test]
fn a_journal_without_its_last_file_or_any_is_refused() {
    let whole = stopped();
    let files = journal_files(&whole);
    assert!(files.len() > 2);
    for kept in (0..files.len()).rev() {
        let disk = whole.after(Loss::Nothing);
        for path in &files[kept..] {
            disk.remove_file(path).unwrap();
        }
        let said = refused(&disk);
        let ends_with = kept.checked_sub(1).map_or(Path::new(MARK), |at| &files[at]);
        let named = format!("{} is damaged", ends_with.display());
        assert!(said.starts_with(&named), "{said}");
        assert!(said.contains(MARK) && damages(&disk) == 1, "{said}");
    }
}

#[test]
fn a_shard_that_is_gone_is_refused() {
    let whole = stopped();
    let disk = MemoryDisk::default();
    disk.create_dir(Path::new(PATH)).unwrap();
    for path in [Path::new(MARK), Path::new("/data/FORMAT")] {
        let bytes = whole.read(path).unwrap();
        disk.write_whole(path, &bytes).unwrap();
    }
    // The lock file is created again.
    open(&disk).expect_err("the shard is missing");
    assert!(refused(&disk).starts_with(MARK));
    assert_eq!(damages(&disk), 1);
    assert!(!disk.exists(Path::new("/data/shard-0")).unwrap());
}

#[test]
fn who_removes_the_mark_starts_with_what_is_left() {
    let disk = stopped();
    disk.remove_file(&journal_files(&disk).pop().unwrap())
        .unwrap();
    refused(&disk);
    disk.remove_file(Path::new(MARK)).unwrap();
    assert_eq!(damages(&disk), 0);
    assert_eq!(open(&disk).unwrap().values(partition(1, 0)).len(), 30);
}

#[test]
fn a_mark_that_is_damaged_or_anothers_is_refused() {
    let whole = stopped();
    for bit in 0..whole.read(Path::new(MARK)).unwrap().len() * 8 {
        let disk = whole.after(Loss::Nothing);
        disk.edit(Path::new(MARK), |bytes| bytes[bit / 8] ^= 1 << (bit % 8));
        assert!(refused(&disk).starts_with(MARK), "bit {bit}");
        assert_eq!(damages(&disk), 1, "bit {bit}");
    }
    let other = crate::DataDirectory::open(Arc::new(MemoryDisk::default()), Path::new(PATH), 2);
    let other = other.unwrap().shard(stele_base_types::ShardId(1));
    let mark = other.disk.clone();
    crate::directory::StopMark::leave(&other, crate::BlockSequence(1)).unwrap();
    let bytes = mark.read(Path::new("/data/shard-1.stopped")).unwrap();
    whole.write_whole(Path::new(MARK), &bytes).unwrap();
    assert!(refused(&whole).contains("the mark of shard 1"));
}

#[test]
fn a_crash_after_a_stop_and_a_start_leaves_what_a_start_takes() {
    let live = |disk: &MemoryDisk| -> Result<(), Error> {
        let mut shard = open(disk)?;
        for at in 0..12u8 {
            shard.append(&[partition(1, 0)], &batch(&[&[at; 200]]));
            shard.commit()?;
        }
        shard.checkpoint_all()?;
        shard.commit()?;
        shard.parts.writer.mark_end()
    };
    let whole = stopped();
    let begun = whole.operations();
    live(&whole).unwrap();
    for at in 0..whole.operations() - begun {
        let disk = stopped();
        disk.die_after(at);
        live(&disk).unwrap_err();
        for loss in [Loss::Nothing, Loss::Everything, Loss::Some(at)] {
            let disk = disk.after(loss);
            let found = open(&disk).unwrap().values(partition(1, 0)).len();
            assert!(found >= 31, "{at} {loss:?}: {found}");
        }
    }
}

#[test]
fn a_stop_on_a_full_disk_leaves_the_mark_before() {
    let disk = stopped();
    let before = disk.read(Path::new(MARK)).unwrap();
    let mut shard = open(&disk).unwrap();
    fill(&mut shard, 1);
    disk.limit(Some(0));
    shard.parts.writer.mark_end().unwrap_err();
    drop(shard);
    assert_eq!(disk.read(Path::new(MARK)).unwrap(), before);
    assert_eq!(open(&disk).unwrap().values(partition(1, 0)).len(), 32);
}

#[test]
fn a_snapshot_without_a_journal_is_refused_by_its_name() {
    let disk = MemoryDisk::default();
    let mut shard = open(&disk).unwrap();
    fill(&mut shard, 30);
    shard.checkpoint_all().unwrap();
    drop(shard);
    for path in journal_files(&disk) {
        disk.remove_file(&path).unwrap();
    }
    assert!(refused(&disk).contains(".snapshot is damaged"));
}

#[test]
fn a_mark_is_shown() {
    let disk: Arc<dyn Disk> = Arc::new(stopped());
    let mut lines = Vec::new();
    dump(&disk, Path::new(MARK), &Words::NONE, &mut |line| {
        lines.push(line.to_owned());
    })
    .unwrap();
    assert_eq!(
        lines,
        ["stop of shard 0: all blocks before 32 were on disk"]
    );
}
