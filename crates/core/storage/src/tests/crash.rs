//! A crash at every operation of a shard's life, and at every operation of the recovery from it.

use std::{path::Path, sync::Arc};

use stele_base_env::Disk;
use stele_base_types::{LogId, Offset};
use stele_test_disk::{Loss, MemoryDisk};

use super::harness::{Shard, State, batch, partition};
use crate::{Error, limits::SPARE_FILES_MAX, verify};

const PATH: &str = "/data";
const LOSSES: [Loss; 5] = [
    Loss::Everything,
    Loss::Nothing,
    Loss::Some(1),
    Loss::Some(2),
    Loss::Some(3),
];

/// The progress of a life.
#[derive(Clone, Debug, Default)]
struct Progress {
    /// What was acknowledged.
    synced: State,
    /// What was attempted.
    attempted: State,
    /// Nobody is entitled to records below these.
    floors: Vec<(u64, u64)>,
    deleted: bool,
}

impl Progress {
    fn commit(&mut self, shard: &mut Shard) -> Result<(), Error> {
        self.attempted = shard.state.clone();
        shard.commit()?;
        self.synced = shard.state.clone();
        Ok(())
    }

    fn checkpoint_all(&mut self, shard: &mut Shard) -> Result<(), Error> {
        for (log, floor) in &self.floors {
            shard.floors.insert(partition(*log, 0), Offset(*floor));
        }
        shard.checkpoint_all()
    }
}

/// A life that was interrupted.
struct Crashed<P> {
    /// The number of the operation that failed.
    at: u64,
    /// The disk, which fails until it is restarted.
    disk: MemoryDisk,
    /// The progress until then.
    progress: P,
}

/// Runs `live` once as a whole, then once for each of its operations, which is then the last one.
fn crashes_of<P: Default>(
    live: impl Fn(&Arc<dyn Disk>, &mut P) -> Result<(), Error>,
) -> Vec<Crashed<P>> {
    let whole = MemoryDisk::default();
    live(&shared(&whole), &mut P::default()).unwrap();
    let crash = |at| {
        let disk = MemoryDisk::default();
        disk.die_after(at);
        let mut progress = P::default();
        live(&shared(&disk), &mut progress).unwrap_err();
        Crashed { at, disk, progress }
    };
    (0..whole.operations()).map(crash).collect()
}

fn shared(disk: &MemoryDisk) -> Arc<dyn Disk> {
    Arc::new(disk.clone())
}

/// The value at an offset, which lets readers check what they get.
fn value(log: u64, offset: u64) -> Vec<u8> {
    format!("{log}/{offset}/{}", "x".repeat(90)).into_bytes()
}

fn append(shard: &mut Shard, log: u64) {
    let offset = shard.next(partition(log, 0)).0;
    let values = [value(log, offset), value(log, offset + 1)];
    let batch = batch(&[&values[0], &values[1]]);
    shard.append(&[partition(log, 0)], &batch);
}

/// Blocks, some of them unsynced for a while; files; three checkpoints, one of which continues
/// segments, drops some, and deletes a log; a restart in the middle.
fn live(disk: &Arc<dyn Disk>, progress: &mut Progress) -> Result<(), Error> {
    let mut shard = Shard::open(disk, Path::new(PATH))?;
    for round in 0..24u64 {
        shard.control(&round.to_le_bytes());
        append(&mut shard, 1);
        append(&mut shard, 2);
        append(&mut shard, 1 + round % 3);
        progress.attempted = shard.state.clone();
        if round % 4 == 1 {
            shard.write()?;
        } else {
            progress.commit(&mut shard)?;
        }
        if round == 8 {
            progress.floors = vec![(1, 10)];
            progress.checkpoint_all(&mut shard)?;
        }
        if round == 13 {
            // The process restarts with blocks written but not synced; it shows clients what it
            // recovers.
            drop(shard);
            shard = Shard::open(disk, Path::new(PATH))?;
            progress.synced = shard.state.clone();
        }
    }
    progress.commit(&mut shard)?;
    progress.floors = vec![(1, 50), (2, 40)];
    progress.deleted = true;
    shard.floors.remove(&partition(3, 0));
    shard.parts.index.remove_log(LogId(3), 1);
    progress.checkpoint_all(&mut shard)?;
    append(&mut shard, 1);
    progress.commit(&mut shard)?;
    progress.checkpoint_all(&mut shard)
}

/// Recovers, and asserts that everything required is there, and nothing that was never written.
fn assert_recovers(disk: &MemoryDisk, progress: &Progress, when: &str) -> State {
    let opened = Shard::open(&shared(disk), Path::new(PATH));
    let shard = opened.unwrap_or_else(|error| panic!("{when}: {error}"));
    let Progress {
        synced, attempted, ..
    } = progress;
    let controls = &shard.state.controls;
    assert!(
        controls.starts_with(&synced.controls),
        "{when}: a control record is lost"
    );
    assert!(
        attempted.controls.starts_with(controls),
        "{when}: a control record is made up"
    );
    for log in 1..=3 {
        let id = partition(log, 0);
        let next = shard.state.next.get(&id).map_or(0, |next| next.0);
        assert!(
            next >= synced.next.get(&id).map_or(0, |next| next.0),
            "{when}: log {log}"
        );
        assert!(
            next <= attempted.next.get(&id).map_or(0, |next| next.0),
            "{when}: log {log}"
        );
        assert_readable(&shard, progress, log, next, when);
    }
    shard.state
}

