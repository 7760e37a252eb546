//! The contract of a [`SegmentStore`], for each implementation: files on a real disk, files on a
//! disk in memory, objects in memory.

use std::{path::Path, sync::Arc};

use stele_base_env::{Disk, LocalDisk};
use stele_test_disk::{Loss, MemoryDisk};

use crate::{
    Error, SegmentStore,
    limits::UNSYNCED_SIZE_BYTES_MAX,
    store::{LocalStore, MemoryStore, begin_anew},
};

const ROOT: &str = "/store";

fn on_every_store(test: fn(&dyn SegmentStore)) {
    let directory = tempfile::tempdir().unwrap();
    test(&LocalStore::new(Arc::new(LocalDisk), directory.path(), 8));
    test(&on(&new_disk()));
    test(&MemoryStore::default());
}

fn new_disk() -> MemoryDisk {
    let disk = MemoryDisk::default();
    disk.create_dir(Path::new(ROOT)).unwrap();
    disk.sync_dir(Path::new("/")).unwrap();
    disk
}

fn on(disk: &MemoryDisk) -> LocalStore {
    LocalStore::new(Arc::new(disk.clone()), Path::new(ROOT), 8)
}

fn put_all(store: &dyn SegmentStore, objects: &[(&str, &[u8])]) -> Result<(), Error> {
    let mut writer = store.writer()?;
    for (name, bytes) in objects {
        writer.begin(name)?;
        writer.write(bytes)?;
    }
    writer.finish()
}

#[test]
fn what_is_put_is_read_in_any_range() {
    on_every_store(|store| {
        put_all(store, &[("a/b/1", b"one"), ("a/2", b""), ("c/3", b"three")]).unwrap();
        assert_eq!(store.read_whole("a/b/1").unwrap(), "one");
        assert_eq!(store.read_whole("a/2").unwrap(), "");
        assert_eq!(store.read("c/3", 1, 3).unwrap(), "hre");
        assert_eq!(store.read("c/3", 3, 100).unwrap(), "ee");
        assert_eq!(store.read("c/3", 50, 100).unwrap(), "");
    });
}

#[test]
fn an_object_is_seen_once_it_is_finished_and_never_if_it_isnt() {
    on_every_store(|store| {
        let mut writer = store.writer().unwrap();
        writer.begin("a/1").unwrap();
        writer.write(&[1; 1000]).unwrap();
        drop(writer);
        assert!(store.list("").unwrap().is_empty());
        assert!(matches!(store.read_whole("a/1"), Err(Error::Gone { .. })));
        store.discard_unfinished().unwrap();
        store.put("a/1", b"short").unwrap();
        assert_eq!(store.read_whole("a/1").unwrap(), "short");
    });
}

#[test]
fn no_name_is_put_twice() {
    on_every_store(|store| {
        store.put("a/1", b"one").unwrap();
        let error = store.put("a/1", b"two").unwrap_err();
        assert!(error.is_already_there(), "{error}");
        assert_eq!(store.read_whole("a/1").unwrap(), "one");
        // Unless nothing refers to it.
        let mut writer = store.writer().unwrap();
        begin_anew(store, &mut *writer, "a/1").unwrap();
        writer.write(b"two").unwrap();
        writer.finish().unwrap();
        assert_eq!(store.read_whole("a/1").unwrap(), "two");
    });
}

#[test]
fn names_are_listed_by_how_they_begin() {
    on_every_store(|store| {
        assert!(store.list("a/").unwrap().is_empty());
        let names = ["a/1", "a/10", "a/b/1", "ab/1", "c/d/e/1"];
        for name in names {
            store.put(name, b"").unwrap();
        }
        assert_eq!(store.list("").unwrap(), names);
        assert_eq!(store.list("a/").unwrap(), names[..3]);
        assert_eq!(store.list("a/1").unwrap(), names[..2]);
        assert_eq!(store.list("c/d/").unwrap(), names[4..]);
        assert!(store.list("d/").unwrap().is_empty());
    });
}

#[test]
fn what_is_deleted_is_gone_however_often() {
    on_every_store(|store| {
        put_all(store, &[("a/b/1", b"one"), ("a/b/2", b"two")]).unwrap();
        assert_eq!(store.read_whole("a/b/1").unwrap(), "one");
        let names = ["a/b/1".to_owned(), "a/b/7".to_owned()];
        for _ in 0..2 {
            store.delete(&names).unwrap();
            assert!(matches!(store.read_whole("a/b/1"), Err(Error::Gone { .. })));
            assert_eq!(store.list("").unwrap(), ["a/b/2"]);
        }
        store.put("a/b/1", b"again").unwrap();
        assert_eq!(store.read_whole("a/b/1").unwrap(), "again");
    });
}

