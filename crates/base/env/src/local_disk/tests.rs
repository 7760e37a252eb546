//! The guarantees of a disk, tested on the operating system's.

use super::*;

#[test]
fn what_is_written_is_read_and_ends_where_the_file_ends() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file");
    let file = LocalDisk.open(&path, OpenMode::CreateNew).unwrap();
    file.write_at(3, b"abc").unwrap();
    file.sync_data().unwrap();
    assert_eq!(&file.read_at(0, 100).unwrap()[..], b"\0\0\0abc");
    assert_eq!(&file.read_at(4, 1).unwrap()[..], b"b");
    assert_eq!(&file.read_at(90, 10).unwrap()[..], b"");
    assert_eq!(file.size_bytes().unwrap(), 6);
}

#[test]
fn modes_make_files_only_where_they_say_so() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file");
    for mode in [OpenMode::Read, OpenMode::Write] {
        let error = LocalDisk.open(&path, mode).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
    LocalDisk
        .open(&path, OpenMode::CreateOrWrite)
        .unwrap()
        .write_at(0, b"kept")
        .unwrap();
    let again = LocalDisk.open(&path, OpenMode::CreateOrWrite).unwrap();
    assert_eq!(again.size_bytes().unwrap(), 4);
    let error = LocalDisk.open(&path, OpenMode::CreateNew).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
}

#[test]
fn a_lock_has_one_holder_until_dropped() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("LOCK");
    let held = LocalDisk.try_lock(&path).unwrap();
    assert!(held.is_some());
    assert!(LocalDisk.try_lock(&path).unwrap().is_none());
    drop(held);
    assert!(LocalDisk.try_lock(&path).unwrap().is_some());
}

#[test]
fn writing_whole_replaces_and_leaves_nothing_beside() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state");
    LocalDisk.write_whole(&path, b"first, longer").unwrap();
    LocalDisk.write_whole(&path, b"second").unwrap();
    assert_eq!(&LocalDisk.read(&path).unwrap()[..], b"second");
    let entries = LocalDisk.list(directory.path()).unwrap();
    assert_eq!(
        entries,
        [Entry {
            name: "state".to_owned(),
            is_dir: false
        }]
    );
}

#[test]
fn directories_are_made_once_and_removed_empty() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a");
    LocalDisk.create_dir(&path).unwrap();
    LocalDisk.create_dir(&path).unwrap();
    LocalDisk.sync_dir(directory.path()).unwrap();
    assert!(LocalDisk.exists(&path).unwrap());
    LocalDisk.remove_dir(&path).unwrap();
    assert!(!LocalDisk.exists(&path).unwrap());
}

#[test]
fn what_is_made_is_its_owners_alone() {
    let directory = tempfile::tempdir().unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let made = directory.path().join("made");
    LocalDisk.create_dir(&made).unwrap();
    LocalDisk
        .open(&made.join("new"), OpenMode::CreateNew)
        .unwrap();
    LocalDisk
        .open(&made.join("file"), OpenMode::CreateOrWrite)
        .unwrap();
    LocalDisk.write_whole(&made.join("whole"), b"").unwrap();
    LocalDisk.try_lock(&made.join("LOCK")).unwrap();
    assert_eq!(mode(&made), 0o700);
    for entry in LocalDisk.list(&made).unwrap() {
        assert_eq!(mode(&made.join(&entry.name)), 0o600, "{}", entry.name);
    }
    assert_eq!(LocalDisk.list(&made).unwrap().len(), 4);
}

#[test]
fn a_directory_that_others_may_read_becomes_its_owners_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
    assert!(LocalDisk.restrict_dir(path).unwrap());
    let mode = fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    assert!(!LocalDisk.restrict_dir(path).unwrap());
}

#[test]
fn preallocation_grows_with_zeroes_and_keeps_what_is_there() {
    let directory = tempfile::tempdir().unwrap();
    let file = LocalDisk
        .open(&directory.path().join("file"), OpenMode::CreateNew)
        .unwrap();
    file.write_at(0, b"abc").unwrap();
    file.preallocate(8).unwrap();
    assert_eq!(&file.read_at(0, 8).unwrap()[..], b"abc\0\0\0\0\0");
    file.truncate(2).unwrap();
    assert_eq!(&file.read_at(0, 8).unwrap()[..], b"ab");
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_system_is_synced_as_a_whole() {
    let directory = tempfile::tempdir().unwrap();
    let file_system = LocalDisk.file_system(directory.path()).unwrap();
    let path = directory.path().join("file");
    let file = LocalDisk.open(&path, OpenMode::CreateNew).unwrap();
    file.write_at(0, b"abc").unwrap();
    file_system.expect("Linux can").sync().unwrap();
}

#[test]
fn a_file_system_in_use_has_free_bytes() {
    let directory = tempfile::tempdir().unwrap();
    assert!(LocalDisk.free_bytes(directory.path()).unwrap() > 0);
}
