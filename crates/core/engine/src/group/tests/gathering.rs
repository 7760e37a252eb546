//! A group without members waits for more of them after the first.

use super::*;

const DELAY_MS: u64 = 3_000;

/// A first join to a group that waits for more members.
fn early(member: &str) -> JoinGroup {
    JoinGroup {
        gathering_ms: DELAY_MS as u32,
        ..first(member)
    }
}

#[test]
fn members_that_come_together_share_the_first_generation() {
    let mut driven = Driven::default();
    let a = driven.join(early("a"));
    driven.pass(DELAY_MS - 1);
    let b = driven.join(early("b"));
    assert_eq!(driven.state(), "PreparingRebalance");
    // A new member has come, so there may be more.
    driven.pass(DELAY_MS);
    assert_eq!(driven.state(), "PreparingRebalance");
    driven.pass(1);
    let (a, b) = (driven.joined(a), driven.joined(b));
    assert_eq!((a.generation, b.generation), (1, 1));
    assert_eq!(a.members.len() + b.members.len(), 2);
}

#[test]
fn a_member_alone_waits_once() {
    let mut driven = Driven::default();
    let a = driven.join(early("a"));
    driven.pass(DELAY_MS - 1);
    assert_eq!(driven.state(), "PreparingRebalance");
    driven.pass(1);
    assert_eq!(driven.joined(a).generation, 1);
}

#[test]
fn gathering_ends_with_the_first_members_rebalance_timeout() {
    let mut driven = Driven::default();
    let timeout_ms = u64::from(early("a").rebalance_timeout_ms);
    driven.join(early("0"));
    let mut passed_ms = 0;
    while driven.state() == "PreparingRebalance" {
        assert!(passed_ms < timeout_ms);
        driven.pass(500);
        passed_ms += 500;
        if driven.state() == "PreparingRebalance" {
            driven.join(early(&passed_ms.to_string()));
        }
    }
    assert_eq!(passed_ms, timeout_ms);
}

#[test]
fn who_only_has_an_id_yet_is_not_waited_for_longer() {
    let mut driven = Driven::default();
    let a = driven.join(early("a"));
    let required = JoinGroup {
        member_id_required: true,
        ..early("b")
    };
    driven.join(required);
    driven.pass(DELAY_MS);
    assert_eq!(driven.joined(a).generation, 1);
}

#[test]
fn a_group_that_had_members_waits_once_and_one_that_has_some_does_not() {
    let mut driven = Driven::default();
    let a = driven.join(early("a"));
    driven.pass(DELAY_MS);
    assert_eq!(driven.joined(a).generation, 1);
    let b = driven.join(early("b"));
    let a = driven.join(join("a"));
    assert_eq!(driven.joined(a).generation, 2);
    assert_eq!(driven.joined(b).generation, 2);
    driven.leave("a", None).unwrap();
    driven.leave("b", None).unwrap();
    assert_eq!(driven.state(), "Empty");
    let c = driven.join(early("c"));
    driven.pass(DELAY_MS - 1);
    let d = driven.join(early("d"));
    assert_eq!(driven.state(), "PreparingRebalance");
    driven.pass(1);
    let generation = driven.joined(c).generation;
    assert_eq!(driven.joined(d).generation, generation);
}

#[test]
fn a_group_that_everybody_leaves_while_it_gathers_is_empty() {
    let mut driven = Driven::default();
    driven.join(early("a"));
    driven.leave("a", None).unwrap();
    driven.pass(DELAY_MS);
    assert_eq!(driven.state(), "Empty");
}
