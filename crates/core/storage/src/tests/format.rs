//! The format as files: made once by version 1, never remade. What is written today is the same
//! to the byte, and what was written then is still read.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use stele_base_env::{Disk, OpenMode};
use stele_test_disk::MemoryDisk;

use super::harness::{Shard, batch, partition};

/// The files of a data directory as version 1 wrote them.
const FILES: [(&str, &[u8]); 5] = [
    ("FORMAT", include_bytes!("format/v1/FORMAT")),
    (
        "shard-0/journal/00000000000000000003.journal",
        include_bytes!("format/v1/shard-0/journal/00000000000000000003.journal"),
    ),
    (
        "shard-0/snapshot/00000000000000000003.snapshot",
        include_bytes!("format/v1/shard-0/snapshot/00000000000000000003.snapshot"),
    ),
    (
        "shard-0/segments/1/0/00000000000000000000.log",
        include_bytes!("format/v1/shard-0/segments/1/0/00000000000000000000.log"),
    ),
    (
        "shard-0/segments/1/0/00000000000000000000.index",
        include_bytes!("format/v1/shard-0/segments/1/0/00000000000000000000.index"),
    ),
];

const PATH: &str = "/data";

fn open(disk: &MemoryDisk) -> Shard {
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    Shard::open(&shared, Path::new(PATH)).unwrap()
}

/// The life that the files are of.
fn live() -> MemoryDisk {
    let disk = MemoryDisk::default();
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
    disk
}

#[test]
fn what_is_written_has_not_changed() {
    let disk = live();
    for (name, expected) in FILES {
        let found = disk.read(&Path::new(PATH).join(name)).unwrap();
        // What is allocated ahead is no part of the format.
        let used = found.len().min(expected.len());
        assert_eq!(found[..used], *expected, "{name}: {}", hex(&found[..used]));
        assert!(found[used..].iter().all(|byte| *byte == 0), "{name}");
    }
}

#[test]
fn what_version_1_wrote_is_read() {
    let disk = MemoryDisk::default();
    for (name, bytes) in FILES {
        let path = Path::new(PATH).join(name);
        create_parents(&disk, &path);
        let file = disk.open(&path, OpenMode::CreateNew).unwrap();
        file.write_at(0, bytes).unwrap();
    }
    let shard = open(&disk);
    assert_eq!(shard.state.controls, [&b"declare"[..], b"after"]);
    let values = shard.values(partition(1, 0));
    let values: Vec<_> = values.iter().map(|(_, value)| value.as_slice()).collect();
    assert_eq!(values, [&b"first"[..], b"second", b"to both", b"last"]);
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