fn assert_readable(shard: &Shard, progress: &Progress, log: u64, next: u64, when: &str) {
    let floor = progress.floors.iter().find(|(of, _)| *of == log);
    let floor = match floor {
        _ if log == 3 && progress.deleted => next,
        Some((_, floor)) => *floor,
        None => 0,
    };
    let values = shard.values(partition(log, 0));
    for (offset, found) in &values {
        assert_eq!(
            *found,
            value(log, *offset),
            "{when}: log {log} offset {offset}"
        );
    }
    let mut wanted = floor..next;
    let offsets: Vec<u64> = values.iter().map(|(offset, _)| *offset).collect();
    assert!(
        wanted.all(|offset| offsets.contains(&offset)),
        "{when}: log {log} lacks some of {floor}..{next}: {offsets:?}"
    );
    assert!(
        offsets.is_sorted_by(|left, right| left + 1 == *right),
        "{when}: {offsets:?}"
    );
}

/// Checkpoints so often that most journal files are reused; restarts in the middle, with spares,
/// unsynced data, and one file more than are kept.
fn live_on_used_files(disk: &Arc<dyn Disk>, progress: &mut Progress) -> Result<(), Error> {
    let mut shard = Shard::open(disk, Path::new(PATH))?;
    for round in 0..30u64 {
        shard.control(&round.to_le_bytes());
        append(&mut shard, 1);
        (0..round % 4).for_each(|_| append(&mut shard, 2));
        progress.attempted = shard.state.clone();
        if round % 5 == 2 {
            shard.write()?;
        } else {
            progress.commit(&mut shard)?;
        }
        if round % 6 == 5 && round != 11 {
            progress.commit(&mut shard)?;
            shard.checkpoint()?;
        }
        if round == 20 {
            shard.control(b"unsynced");
            progress.attempted = shard.state.clone();
            shard.write()?;
            drop(shard);
            shard = Shard::open(disk, Path::new(PATH))?;
            progress.synced = shard.state.clone();
        }
    }
    progress.commit(&mut shard)
}

#[test]
fn nothing_acknowledged_is_lost_by_a_crash_while_files_are_used_again() {
    let crashes = crashes_of(live_on_used_files);
    let used_again = crashes.last().unwrap().disk.files_used_again();
    assert!(used_again > 3, "{used_again}");
    for Crashed { at, disk, progress } in crashes {
        for loss in LOSSES.into_iter().chain((4..12).map(Loss::Some)) {
            let when = format!("operation {at}, {loss:?}");
            let found = disk.after(loss);
            let state = assert_recovers(&found, &progress, &when);
            let second = assert_recovers(&found.after(Loss::Everything), &progress, &when);
            assert_eq!(second, state, "{when}");
        }
    }
}

#[test]
fn a_kill_while_files_are_used_again_tears_nothing() {
    for Crashed { at, disk, .. } in crashes_of(live_on_used_files) {
        let opened = Shard::open(&shared(&disk.after(Loss::Nothing)), Path::new(PATH)).unwrap();
        assert_eq!(opened.parts.report.torn_size_bytes, 0, "operation {at}");
    }
}

#[test]
fn nothing_acknowledged_is_lost_by_a_crash_at_any_operation() {
    let crashes = crashes_of(live);
    assert!(crashes.len() > 150, "{}", crashes.len());
    for Crashed { at, disk, progress } in crashes {
        for loss in LOSSES {
            let when = format!("operation {at}, {loss:?}");
            let disk = disk.after(loss);
            let state = assert_recovers(&disk, &progress, &when);
            // What recovery found is on disk now.
            for loss in [Loss::Everything, Loss::Some(9)] {
                let second = assert_recovers(&disk.after(loss), &progress, &when);
                assert_eq!(second, state, "{when}, then {loss:?}");
            }
        }
    }
}

#[test]
fn a_crash_during_recovery_changes_nothing() {
    let crashes = crashes_of(live).into_iter();
    let crashes = crashes.chain(crashes_of(live_on_used_files));
    for Crashed { at, disk, progress } in crashes.step_by(3) {
        for loss in [Loss::Nothing, Loss::Some(at)] {
            let found = disk.after(loss);
            let undisturbed = found.after(Loss::Nothing);
            let expected = assert_recovers(&undisturbed, &progress, "undisturbed");
            for second in 0.. {
                let disk = found.after(Loss::Nothing);
                disk.die_after(second);
                if Shard::open(&shared(&disk), Path::new(PATH)).is_ok() {
                    break;
                }
                for loss in [Loss::Everything, Loss::Nothing, Loss::Some(second)] {
                    let when = format!("operations {at}, {second}, {loss:?}");
                    let state = assert_recovers(&disk.after(loss), &progress, &when);
                    assert_eq!(state, expected, "{when}");
                }
            }
        }
    }
}

