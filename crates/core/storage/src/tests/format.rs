//! The formats as files, each written once by its version and never regenerated. Today's output
//! equals the files of the latest version byte for byte, and files of earlier versions can still be
//! read.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use stele_base_env::{Disk, OpenMode};
use stele_test_disk::{Loss, MemoryDisk};

use super::harness::{SMALL, Shard, batch, partition};
use crate::Options;

/// Files by their names in the data directory.
type Files = [(&'static str, &'static [u8])];

macro_rules! files {
    ($version:literal, $($name:literal),+ $(,)?) => {
        [$(($name, include_bytes!(concat!("format/", $version, "/", $name)) as &[u8])),+]
    };
}

/// Written by version 1.
const VERSION_1: &Files = &files![
    "v1",
    "FORMAT",
    "shard-0/journal/00000000000000000003.journal",
    "shard-0/snapshot/00000000000000000003.snapshot",
    "shard-0/segments/1/0/00000000000000000000.log",
    "shard-0/segments/1/0/00000000000000000000.index",
];

/// Written by version 2. The second journal file reuses the first.
const VERSION_2: &Files = &files![
    "v2",
    "FORMAT",
    "shard-0/journal/00000000000000000003.journal",
    "shard-0/journal/00000000000000000004.journal",
    "shard-0/snapshot/00000000000000000003.snapshot",
    "shard-0/segments/1/0/00000000000000000000.log",
    "shard-0/segments/1/0/00000000000000000000.index",
];

/// Written by version 3. The second of two checkpoints has merged the first one's segment; the last
/// journal file is a reused one.
const VERSION_3: &Files = &files![
    "v3",
    "FORMAT",
    "shard-0/journal/00000000000000000004.journal",
    "shard-0/snapshot/00000000000000000004.snapshot",
    "shard-0/snapshot/00000000000000000000.parts",
    "shard-0/snapshot/00000000000000000001.parts",
    "shard-0/segments/1/0/00000000000000000000-0000000001.log",
    "shard-0/segments/1/0/00000000000000000000-0000000001.index",
];

/// With these a file of three small blocks is worth keeping.
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
    // All of it is durable.
    disk.after(Loss::Nothing)
}

/// The life that produced the files of version 3.
fn live() -> (MemoryDisk, Shard) {
    let disk = MemoryDisk::default();
    let mut shard = open(&disk);
    shard.control(b"declare");
    shard.append(&[partition(1, 0)], &batch(&[b"first", b"second"]));
    shard.commit().unwrap();
    shard.append(&[partition(1, 0), partition(2, 7)], &batch(&[b"to both"]));
    shard.commit().unwrap();
    shard.floors.remove(&partition(2, 7));
    shard.commit().unwrap();
    shard.parts.writer.seal().unwrap();
    shard.control(b"after");
    shard.append(&[partition(1, 0)], &batch(&[b"last"]));
    shard.commit().unwrap();
    shard.checkpoint().unwrap();
    shard.parts.writer.seal().unwrap();
    shard.append(&[partition(1, 0)], &batch(&[b"used again"]));
    shard.commit().unwrap();
    assert_eq!(disk.files_used_again(), 1);
    shard.checkpoint().unwrap();
    (disk, shard)
}

fn assert_holds(disk: &MemoryDisk, files: &Files) {
    for (name, expected) in files {
        let found = disk.read(&Path::new(PATH).join(name)).unwrap();
        // Space allocated ahead isn't part of the format.
        let used = found.len().min(expected.len());
        assert_eq!(found[..used], **expected, "{name}: {}", hex(&found[..used]));
        assert!(found[used..].iter().all(|byte| *byte == 0), "{name}");
    }
}

fn assert_read(disk: &MemoryDisk, controls: &[&[u8]], values: &[&[u8]]) -> Shard {
    let shard = open(disk);
    assert_eq!(shard.state.controls, controls);
    let found = shard.values(partition(1, 0));
    let found: Vec<_> = found.iter().map(|(_, value)| value.as_slice()).collect();
    assert_eq!(found, values);
    shard
}

const CONTROLS: [&[u8]; 2] = [b"declare", b"after"];
const VALUES: [&[u8]; 5] = [b"first", b"second", b"to both", b"last", b"used again"];

/// The files of earlier versions, with the number of values in each.
const EARLIER: [(&Files, usize); 2] = [(VERSION_1, 4), (VERSION_2, 5)];

fn format_of(disk: &MemoryDisk) -> String {
    let text = disk.read(&Path::new(PATH).join("FORMAT")).unwrap();
    String::from_utf8(text.to_vec()).unwrap()
}

