//! Commits of appends and settlements, on one shard and on two.

use smallvec::smallvec;
use stele_base_types::{Offset, PartitionIndex};

use super::{moves::owner, *};
use crate::{
    Admit, Append, AppendError, AppendTarget, Columns, Commit, CommitPart, LedgerId, Outcome,
    Overflow, PartAppend, PartBody, PartSettle, Settle, SettleItem, StoredRecord,
};

const BODY: &[u8] = b"a batch";

fn append(logs: &[LogId]) -> Append {
    Append {
        targets: logs
            .iter()
            .map(|log| AppendTarget::any_partition(*log))
            .collect(),
        count: 2,
        size_bytes: 100,
        timestamp: NOW,
        producer: None,
        columns: Columns::default(),
    }
}

fn part_append(log: LogId) -> PartAppend {
    PartAppend {
        targets: vec![log],
        count: 2,
        timestamp: NOW,
        schedules: Vec::new(),
        body: PartBody(BODY.into()),
    }
}

fn settle(log: LogId, item: SettleItem) -> Settle {
    Settle {
        log,
        ledger: LedgerId::DEFAULT,
        items: smallvec![item],
        outcome: Outcome::Done,
        durable: true,
    }
}

/// Takes two messages at most and refuses more.
fn bounded() -> LedgerConfig {
    LedgerConfig {
        ready_max: Some(3),
        overflow: Overflow::RefuseNew,
        ..LedgerConfig::default()
    }
}

#[test]
fn a_commit_on_one_shard_is_one_decision() {
    let (mut pair, here, _) = Pair::with_records(1);
    let near = pair.declare("near");
    let item = pair.lease(here).unwrap();
    let commit = Commit {
        appends: vec![append(&[near]), append(&[here, near]), append(&[near])],
        settles: vec![settle(here, item)],
        elsewhere: Vec::new(),
    };
    pair.shard(here).run(commit).unwrap();
    assert_eq!((pair.end(here), pair.end(near)), (3, 6));
    assert_eq!(pair.floor(here), 1);
    // After a crash it is as it was.
    pair.restart(0);
    assert_eq!((pair.end(here), pair.end(near)), (3, 6));
    assert_eq!(pair.floor(here), 1);
}

#[test]
fn a_commit_is_refused_as_a_whole() {
    let (mut pair, here, _) = Pair::with_records(1);
    let full = pair.declare_as("full", bounded());
    let full = if owner(full) == owner(here) {
        full
    } else {
        pair.declare_as("full too", bounded())
    };
    let item = pair.lease(here).unwrap();
    let commit = |count: usize| Commit {
        appends: std::iter::once(append(&[here]))
            .chain(std::iter::repeat_n(append(&[full]), count))
            .collect(),
        settles: vec![settle(here, item)],
        elsewhere: Vec::new(),
    };
    // Its own records count.
    assert_eq!(pair.shard(here).run(commit(2)), Err(AppendError::TooLong));
    assert_eq!(
        (pair.end(here), pair.end(full), pair.floor(here)),
        (1, 0, 0)
    );
    assert_eq!(pair.shard(here).run(commit(1)), Ok(()));
    assert_eq!(
        (pair.end(here), pair.end(full), pair.floor(here)),
        (3, 2, 1)
    );
    let admit = Admit {
        counts: vec![(full, (2, 0))],
    };
    assert_eq!(pair.shard(here).run(admit), Err(AppendError::TooLong));
    let admit = Admit {
        counts: vec![(full, (1, 0))],
    };
    assert_eq!(pair.shard(here).run(admit), Ok(()));
    // A repeated request would be found out there, and nothing else of the commit is.
    let mut identified = append(&[here]);
    identified.columns = Columns::of([crate::Schedule {
        deduplication: Some(1),
        ..crate::Schedule::default()
    }]);
    let appends = vec![identified];
    let commit = Commit {
        appends,
        ..Commit::default()
    };
    assert!(matches!(
        pair.shard(here).run(commit),
        Err(AppendError::Malformed(_))
    ));
}

#[test]
fn what_no_log_takes_is_dropped_and_told() {
    let (mut pair, here, _) = Pair::with_records(0);
    let gone = LogId(1_000);
    let mut commit = Commit {
        appends: vec![append(&[gone]), append(&[gone, here]), append(&[gone])],
        ..Commit::default()
    };
    assert_eq!(commit.drop_gone(&pair.shard(here).state.logs), [0, 2]);
    pair.shard(here).run(commit).unwrap();
    assert_eq!(pair.end(here), 2);
}

