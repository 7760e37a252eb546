use proptest::prelude::*;

use super::*;
use crate::Failure;

const SECOND: Duration = Duration::from_secs(1);

#[derive(Debug, thiserror::Error)]
#[error("a bad order")]
struct BadOrder;

#[derive(Debug, thiserror::Error)]
#[error("can't check the order")]
struct Wrapped(#[source] BadOrder);

fn cause(failure: Failure) -> Cause {
    match failure {
        Failure::Retry(cause) => cause,
        other => panic!("not a retry: {other:?}"),
    }
}

fn known_to_none(_: &(dyn Error + 'static)) -> Option<FailureClass> {
    None
}

#[test]
fn the_longest_times_double_up_to_the_maximum() {
    let policy = Policy::attempts(9).backoff(SECOND..5 * SECOND, Jitter::None);
    let after = |attempts| policy.verdict(FailureClass::Error, attempts, 0);
    for (attempts, seconds) in [(1, 1), (2, 2), (3, 4), (4, 5), (8, 5)] {
        let after_seconds = Verdict::Retry {
            after: seconds * SECOND,
        };
        assert_eq!(after(attempts), after_seconds, "after attempt {attempts}");
    }
    assert_eq!(after(9), Verdict::Dead);
}

#[test]
fn the_default_is_three_attempts_and_one_for_what_fails_again() {
    let policy = Policy::default();
    for class in FailureClass::ALL {
        let attempts = match class {
            FailureClass::Permanent | FailureClass::Rejected | FailureClass::Unreadable => 1,
            _ => 3,
        };
        assert_eq!(policy.attempts_max(class), attempts, "{class}");
    }
}

#[test]
fn classes_have_rules_of_their_own() {
    let policy = Policy::attempts(2)
        .attempts_of(FailureClass::Transient, 5)
        .backoff_of(FailureClass::Transient, SECOND..SECOND, Jitter::None)
        .attempts_of(FailureClass::Rejected, 7);
    assert_eq!(
        policy.verdict(FailureClass::Transient, 4, u64::MAX),
        Verdict::Retry { after: SECOND }
    );
    assert_eq!(policy.verdict(FailureClass::Transient, 5, 0), Verdict::Dead);
    assert_eq!(policy.verdict(FailureClass::Error, 2, 0), Verdict::Dead);
    assert_eq!(policy.verdict(FailureClass::Rejected, 1, 0), Verdict::Dead);
    assert_eq!(policy.backoff_max(), Duration::from_secs(30));
}

#[test]
fn an_error_is_found_behind_what_wraps_it() {
    let policy = Policy::default().reject_on::<BadOrder>();
    let class = |cause: &Cause| policy.class_of(cause, known_to_none);
    assert_eq!(class(&cause(BadOrder.into())), FailureClass::Rejected);
    assert_eq!(
        class(&cause(Wrapped(BadOrder).into())),
        FailureClass::Rejected
    );
    assert_eq!(class(&cause(Failure::retry("text"))), FailureClass::Error);
}

#[test]
fn the_policy_decides_before_the_store() {
    let by_store = |_: &(dyn Error + 'static)| Some(FailureClass::Transient);
    let error = cause(BadOrder.into());
    let policy = Policy::default();
    assert_eq!(policy.class_of(&error, by_store), FailureClass::Transient);
    let policy = policy.reject_on::<BadOrder>();
    assert_eq!(policy.class_of(&error, by_store), FailureClass::Rejected);
}

proptest! {
    #[test]
    fn no_time_is_longer_than_the_longest(
        first in 0_u64..10_000_000, max in 0_u64..10_000_000, attempt in any::<u32>(),
        random in any::<u64>(),
    ) {
        let backoff = |jitter| Backoff {
            first: Duration::from_micros(first),
            max: Duration::from_micros(max),
            jitter,
        };
        let longest = backoff(Jitter::None).after(attempt, random);
        prop_assert!(longest <= Duration::from_micros(max));
        prop_assert!(backoff(Jitter::Full).after(attempt, random) <= longest);
        prop_assert!(longest <= backoff(Jitter::None).after(attempt.saturating_add(1), random));
    }

    #[test]
    fn every_message_ends(
        attempts in 0_u32..50, transient in 0_u32..50, class in 0..FailureClass::ALL.len(),
        random in any::<u64>(),
    ) {
        let policy = Policy::attempts(attempts).attempts_of(FailureClass::Transient, transient);
        let class = FailureClass::ALL[class];
        let retries = (1..).take_while(|n| policy.verdict(class, *n, random) != Verdict::Dead);
        prop_assert_eq!(retries.count() + 1, policy.attempts_max(class) as usize);
    }
}

#[test]
fn full_jitter_uses_the_whole_time() {
    let backoff = Backoff {
        first: SECOND,
        max: SECOND,
        jitter: Jitter::Full,
    };
    assert_eq!(backoff.after(1, 0), Duration::ZERO);
    assert_eq!(backoff.after(1, u64::MAX / 2 + 1), SECOND / 2);
    assert!(backoff.after(1, u64::MAX) > SECOND * 99 / 100);
}
