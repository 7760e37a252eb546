//! Verification finds all damage, and a dump shows all of a file.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use stele_base_env::Disk;
use stele_base_types::{Offset, ShardId};
use stele_test_disk::{Loss, MemoryDisk};

use super::harness::{Shard, batch, partition};
use crate::{
    BlockSequence, Finding, Severity, Verified, Words,
    block::{Header, Salt},
    dump,
    journal::FileHeader,
    verify,
};

const PATH: &str = "/data";

/// A shard with two segments, a snapshot, and three journal files.
fn shard() -> MemoryDisk {
    let disk = MemoryDisk::default();
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    let mut shard = Shard::open(&shared, Path::new(PATH)).unwrap();
    for at in 0..40u8 {
        shard.control(&[at]);
        shard.append(&[partition(1, 0), partition(2, 3)], &batch(&[&[at; 200]]));
        shard.commit().unwrap();
    }
    shard.checkpoint_all().unwrap();
    for at in 0..30u8 {
        shard.append(&[partition(1, 0)], &batch(&[&[at; 200]]));
        shard.commit().unwrap();
    }
    disk
}

fn verified(disk: &MemoryDisk) -> (Verified, Vec<Finding>) {
    let mut findings = Vec::new();
    let report = &mut |finding| findings.push(finding);
    let verified = verify(Arc::new(disk.clone()), Path::new(PATH), report).unwrap();
    (verified, findings)
}

fn shown(disk: &MemoryDisk, path: &Path) -> Vec<String> {
    let mut lines = Vec::new();
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    dump(&shared, path, &Words::NONE, &mut |line| {
        lines.push(line.to_owned())
    })
    .unwrap();
    lines
}

fn files(disk: &MemoryDisk, extension: &str) -> Vec<PathBuf> {
    let files = disk.files().into_iter();
    let of_kind = files.filter(|path| path.extension().is_some_and(|it| it == extension));
    of_kind.collect()
}

#[test]
fn a_graceful_stop_leaves_nothing_to_find() {
    let (verified, findings) = verified(&shard());
    assert_eq!(findings, []);
    assert_eq!(
        (verified.shards, verified.snapshots, verified.segments),
        (1, 1, 4)
    );
    assert_eq!(verified.batches, 40 * 2 + 30);
    assert!(verified.blocks > 30 && verified.journal_files > 1 && verified.size_bytes > 10_000);
}

#[test]
fn a_flipped_bit_is_found_wherever_it_is() {
    let whole = shard();
    for extension in ["snapshot", "parts", "log", "index", "journal"] {
        for path in files(&whole, extension) {
            let used = match extension {
                // The rest of the last file is only allocated.
                "journal" => used_bytes(&whole, &path),
                _ => whole.read(&path).unwrap().len(),
            };
            for bit in (0..used * 8).step_by(101) {
                let disk = whole.after(Loss::Nothing);
                disk.edit(&path, |bytes| bytes[bit / 8] ^= 1 << (bit % 8));
                let (_, findings) = verified(&disk);
                let of_file = findings.iter().filter(|finding| finding.path == path);
                assert!(
                    of_file.count() > 0,
                    "{} bit {bit}: {findings:?}",
                    path.display()
                );
            }
        }
    }
}

fn used_bytes(disk: &MemoryDisk, path: &Path) -> usize {
    let lines = shown(disk, path);
    let (position, _) = lines.last().unwrap().split_once(':').unwrap();
    position.parse().unwrap()
}

#[test]
fn what_is_missing_is_damage_and_what_a_crash_leaves_is_a_note() {
    let whole = shard();
    for extension in ["log", "index"] {
        let disk = whole.after(Loss::Nothing);
        let path = &files(&disk, extension)[0];
        disk.remove_file(path).unwrap();
        let (verified, findings) = verified(&disk);
        assert_eq!(verified.damages, 1);
        assert_eq!(
            (&findings[0].path, findings[0].severity),
            (path, Severity::Damage)
        );
    }
    let disk = whole.after(Loss::Nothing);
    let journal = files(&disk, "journal").pop().unwrap();
    let used = used_bytes(&disk, &journal);
    disk.edit(&journal, |bytes| bytes.truncate(used - 3));
    let leftover = Path::new(PATH).join("shard-0/segments/1/0/leftover.log");
    disk.write_whole(&leftover, b"unfinished").unwrap();
    let (verified, findings) = verified(&disk);
    assert_eq!(verified.damages, 0);
    let paths: Vec<_> = findings.iter().map(|finding| &finding.path).collect();
    assert_eq!(paths, [&leftover, &journal]);
    assert!(
        findings[1].to_string().starts_with("note: "),
        "{}",
        findings[1]
    );
}

