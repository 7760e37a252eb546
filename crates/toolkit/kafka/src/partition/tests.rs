use std::time::Duration;

use super::*;

const NEW: Accepted = Accepted::Deliver {
    is_redelivered: false,
};
const AGAIN: Accepted = Accepted::Deliver {
    is_redelivered: true,
};

#[expect(clippy::disallowed_methods, reason = "only differences of it count")]
fn start() -> Instant {
    Instant::now()
}

fn with_records(count: i64, now: Instant) -> Partition {
    let mut partition = Partition::assigned(1, 0);
    for offset in 0..count {
        assert_eq!(partition.accept(offset, now), NEW);
    }
    partition
}

#[test]
fn the_lowest_unfinished_record_holds_back_what_is_committed() {
    let now = start();
    let mut partition = with_records(4, now);
    assert_eq!(partition.to_commit(), None);
    assert!(partition.finish(1) && partition.finish(3));
    assert_eq!(partition.to_commit(), None);
    assert!(partition.finish(0));
    assert_eq!(partition.to_commit(), Some(2));
    partition.committed(2);
    assert_eq!(partition.to_commit(), None);
    assert!(partition.finish(2));
    assert_eq!(partition.to_commit(), Some(4));
    assert!(!partition.finish(2), "it isn't held any more");
}

#[test]
fn offsets_may_have_gaps() {
    let now = start();
    let mut partition = Partition::assigned(1, 0);
    assert_eq!(partition.accept(10, now), NEW);
    assert_eq!(partition.accept(17, now), NEW);
    assert!(partition.finish(10));
    assert_eq!(partition.to_commit(), Some(17));
    assert!(partition.finish(17));
    assert_eq!(partition.to_commit(), Some(18));
}

#[test]
fn a_record_that_is_back_holds_up_what_is_behind_it_until_it_is_due() {
    let now = start();
    let later = now + Duration::from_secs(1);
    let mut partition = with_records(3, now);
    assert!(partition.finish(2));
    assert!(partition.give_back(0, later, true));
    assert_eq!(partition.reading(now), Reading::Pause);
    assert_eq!(partition.accept(3, now), Accepted::Skip);
    assert_eq!(partition.reading(later), Reading::Rewind(0));
    partition.rewound(0);
    assert_eq!(partition.reading(later), Reading::Continue);
    assert_eq!(partition.accept(0, later), AGAIN);
    assert_eq!(partition.accept(1, later), Accepted::Skip, "it is held");
    assert_eq!(partition.accept(2, later), Accepted::Skip, "it is finished");
    assert_eq!(partition.accept(3, later), NEW);
}

#[test]
fn of_several_that_are_back_each_waits_for_its_time() {
    let now = start();
    let [soon, later] = [1, 5].map(|seconds| now + Duration::from_secs(seconds));
    let mut partition = with_records(3, now);
    assert!(partition.give_back(2, later, true));
    assert!(partition.give_back(0, soon, true));
    assert_eq!(partition.reading(soon), Reading::Rewind(0));
    partition.rewound(0);
    assert_eq!(partition.accept(0, soon), AGAIN);
    assert_eq!(partition.accept(1, soon), Accepted::Skip);
    assert_eq!(partition.accept(2, soon), Accepted::Skip);
    assert_eq!(partition.reading(soon), Reading::Pause);
    assert_eq!(partition.reading(later), Reading::Rewind(2));
}

#[test]
fn a_lower_record_that_comes_back_rewinds_further() {
    let now = start();
    let mut partition = with_records(3, now);
    assert!(partition.give_back(1, now, true));
    partition.rewound(1);
    assert!(partition.give_back(0, now, true));
    assert_eq!(partition.reading(now), Reading::Rewind(0));
}

#[test]
fn a_record_that_is_removed_while_it_is_back_holds_up_nothing() {
    let now = start();
    let mut partition = with_records(2, now);
    assert!(partition.finish(1));
    assert!(partition.give_back(0, now, true));
    partition.rewound(0);
    assert_eq!(partition.accept(2, now), NEW);
    assert_eq!(partition.to_commit(), Some(2));
}

#[test]
fn what_was_never_handed_out_is_new_when_it_is_read_again() {
    let now = start();
    let mut partition = with_records(2, now);
    assert!(partition.give_back(0, now, true));
    assert!(partition.give_back(1, now, false));
    partition.rewound(0);
    assert_eq!(partition.accept(0, now), AGAIN);
    assert_eq!(partition.reading(now), Reading::Rewind(1));
    partition.rewound(1);
    assert_eq!(partition.accept(1, now), NEW);
}

#[test]
fn what_another_consumer_may_have_had_is_told() {
    let now = start();
    let mut partition = Partition::assigned(1, 7);
    assert_eq!(partition.accept(6, now), AGAIN);
    assert_eq!(partition.accept(7, now), NEW);
    let window = i64::try_from(WINDOW).expect("small");
    let mut partition = Partition::assigned(1, i64::MAX);
    assert_eq!(partition.accept(0, now), AGAIN);
    assert_eq!(partition.accept(window, now), NEW);
}

#[test]
fn reading_stops_at_the_end_of_the_window_until_more_is_committed() {
    let now = start();
    let window = i64::try_from(WINDOW).expect("small");
    let mut partition = with_records(window, now);
    assert_eq!(partition.reading(now), Reading::Pause);
    for offset in 0..window {
        assert!(partition.finish(offset));
    }
    assert!(partition.must_commit());
    assert_eq!(partition.reading(now), Reading::Pause);
    partition.committed(window);
    assert_eq!(partition.reading(now), Reading::Continue);
}

proptest::proptest! {
    /// Whatever happens in whatever order, nothing is committed that isn't finished, no record is
    /// held twice, and in the end every record is finished once.
    #[test]
    fn every_record_is_finished_once(steps in proptest::collection::vec((0u8..4, 0usize..8), 1..200)) {
        const RECORDS: i64 = 20;
        let now = start();
        let mut partition = Partition::assigned(1, 0);
        let (mut next, mut held, mut finished) = (0, Vec::new(), BTreeSet::new());
        let mut step = |action: u8, choice: usize| {
            if let Reading::Rewind(offset) = partition.reading(now) {
                partition.rewound(offset);
                next = offset;
            }
            match action {
                0 | 3 if next < RECORDS => {
                    if partition.accept(next, now) != Accepted::Skip {
                        assert!(!held.contains(&next) && !finished.contains(&next));
                        held.push(next);
                    }
                    next += 1;
                }
                1 if !held.is_empty() => {
                    let offset = held.remove(choice % held.len());
                    assert!(partition.finish(offset));
                    finished.insert(offset);
                }
                2 if !held.is_empty() => {
                    let offset = held.remove(choice % held.len());
                    assert!(partition.give_back(offset, now, true));
                }
                _ => {}
            }
            let committed = partition.to_commit().unwrap_or(0);
            assert!((0..committed).all(|offset| finished.contains(&offset)));
            finished.len()
        };
        for (action, choice) in steps {
            step(action, choice);
        }
        let mut rounds = 0;
        while step(0, 0) < 20 {
            step(1, 0);
            rounds += 1;
            assert!(rounds < 1000, "it makes no progress");
        }
    }
}