#[test]
fn what_is_written_has_not_changed() {
    let (disk, _) = live();
    assert_holds(&disk, VERSION_3);
}

#[test]
fn what_version_3_wrote_is_read() {
    let shard = assert_read(&holding(VERSION_3), &CONTROLS, &VALUES);
    assert_eq!(shard.parts.report.torn_size_bytes, 0);
}

#[test]
fn what_earlier_versions_wrote_is_read_checkpointed_and_gone_on_with() {
    for (files, count) in EARLIER {
        let disk = holding(files);
        let mut shard = assert_read(&disk, &CONTROLS, &VALUES[..count]);
        assert_eq!(shard.parts.report.torn_size_bytes, 0);
        assert!(format_of(&disk).starts_with("stele storage 3\n"));
        shard.control(b"more");
        shard.append(&[partition(1, 0)], &batch(&[b"and more"]));
        shard.commit().unwrap();
        shard.checkpoint_all().unwrap();
        drop(shard);
        let controls = [&CONTROLS[..], &[b"more"]].concat();
        let values = [&VALUES[..count], &[b"and more"]].concat();
        let shard = assert_read(&disk, &controls, &values);
        assert_eq!(shard.parts.report.snapshot, Some(shard_next(&shard)));
    }
}

/// The first block of the only journal file that isn't checkpointed.
fn shard_next(shard: &Shard) -> crate::BlockSequence {
    let path = &shard.directory.journal();
    let names = crate::directory::numbered_files(&*shard.directory.disk, path, "journal");
    crate::BlockSequence(*names.unwrap().last().unwrap())
}

#[test]
fn a_checkpoint_that_only_removes_keeps_the_state_of_an_earlier_version() {
    for (files, count) in EARLIER {
        let disk = holding(files);
        let mut shard = assert_read(&disk, &CONTROLS, &VALUES[..count]);
        shard
            .floors
            .insert(partition(1, 0), stele_base_types::Offset(3));
        let now = super::harness::NOW;
        let plan = shard.parts.index.plan_checkpoint(shard.floors(), now);
        assert!(plan.files.is_empty());
        let mut state = super::harness::State::default();
        let checkpoint = shard
            .parts
            .checkpointer
            .checkpoint(&plan, &mut state)
            .unwrap();
        shard.install(checkpoint).release().unwrap();
        drop(shard);
        let shard = open(&disk);
        assert_eq!(shard.state.controls, CONTROLS);
        assert_eq!(shard.values(partition(1, 0)).len(), count - 3);
    }
}

#[test]
fn a_crash_while_a_directory_is_brought_up_to_date_leaves_it_readable() {
    for (files, count) in EARLIER {
        let upgrade = |disk: &MemoryDisk| {
            let shared: Arc<dyn Disk> = Arc::new(disk.clone());
            let mut shard = Shard::open_with(&shared, Path::new(PATH), &OPTIONS)?;
            shard.checkpoint_all()
        };
        let whole = holding(files);
        let before = whole.operations();
        upgrade(&whole).unwrap();
        for at in 0..whole.operations() - before {
            let disk = holding(files);
            disk.die_after(at);
            upgrade(&disk).unwrap_err();
            for loss in [Loss::Nothing, Loss::Everything, Loss::Some(at)] {
                let disk = disk.after(loss);
                let names = disk.files();
                let has = |extension| {
                    let mut extensions = names.iter().filter_map(|path| path.extension());
                    extensions.any(|found| found == extension)
                };
                // Nothing that an earlier version doesn't know, while that version would open it.
                let is_latest = format_of(&disk).starts_with("stele storage 3\n");
                assert!(is_latest || !has("parts"), "{at} {loss:?}: {names:?}");
                assert_read(&disk, &CONTROLS, &VALUES[..count]);
            }
        }
    }
}

#[test]
fn damage_in_a_directory_of_an_earlier_version_leaves_it_one() {
    for (files, _) in EARLIER {
        let disk = holding(files);
        let path = Path::new(PATH).join("shard-0/snapshot/00000000000000000003.snapshot");
        disk.edit(&path, |bytes| bytes[60] ^= 1);
        let shared: Arc<dyn Disk> = Arc::new(disk.clone());
        Shard::open_with(&shared, Path::new(PATH), &OPTIONS).unwrap_err();
        assert_eq!(format_of(&disk).as_bytes(), files[0].1);
    }
}

#[test]
fn a_new_directory_is_of_version_3() {
    let disk = MemoryDisk::default();
    drop(open(&disk));
    assert_eq!(format_of(&disk).as_bytes(), VERSION_3[0].1);
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
