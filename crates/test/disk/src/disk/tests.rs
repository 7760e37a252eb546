use std::path::Path;

use super::*;

const FILE: &str = "/d/f";

fn disk_with_file() -> (MemoryDisk, Arc<dyn DiskFile>) {
    let disk = MemoryDisk::default();
    disk.create_dir(Path::new("/d")).unwrap();
    disk.sync_dir(Path::new("/")).unwrap();
    let file = disk.open(Path::new(FILE), OpenMode::CreateNew).unwrap();
    (disk, file)
}

fn content(disk: &MemoryDisk) -> Option<Bytes> {
    disk.read(Path::new(FILE)).ok()
}

/// The content after a power failure, for many different losses.
fn outcomes(prepare: impl Fn(&MemoryDisk, &dyn DiskFile)) -> Vec<Option<Bytes>> {
    let outcome = |seed| {
        let (disk, file) = disk_with_file();
        prepare(&disk, &*file);
        disk.cut_power(&mut Random::new(seed));
        content(&disk)
    };
    let mut outcomes: Vec<_> = (0..200).map(outcome).collect();
    outcomes.sort();
    outcomes.dedup();
    outcomes
}

#[test]
fn what_was_synced_survives_a_power_cut() {
    let found = outcomes(|disk, file| {
        file.write_at(0, b"synced").unwrap();
        file.sync_data().unwrap();
        disk.sync_dir(Path::new("/d")).unwrap();
    });
    assert_eq!(found, [Some(Bytes::from_static(b"synced"))]);
}

#[test]
fn what_was_not_synced_may_be_kept_lost_or_torn() {
    let found = outcomes(|disk, file| {
        file.sync_data().unwrap();
        disk.sync_dir(Path::new("/d")).unwrap();
        file.write_at(0, b"written").unwrap();
    });
    assert!(found.contains(&Some(Bytes::new())));
    assert!(found.contains(&Some(Bytes::from_static(b"written"))));
    assert!(found.contains(&Some(Bytes::from_static(b"writ"))));
}

#[test]
fn what_is_written_over_may_be_old_new_or_a_mix() {
    let found = outcomes(|disk, file| {
        file.write_at(0, b"former life").unwrap();
        file.sync_data().unwrap();
        disk.sync_dir(Path::new("/d")).unwrap();
        file.write_at(0, b"LATTER").unwrap();
    });
    for expected in ["former life", "LATTER life", "LATmer life"] {
        assert!(found.contains(&Some(expected.into())), "{expected}");
    }
    assert!(found.iter().flatten().all(|bytes| bytes.len() == 11));
}

#[test]
fn a_rename_may_be_lost_until_its_directory_is_synced() {
    let renamed = Path::new("/d/g");
    let is_renamed = |seed, syncs| {
        let (disk, _) = disk_with_file();
        disk.sync_dir(Path::new("/d")).unwrap();
        disk.rename(Path::new(FILE), renamed).unwrap();
        if syncs {
            disk.sync_dir(Path::new("/d")).unwrap();
        }
        disk.cut_power(&mut Random::new(seed));
        let found = disk.files();
        assert_eq!(found.len(), 1);
        found[0] == renamed
    };
    assert!((0..50).any(|seed| is_renamed(seed, false)));
    assert!((0..50).any(|seed| !is_renamed(seed, false)));
    assert!((0..50).all(|seed| is_renamed(seed, true)));
}

#[test]
fn a_file_may_be_lost_until_its_directory_is_synced() {
    let found = outcomes(|_, file| {
        file.write_at(0, b"synced").unwrap();
        file.sync_data().unwrap();
    });
    assert_eq!(found, [None, Some(Bytes::from_static(b"synced"))]);
}

#[test]
fn a_kill_loses_nothing_and_makes_nothing_safe() {
    let (disk, file) = disk_with_file();
    disk.sync_dir(Path::new("/d")).unwrap();
    file.write_at(0, b"written").unwrap();
    disk.restart();
    assert_eq!(content(&disk).unwrap(), "written");
    let lost = (0..50).any(|seed| {
        let disk = {
            let (disk, file) = disk_with_file();
            disk.sync_dir(Path::new("/d")).unwrap();
            file.write_at(0, b"written").unwrap();
            disk.restart();
            disk
        };
        disk.cut_power(&mut Random::new(seed));
        content(&disk).unwrap() != "written"
    });
    assert!(lost);
}