/// The next process continues with what the killed one created and hadn't synced.
#[test]
fn a_kill_at_any_operation_and_a_power_cut_later_lose_nothing() {
    let crashes = crashes_of(live).into_iter();
    for crashed in crashes.chain(crashes_of(live_on_used_files)) {
        let Crashed {
            at,
            disk,
            mut progress,
        } = crashed;
        disk.restart();
        let mut shard = Shard::open(&shared(&disk), Path::new(PATH)).unwrap();
        append(&mut shard, 1);
        progress.commit(&mut shard).unwrap();
        for is_checkpointed in [false, true] {
            if is_checkpointed {
                progress.checkpoint_all(&mut shard).unwrap();
            }
            for loss in [Loss::Everything, Loss::Some(at)] {
                let when = format!("operation {at}, {loss:?}, checkpointed: {is_checkpointed}");
                assert_recovers(&disk.after(loss), &progress, &when);
            }
        }
    }
}

#[test]
fn no_file_is_left_that_nothing_refers_to() {
    for Crashed { at, disk, .. } in crashes_of(live) {
        let disk = disk.after(Loss::Some(at));
        let mut shard = Shard::open(&shared(&disk), Path::new(PATH)).unwrap();
        shard.commit().unwrap();
        // All logs are deleted: one journal file, one snapshot with its part files, and some spares
        // remain.
        shard.floors.clear();
        shard.checkpoint_all().unwrap();
        let files = disk.files();
        let names: Vec<_> = files.iter().map(|path| path.to_string_lossy()).collect();
        let count = |kind| names.iter().filter(|it| it.ends_with(kind)).count();
        assert!(
            count(".spare") <= SPARE_FILES_MAX,
            "operation {at}: {names:?}"
        );
        let counts = [".journal", ".snapshot", ".log", ".index", ".tmp"].map(count);
        assert_eq!(counts, [1, 1, 0, 0, 0], "operation {at}: {names:?}");
        drop(shard);
        let mut findings = Vec::new();
        let report = &mut |finding| findings.push(finding);
        verify(shared(&disk), Path::new(PATH), report).unwrap();
        assert_eq!(findings, [], "operation {at}");
    }
}

#[test]
fn what_a_checkpoint_left_that_was_cut_short_goes_with_the_next_one() {
    let live = |disk: &Arc<dyn Disk>, (): &mut ()| {
        let mut shard = Shard::open(disk, Path::new(PATH))?;
        append(&mut shard, 1);
        shard.commit()?;
        shard.checkpoint_all()
    };
    for Crashed { at, disk, .. } in crashes_of(live) {
        disk.restart();
        let mut shard = Shard::open(&shared(&disk), Path::new(PATH)).unwrap();
        append(&mut shard, 1);
        shard.commit().unwrap();
        // Nobody needs it by now, so it isn't copied again.
        let next = shard.next(partition(1, 0));
        shard.floors.insert(partition(1, 0), next);
        shard.checkpoint_all().unwrap();
        let files = disk.files();
        let left = files
            .iter()
            .find(|path| path.starts_with("/data/shard-0/segments"));
        assert_eq!(left, None, "operation {at}");
    }
}

/// Enough partitions that they are synced together, checkpointed twice; then most are deleted.
fn live_with_many(disk: &Arc<dyn Disk>, synced: &mut State) -> Result<(), Error> {
    let mut shard = Shard::open(disk, Path::new(PATH))?;
    for _ in 0..2 {
        for log in 1..=20 {
            append(&mut shard, log);
        }
        shard.commit()?;
        *synced = shard.state.clone();
        shard.checkpoint_all()?;
    }
    shard.floors.retain(|partition, _| partition.log.0 <= 2);
    (3..=20).for_each(|log| shard.parts.index.remove_log(LogId(log), 1));
    shard.checkpoint_all()
}

#[test]
fn a_crash_while_many_partitions_are_checkpointed_loses_nothing_either() {
    for crashed in crashes_of(live_with_many) {
        let Crashed {
            at,
            disk,
            progress: synced,
        } = crashed;
        for loss in [Loss::Everything, Loss::Some(at)] {
            let shard = Shard::open(&shared(&disk.after(loss)), Path::new(PATH)).unwrap();
            for (id, next) in &synced.next {
                assert!(shard.state.next[id] >= *next, "{at} {loss:?}");
                let values = shard.values(*id);
                let is_kept = id.log.0 <= 2;
                assert!(
                    values.len() as u64 >= next.0 || !is_kept,
                    "{at} {loss:?} {id}"
                );
                for (offset, found) in values {
                    assert_eq!(found, value(id.log.0, offset));
                }
            }
        }
    }
}