#[test]
fn a_directory_in_use_or_of_something_else_is_refused_and_left_alone() {
    let disk = shard();
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    let held = Shard::open(&shared, Path::new(PATH)).unwrap();
    let refused = verify(shared.clone(), Path::new(PATH), &mut |_| {}).unwrap_err();
    assert!(matches!(refused, crate::Error::Locked { .. }), "{refused}");
    drop(held);
    shared.create_dir(Path::new("/other")).unwrap();
    let refused = verify(shared.clone(), Path::new("/other"), &mut |_| {}).unwrap_err();
    assert!(matches!(refused, crate::Error::Format { .. }), "{refused}");
    assert_eq!(shared.list(Path::new("/other")).unwrap(), []);
}

#[test]
fn each_file_is_shown_a_line_for_each_entry() {
    let disk = shard();
    let journal = shown(&disk, &files(&disk, "journal")[0]);
    assert!(
        journal[0].starts_with("journal of shard 0 from block "),
        "{}",
        journal[0]
    );
    assert!(
        journal.iter().any(|line| line.starts_with("  append 1/0@")),
        "{journal:?}"
    );
    assert!(journal.last().unwrap().ends_with(": end"), "{journal:?}");

    let logs = files(&disk, "log");
    let lines: Vec<_> = logs.iter().flat_map(|path| shown(&disk, path)).collect();
    assert_eq!(
        lines
            .iter()
            .filter(|line| line.contains(": offset "))
            .count(),
        80
    );
    assert!(
        lines[0].starts_with("0: offset 0 to 0: 1 records "),
        "{}",
        lines[0]
    );

    let index = shown(&disk, &files(&disk, "index")[0]);
    assert!(
        index[0].starts_with("0: offset 0 at 0 bytes "),
        "{}",
        index[0]
    );

    let snapshot = shown(&disk, &files(&disk, "snapshot")[0]);
    assert_eq!(
        snapshot[0],
        "snapshot of shard 0 up to block 40: 1 part files"
    );
    assert!(
        snapshot[1].starts_with("  part file 0 bytes "),
        "{snapshot:?}"
    );

    let parts = shown(&disk, &files(&disk, "parts")[0]);
    assert_eq!(parts[0], "parts of the state of shard 0");
    let has = |start: &str| parts.iter().any(|line| line.starts_with(start));
    assert!(has("32: part 0/0 "), "{parts:?}");
    assert!(has("  segment 1/0 offset 0 to "), "{parts:?}");
    assert!(parts.last().unwrap().ends_with(": end"), "{parts:?}");
}

#[test]
fn control_records_are_shown_in_part() {
    let disk = MemoryDisk::default();
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    let mut shard = Shard::open(&shared, Path::new(PATH)).unwrap();
    shard.control(b"\x01\xff");
    shard.control(&[7; 100]);
    shard.append(&[partition(1, 0)], &batch(&[b"a"]));
    shard.commit().unwrap();
    assert_eq!(shard.next(partition(1, 0)), Offset(1));
    let lines = shown(&disk, &files(&disk, "journal")[0]);
    assert_eq!(lines[2], "  control 2 bytes 01ff");
    assert_eq!(
        lines[3],
        format!("  control 100 bytes {}…", "07".repeat(32))
    );
    assert!(
        lines[4].starts_with("  append 1/0@0: 1 records "),
        "{}",
        lines[4]
    );
}

/// Nobody writes that many blocks; a bug could write the number.
#[test]
fn what_has_the_last_number_that_there_is_is_no_block() {
    let last = BlockSequence(u64::MAX);
    let header = Header {
        sequence: last,
        synced: BlockSequence(0),
        content_size_bytes: 0,
        entry_count: 0,
        checksum: 0,
    };
    let mut journal = FileHeader {
        format: 2,
        shard: ShardId(0),
        first: last,
        salt: Salt::NONE,
    }
    .encode();
    journal.extend_from_slice(&header.encode(Salt::NONE));
    let disk = MemoryDisk::default();
    let path = PathBuf::from(format!("/{last}.journal"));
    disk.write_whole(&path, &journal).unwrap();
    let first = format!("journal of shard 0 from block {last}");
    let end = "40: torn: no whole block from here on";
    assert_eq!(shown(&disk, &path), [first.as_str(), end]);
}