#[test]
fn many_objects_and_large_ones_are_put_alike() {
    on_every_store(|store| {
        let large = vec![7; 3 * UNSYNCED_SIZE_BYTES_MAX + 5];
        let mut writer = store.writer().unwrap();
        for at in 0..200u32 {
            writer.begin(&format!("a/{at}/x")).unwrap();
            writer.write(&at.to_le_bytes()).unwrap();
            if at == 100 {
                writer.begin("large").unwrap();
                writer.write(&large[..10]).unwrap();
                writer.write(&large[10..]).unwrap();
            }
        }
        writer.finish().unwrap();
        assert_eq!(store.list("a/").unwrap().len(), 200);
        for at in 0..200u32 {
            let found = store.read_whole(&format!("a/{at}/x")).unwrap();
            assert_eq!(found, at.to_le_bytes()[..]);
        }
        assert_eq!(store.read_whole("large").unwrap(), large);
    });
}

#[test]
fn what_a_killed_process_put_can_be_made_to_last() {
    let whole = new_disk();
    let before = whole.operations();
    on(&whole).put("a/b/1", b"one").unwrap();
    for at in 0..whole.operations() - before {
        let disk = new_disk();
        disk.die_after(at);
        on(&disk).put("a/b/1", b"one").unwrap_err();
        disk.restart();
        let store = on(&disk);
        if store.list("").unwrap().is_empty() {
            continue;
        }
        store.ensure_durable("a/b/1").unwrap();
        let store = on(&disk.after(Loss::Everything));
        assert_eq!(store.read_whole("a/b/1").unwrap(), "one", "{at}");
    }
}

#[test]
fn a_crash_leaves_each_object_whole_or_not_at_all() {
    let objects: [(&str, &[u8]); 4] = [
        ("a/1", &[1; 500]),
        ("a/b/2", &[2; 300]),
        ("c/3", &[3; 700]),
        ("c/4", b""),
    ];
    let live = |disk: &MemoryDisk| {
        let store = on(disk);
        store.put("a/0", b"before")?;
        put_all(&store, &objects)?;
        store.delete(&["a/0".to_owned(), "c/3".to_owned()])
    };
    let whole = new_disk();
    let before = whole.operations();
    live(&whole).unwrap();
    for at in 0..=whole.operations() - before {
        let disk = new_disk();
        disk.die_after(at);
        let done = live(&disk);
        for loss in [
            Loss::Nothing,
            Loss::Everything,
            Loss::Some(at),
            Loss::Some(!at),
        ] {
            let store = on(&disk.after(loss));
            for name in store.list("").unwrap() {
                let found = store.read_whole(&name).unwrap();
                let put = objects.iter().find(|(put, _)| *put == name);
                assert_eq!(
                    found,
                    put.map_or(&b"before"[..], |(_, bytes)| *bytes),
                    "{at} {loss:?}"
                );
            }
        }
        // What was reported as done stays done.
        if done.is_ok() {
            let store = on(&disk.after(Loss::Everything));
            assert_eq!(store.list("").unwrap(), ["a/1", "a/b/2", "c/4"]);
        }
    }
    let left = on(&whole.after(Loss::Everything)).list("").unwrap();
    assert_eq!(left, ["a/1", "a/b/2", "c/4"]);
}

#[test]
fn the_disk_is_given_little_at_a_time() {
    let disk = new_disk();
    let store = on(&disk);
    let mut writer = store.writer().unwrap();
    for at in 0..10 {
        writer.begin(&format!("a/{at}")).unwrap();
        (0..50).for_each(|_| writer.write(&[1; 10_000]).unwrap());
    }
    for at in 0..1000 {
        writer.begin(&format!("b/{at}")).unwrap();
        writer.write(&[1; 1000]).unwrap();
    }
    writer.finish().unwrap();
    let unsynced_bytes = disk.take_unsynced_bytes_max();
    assert!(
        unsynced_bytes <= UNSYNCED_SIZE_BYTES_MAX as u64,
        "{unsynced_bytes}"
    );
}