/// Commits an append here and there, and settles a record of each.
fn committed(pair: &mut Pair, (here, there): (LogId, LogId), full: LogId) -> [SettleItem; 2] {
    pair.append(there, crate::Schedule::default());
    let items = [pair.lease(here).unwrap(), pair.lease(there).unwrap()];
    let part = CommitPart {
        appends: vec![
            part_append(there),
            part_append(full),
            part_append(LogId(1_001)),
        ],
        settles: vec![PartSettle {
            log: there,
            ledger: LedgerId::DEFAULT,
            items: vec![items[1]],
            outcome: Outcome::Done,
        }],
    };
    let commit = Commit {
        appends: vec![append(&[here])],
        settles: vec![settle(here, items[0])],
        elsewhere: vec![part],
    };
    pair.shard(here).run(commit).unwrap();
    items
}

#[test]
fn a_part_on_another_shard_is_executed_once_whatever_crashes() {
    for crashed in [None, Some(0), Some(1)] {
        for steps in 0..4 {
            let (mut pair, here, there) = Pair::with_records(1);
            let mut full = pair.declare_as("full", bounded());
            if owner(full) == owner(here) {
                full = pair.declare_as("full too", bounded());
            }
            pair.deliver_all();
            pair.append(full, crate::Schedule::default());
            pair.append(full, crate::Schedule::default());
            committed(&mut pair, (here, there), full);
            assert_eq!(pair.backlog_bytes(), 3 * BODY.len() as u64);
            for _ in 0..steps {
                pair.send();
                pair.take();
            }
            if let Some(crashed) = crashed {
                // The lease there ends with the process; the record is settled nevertheless.
                pair.crash(crashed);
                pair.restart(crashed);
            }
            pair.deliver_all();
            assert_eq!(
                (pair.end(here), pair.end(there)),
                (3, 3),
                "{crashed:?} after {steps}"
            );
            assert_eq!((pair.floor(here), pair.floor(there)), (1, 1));
            // It takes more than its bound.
            assert_eq!(pair.end(full), 4);
            assert_eq!(pair.backlog_bytes(), 0);
        }
    }
}

#[test]
fn a_part_that_could_be_refused_is_refused_at_once() {
    let (mut pair, here, there) = Pair::with_records(0);
    let schedule = |key| crate::Schedule {
        key: Some(key),
        ..crate::Schedule::default()
    };
    let scheduled = |schedules| PartAppend {
        schedules,
        ..part_append(there)
    };
    let identified = crate::Schedule {
        deduplication: Some(1),
        ..crate::Schedule::default()
    };
    let none = PartAppend {
        count: 0,
        ..part_append(there)
    };
    for appends in [
        Vec::new(),
        vec![part_append(here)],
        vec![
            part_append(there),
            scheduled(vec![schedule(1), schedule(2)]),
        ],
        vec![scheduled(vec![identified])],
        vec![scheduled(vec![schedule(1); 3])],
        vec![none],
    ] {
        let part = CommitPart {
            appends,
            settles: Vec::new(),
        };
        let commit = Commit {
            appends: vec![append(&[here])],
            elsewhere: vec![part],
            ..Commit::default()
        };
        let refused = pair.shard(here).run(commit);
        assert!(
            matches!(refused, Err(AppendError::Malformed(_))),
            "{refused:?}"
        );
        assert_eq!(pair.end(here), 0);
    }
}

#[test]
fn a_part_is_stored_with_its_bodies() {
    let item = SettleItem {
        partition: PartitionIndex(1),
        offset: Offset(2),
        lease: None,
    };
    let part = CommitPart {
        appends: vec![part_append(LogId(3)), PartAppend::default()],
        settles: vec![PartSettle {
            log: LogId(3),
            ledger: LedgerId(1),
            items: vec![item],
            outcome: Outcome::Return(5),
        }],
    };
    let record = Record::Link(LinkRecord::Sent {
        to: OTHER,
        command: LinkCommand::Commit(Box::new(part)),
    });
    let mut applied = State::default();
    applied.apply(&record);
    let mut replayed = State::default();
    let stored = StoredRecord::read(&record.store(Vec::new())).unwrap();
    stored.apply_to(&mut replayed);
    assert_eq!(replayed.links, applied.links);
    assert_eq!(replayed.links.backlog_bytes(), BODY.len() as u64);
}