#[test]
fn a_dead_disk_changes_nothing_more() {
    let (disk, file) = disk_with_file();
    disk.die_after(1);
    file.write_at(0, b"one").unwrap();
    assert!(file.write_at(3, b"two").is_err());
    assert!(disk.is_dead());
    assert!(disk.remove_file(Path::new(FILE)).is_err());
    disk.restart();
    assert_eq!(content(&disk).unwrap(), "one");
}

#[test]
fn a_full_disk_takes_no_more_and_frees_what_is_removed() {
    let (disk, file) = disk_with_file();
    disk.limit(Some(4));
    file.write_at(0, b"four").unwrap();
    let error = file.write_at(4, b"5").unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    assert_eq!(disk.free_bytes(Path::new("/d")).unwrap(), 0);
    disk.remove_file(Path::new(FILE)).unwrap();
    assert_eq!(disk.free_bytes(Path::new("/d")).unwrap(), 4);
}

#[test]
fn what_a_failed_sync_loses_is_read_until_a_power_cut_and_safe_once_written_again() {
    for is_written_again in [false, true] {
        let (disk, file) = disk_with_file();
        disk.sync_dir(Path::new("/d")).unwrap();
        file.write_at(0, b"written").unwrap();
        disk.fail_sync_after(0, Loss::Everything);
        file.sync_data().unwrap_err();
        disk.restart();
        assert_eq!(content(&disk).unwrap(), "written");
        if is_written_again {
            file.write_at(0, b"written").unwrap();
        }
        file.sync_data().unwrap();
        FileSystem::sync(&disk).unwrap();
        disk.cut_power(&mut Random::new(1));
        let safe = if is_written_again { "written" } else { "" };
        assert_eq!(content(&disk).unwrap(), safe);
    }
}

#[test]
fn a_failed_sync_loses_what_it_is_told_and_no_sizes() {
    let after = |loss| {
        let (disk, file) = disk_with_file();
        disk.sync_dir(Path::new("/d")).unwrap();
        file.preallocate(7).unwrap();
        file.write_at(0, b"written").unwrap();
        disk.fail_sync_after(1, loss);
        let other = disk.open(Path::new("/d/other"), OpenMode::CreateNew);
        other.unwrap().sync_data().unwrap();
        FileSystem::sync(&disk).unwrap_err();
        disk.cut_power(&mut Random::new(1));
        content(&disk).unwrap()
    };
    assert_eq!(after(Loss::Nothing), "written");
    assert_eq!(after(Loss::Everything), vec![0; 7]);
    let mut torn = (0..200).map(|seed| after(Loss::Some(seed)));
    assert!(torn.any(|found| found == "writ\0\0\0"));
}

#[test]
fn a_removed_journal_file_is_kept_as_it_was_then() {
    let (disk, _) = disk_with_file();
    let path = Path::new("/d/1.journal");
    let journal = disk.open(path, OpenMode::CreateNew).unwrap();
    journal.write_at(0, &[1; 100]).unwrap();
    disk.remove_file(path).unwrap();
    journal.truncate(0).unwrap();
    assert_eq!(disk.journal_alone().read(path).unwrap(), [1; 100][..]);
}

#[test]
fn a_journal_file_that_becomes_a_spare_is_kept_as_it_was_then() {
    let (disk, _) = disk_with_file();
    let [path, spare, again] = ["/d/1.journal", "/d/1.spare", "/d/2.journal"].map(Path::new);
    let journal = disk.open(path, OpenMode::CreateNew).unwrap();
    journal.write_at(0, &[1; 100]).unwrap();
    disk.rename(path, spare).unwrap();
    journal.write_at(0, &[2; 100]).unwrap();
    assert_eq!(disk.files_used_again(), 0);
    disk.rename(spare, again).unwrap();
    assert_eq!(disk.files_used_again(), 1);
    let alone = disk.journal_alone();
    assert_eq!(alone.read(path).unwrap(), [1; 100][..]);
    assert_eq!(alone.read(again).unwrap(), [2; 100][..]);
}
