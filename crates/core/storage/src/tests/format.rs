//! The formats as files: each made once by its version, never remade. What is written today is the
//! same to the byte, and what was written then is still read.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use stele_base_env::{Disk, OpenMode};
use stele_test_disk::MemoryDisk;

use super::harness::{SMALL, Shard, batch, partition};
use crate::Options;

/// Files by their names in the data directory.
type Files = [(&'static str, &'static [u8])];

macro_rules! files {
    ($version:literal, $($name:literal),+ $(,)?) => {
        [$(($name, include_bytes!(concat!("format/", $version, "/", $name)) as &[u8])),+]
    };
}

/// As version 1 wrote them.
const VERSION_1: &Files = &files![
    "v1",
    "FORMAT",
    "shard-0/journal/00000000000000000003.journal",
    "shard-0/snapshot/00000000000000000003.snapshot",
    "shard-0/segments/1/0/00000000000000000000.log",
    "shard-0/segments/1/0/00000000000000000000.index",
];

/// As version 2 wrote them. The second journal file was the first one's before.
const VERSION_2: &Files = &files![
    "v2",
    "FORMAT",
    "shard-0/journal/00000000000000000003.journal",
    "shard-0/journal/00000000000000000004.journal",
    "shard-0/snapshot/00000000000000000003.snapshot",
    "shard-0/segments/1/0/00000000000000000000.log",
    "shard-0/segments/1/0/00000000000000000000.index",
];

/// Of these a file of three small blocks is worth to be kept.
const OPTIONS: Options = Options {
    journal_file_size_bytes_max: 512,
    ..SMALL
};

const PATH: &str = "/data";

fn open(disk: &MemoryDisk) -> Shard {
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    Shard::open_with(&shared, Path::new(PATH), &OPTIONS).unwrap()
}

/// A disk with these files.
fn holding(files: &Files) -> MemoryDisk {
    let disk = MemoryDisk::default();
    for (name, bytes) in files {
        let path = Path::new(PATH).join(name);
        create_parents(&disk, &path);
        let file = disk.open(&path, OpenMode::CreateNew).unwrap();
        file.write_at(0, bytes).unwrap();
    }
    disk
}

/// The life that the files are of, in a directory with this FORMAT.
fn live(format: &[u8]) -> (MemoryDisk, Shard) {
    let disk = holding(&[]);
    disk.create_dir(Path::new(PATH)).unwrap();
    disk.write_whole(&Path::new(PATH).join("FORMAT"), format)
        .unwrap();
    let mut shard = open(&disk);
    shard.control(b"declare");
    shard.append(&[partition(1, 0)], &batch(&[b"first", b"second"]));
    shard.commit().unwrap();
    shard.append(&[partition(1, 0), partition(2, 7)], &batch(&[b"to both"]));
    shard.commit().unwrap();
    shard.floors.remove(&partition(2, 7));
    shard.commit().unwrap();
    shard.parts.writer.rotate().unwrap();
    shard.control(b"after");
    shard.append(&[partition(1, 0)], &batch(&[b"last"]));
    shard.commit().unwrap();
    shard.settle().unwrap();
    (disk, shard)
}

fn assert_holds(disk: &MemoryDisk, files: &Files) {
    for (name, expected) in files {
        let found = disk.read(&Path::new(PATH).join(name)).unwrap();
        // What is allocated ahead is no part of the format.
        let used = found.len().min(expected.len());
        assert_eq!(found[..used], **expected, "{name}: {}", hex(&found[..used]));
        assert!(found[used..].iter().all(|byte| *byte == 0), "{name}");
    }
}

fn assert_read(files: &Files, controls: &[&[u8]], values: &[&[u8]]) {
    let shard = open(&holding(files));
    assert_eq!(shard.state.controls, controls);
    assert_eq!(shard.parts.report.torn_size_bytes, 0);
    let found = shard.values(partition(1, 0));
    let found: Vec<_> = found.iter().map(|(_, value)| value.as_slice()).collect();
    assert_eq!(found, values);
}

#[test]
fn what_is_written_in_version_1_has_not_changed() {
    let (_, format) = VERSION_1[0];
    let (disk, _) = live(format);
    assert_holds(&disk, VERSION_1);
}

#[test]
fn what_version_1_wrote_is_read() {
    let values = [&b"first"[..], b"second", b"to both", b"last"];
    assert_read(VERSION_1, &[b"declare", b"after"], &values);
}

#[test]
fn what_is_written_in_version_2_has_not_changed() {
    let (_, format) = VERSION_2[0];
    let (disk, mut shard) = live(format);
    shard.parts.writer.rotate().unwrap();
    shard.append(&[partition(1, 0)], &batch(&[b"used again"]));
    shard.commit().unwrap();
    assert_eq!(disk.files_used_again(), 1);
    assert_holds(&disk, VERSION_2);
}

#[test]
fn what_version_2_wrote_is_read() {
    let values = [&b"first"[..], b"second", b"to both", b"last", b"used again"];
    assert_read(VERSION_2, &[b"declare", b"after"], &values);
}

#[test]
fn a_new_directory_is_of_version_2() {
    let disk = MemoryDisk::default();
    drop(open(&disk));
    let (name, expected) = VERSION_2[0];
    let found = disk.read(&Path::new(PATH).join(name)).unwrap();
    assert_eq!(found, expected);
}

fn create_parents(disk: &MemoryDisk, path: &Path) {
    let parents: Vec<PathBuf> = path.ancestors().skip(1).map(Path::to_owned).collect();
    for parent in parents.iter().rev() {
        disk.create_dir(parent).unwrap();
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
