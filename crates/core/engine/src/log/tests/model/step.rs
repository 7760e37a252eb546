//! The steps of a random history.

use proptest::prelude::*;

use crate::{DeathReason, DeathReasons, LedgerConfig, Outcome, Schedule};

#[derive(Clone, Debug)]
pub(super) enum Step {
    Append {
        partition: u32,
        schedules: Vec<Schedule>,
    },
    Commit,
    Lease {
        session: u64,
        records_max: u32,
        lease_ms: Option<u64>,
    },
    Settle {
        pick: usize,
        outcome: Outcome,
        exact: bool,
    },
    Extend {
        pick: usize,
        term_ms: u64,
    },
    Renew {
        pick: usize,
        before: u32,
        term_ms: u64,
    },
    Move {
        pick: usize,
        exact: bool,
        is_copied: bool,
    },
    EndMove {
        pick: usize,
        taken: bool,
    },
    Pass(u64),
    CloseSession(u64),
    Subscribe {
        session: u64,
        prefetch: u32,
    },
    Unsubscribe {
        pick: usize,
    },
    Purge,
    Trim {
        pick: usize,
        force: bool,
    },
    Snapshot,
    Restart,
}

/// A step of a history in which records don't leave by themselves.
pub(super) fn step() -> impl Strategy<Value = Step> {
    let delay = prop_oneof![3 => Just(None), 1 => (1..150u64).prop_map(Some)];
    step_with((delay, Just(None)))
}

/// A step of a history in which some records have a time to live. It is too short for records of
/// different times to end together.
pub(super) fn step_of_mortals() -> impl Strategy<Value = Step> {
    let delay = prop_oneof![3 => Just(None), 1 => (1..50u64).prop_map(Some)];
    let life = prop_oneof![2 => Just(None), 1 => (0..50u64).prop_map(Some)];
    step_with((delay, life))
}

/// How a queue limits how often and how long it has its records, and why they are dead letters.
pub(super) fn mortality() -> impl Strategy<Value = LedgerConfig> {
    let expiry = prop_oneof![1 => Just(None), 2 => (1..200u64).prop_map(Some)];
    let reasons = prop::sample::subsequence(DeathReason::ALL.to_vec(), 0..=4);
    (1..4u32, expiry, reasons).prop_map(|(deliveries_max, expiry_ms, reasons)| LedgerConfig {
        expiry_ms,
        deliveries_max: Some(deliveries_max),
        dead_letters: reasons
            .into_iter()
            .fold(DeathReasons::NONE, DeathReasons::and),
        ..LedgerConfig::PLAIN
    })
}

/// With the delays and the times to live of appended records.
fn step_with(
    times: impl Strategy<Value = (Option<u64>, Option<u64>)> + 'static,
) -> impl Strategy<Value = Step> {
    prop_oneof![
        20 => append(times),
        12 => Just(Step::Commit),
        16 => lease(),
        24 => settle(),
        4 => (any::<prop::sample::Index>(), prop_oneof![Just(0), 1..200u64])
            .prop_map(|(pick, term_ms)| Step::Extend { pick: index(pick), term_ms }),
        6 => renew(),
        6 => moving(),
        6 => (any::<prop::sample::Index>(), any::<bool>())
            .prop_map(|(pick, taken)| Step::EndMove { pick: index(pick), taken }),
        8 => (1..120u64).prop_map(Step::Pass),
        4 => (1..4u64).prop_map(Step::CloseSession),
        3 => (1..4u64, 0..4u32)
            .prop_map(|(session, prefetch)| Step::Subscribe { session, prefetch }),
        1 => any::<prop::sample::Index>().prop_map(|pick| Step::Unsubscribe { pick: index(pick) }),
        1 => Just(Step::Purge),
        2 => (any::<prop::sample::Index>(), any::<bool>())
            .prop_map(|(pick, force)| Step::Trim { pick: index(pick), force }),
        2 => Just(Step::Snapshot),
        1 => Just(Step::Restart),
    ]
}

fn append(times: impl Strategy<Value = (Option<u64>, Option<u64>)>) -> impl Strategy<Value = Step> {
    let body =
        prop_oneof![3 => Just(Some(100)), 2 => (0..1_000u32).prop_map(Some), 1 => Just(None)];
    let schedule =
        (times, 0..3u64, body).prop_map(|((delay_ms, expiry_ms), group, body_bytes)| Schedule {
            delay_ms,
            expiry_ms,
            group: Some(group),
            body_bytes,
            ..Schedule::default()
        });
    let schedules = prop::collection::vec(schedule, 1..5);
    (0..super::PARTITIONS, schedules).prop_map(|(partition, schedules)| Step::Append {
        partition,
        schedules,
    })
}

fn lease() -> impl Strategy<Value = Step> {
    let term = prop_oneof![Just(None), (1..150u64).prop_map(Some)];
    (1..4u64, 1..5u32, term).prop_map(|(session, records_max, lease_ms)| Step::Lease {
        session,
        records_max,
        lease_ms,
    })
}

fn settle() -> impl Strategy<Value = Step> {
    let outcome = prop_oneof![
        4 => Just(Outcome::Done),
        3 => Just(Outcome::Return(0)),
        1 => (1..100u64).prop_map(Outcome::Return),
        1 => Just(Outcome::Reject),
        1 => Just(Outcome::Expire),
    ];
    (any::<prop::sample::Index>(), outcome, any::<bool>()).prop_map(|(pick, outcome, exact)| {
        Step::Settle {
            pick: index(pick),
            outcome,
            exact,
        }
    })
}

fn moving() -> impl Strategy<Value = Step> {
    (any::<prop::sample::Index>(), any::<bool>(), any::<bool>()).prop_map(
        |(pick, exact, is_copied)| Step::Move {
            pick: index(pick),
            exact,
            is_copied,
        },
    )
}

fn renew() -> impl Strategy<Value = Step> {
    let before = prop_oneof![4 => Just(0), 1 => Just(1)];
    let term = prop_oneof![1 => Just(0), 4 => 1..150u64];
    (any::<prop::sample::Index>(), before, term).prop_map(|(pick, before, term_ms)| Step::Renew {
        pick: index(pick),
        before,
        term_ms,
    })
}

/// An index into a collection of any size.
fn index(pick: prop::sample::Index) -> usize {
    pick.index(1_000)
}
