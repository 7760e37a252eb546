use proptest::prelude::*;

use super::*;

fn at(seconds: u64) -> Timestamp {
    Timestamp::UNIX_EPOCH + Duration::from_secs(seconds)
}

/// Opens after 3 failures within 10 s, and probes after 5 s.
fn breaker() -> Breaker {
    Breaker::open_after(3)
        .within(Duration::from_secs(10))
        .probe_every(Duration::from_secs(5))
}

#[track_caller]
fn go(breaker: &mut Breaker, now: Timestamp) -> Turn {
    match breaker.pass(now) {
        Pass::Go(turn) => turn,
        other => panic!("{other:?} at {now:?}"),
    }
}

fn fail(breaker: &mut Breaker, now: Timestamp) {
    let turn = go(breaker, now);
    breaker.end(turn, TurnEnd::Failed, now);
}

fn opened_at_2() -> Breaker {
    let mut breaker = breaker();
    for second in 0..3 {
        fail(&mut breaker, at(second));
    }
    breaker
}

#[test]
fn enough_failures_in_a_short_time_open_it() {
    let mut breaker = opened_at_2();
    assert_eq!(breaker.state(), BreakerState::Open);
    assert_eq!(breaker.pass(at(6)), Pass::WaitUntil(at(7)));
    assert_eq!(breaker.probe_at(), Some(at(7)));
}

#[test]
fn failures_far_apart_do_not() {
    let mut breaker = breaker();
    for second in [0, 6, 11, 17, 22, 28] {
        fail(&mut breaker, at(second));
    }
    assert_eq!(breaker.state(), BreakerState::Closed);
}

#[test]
fn one_message_passes_when_the_time_is_over_and_its_success_closes_it() {
    let mut breaker = opened_at_2();
    let probe = go(&mut breaker, at(7));
    assert_eq!(breaker.state(), BreakerState::HalfOpen);
    assert_eq!(breaker.pass(at(7)), Pass::WaitForProbe);
    breaker.end(probe, TurnEnd::Succeeded, at(8));
    assert_eq!(breaker.state(), BreakerState::Closed);
    fail(&mut breaker, at(9));
    assert_eq!(breaker.state(), BreakerState::Closed, "it counts anew");
}

#[test]
fn a_failed_probe_opens_it_again() {
    let mut breaker = opened_at_2();
    let probe = go(&mut breaker, at(7));
    breaker.end(probe, TurnEnd::Failed, at(8));
    assert_eq!(breaker.pass(at(12)), Pass::WaitUntil(at(13)));
    assert!(matches!(breaker.pass(at(13)), Pass::Go(_)));
}

#[test]
fn a_probe_that_did_not_run_lets_another_through_at_once() {
    let mut breaker = opened_at_2();
    let probe = go(&mut breaker, at(7));
    breaker.end(probe, TurnEnd::Abandoned, at(8));
    assert!(matches!(breaker.pass(at(8)), Pass::Go(_)));
}

#[test]
fn turns_from_before_it_opened_change_nothing() {
    let mut breaker = breaker();
    let early = [go(&mut breaker, at(0)), go(&mut breaker, at(0))];
    for second in 0..3 {
        fail(&mut breaker, at(second));
    }
    breaker.end(early[0], TurnEnd::Succeeded, at(3));
    assert_eq!(breaker.pass(at(6)), Pass::WaitUntil(at(7)));
    let probe = go(&mut breaker, at(7));
    breaker.end(early[1], TurnEnd::Succeeded, at(7));
    assert_eq!(breaker.pass(at(7)), Pass::WaitForProbe);
    breaker.end(probe, TurnEnd::Succeeded, at(8));
    assert_eq!(breaker.state(), BreakerState::Closed);
}

proptest! {
    /// Whatever happens, it never lets two probes out, and it always lets a message through in
    /// time once the probes have ended.
    #[test]
    fn it_never_stays_shut(steps in proptest::collection::vec((0_u64..8, 0_u8..3), 1..200)) {
        let mut breaker = breaker();
        let mut now = at(0);
        for (seconds, end) in steps {
            now += Duration::from_secs(seconds);
            match breaker.pass(now) {
                Pass::Go(turn) => {
                    let second = breaker.pass(now);
                    prop_assert!(!turn.is_probe || second == Pass::WaitForProbe);
                    let ends = [TurnEnd::Succeeded, TurnEnd::Failed, TurnEnd::Abandoned];
                    breaker.end(turn, ends[usize::from(end)], now);
                }
                Pass::WaitUntil(until) => {
                    prop_assert!(until.since(now) <= Duration::from_secs(5));
                    prop_assert!(until > now);
                }
                Pass::WaitForProbe => prop_assert!(false, "the probe has ended"),
            }
        }
    }
}
