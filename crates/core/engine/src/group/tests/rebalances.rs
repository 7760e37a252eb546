use super::*;
use crate::limits::GROUP_MEMBERS_MAX;

#[test]
fn the_first_member_leads_at_once() {
    let mut driven = Driven::default();
    let token = driven.join(first("a"));
    let joined = driven.joined(token);
    assert_eq!((joined.generation, &*joined.leader), (1, "a"));
    assert_eq!((&*joined.member, &*joined.protocol), ("a", "range"));
    assert_eq!(joined.members.len(), 1);
    assert_eq!(&*joined.members[0].metadata, b"topics");
    assert_eq!(driven.state(), "CompletingRebalance");
}

#[test]
fn a_first_join_gets_an_id_to_join_with() {
    let mut driven = Driven::default();
    let required = JoinGroup {
        member_id_required: true,
        ..first("a")
    };
    let token = driven.join(required);
    assert_eq!(driven.invited(token), "a");
    let token = driven.join(join("a"));
    assert_eq!(&*driven.joined(token).member, "a");
}

#[test]
fn an_id_given_out_is_forgotten_after_a_session_timeout() {
    let mut driven = Driven::default();
    let required = JoinGroup {
        member_id_required: true,
        ..first("a")
    };
    driven.join(required);
    driven.pass(SESSION_MS.into());
    let token = driven.join(join("a"));
    assert_eq!(driven.error(token), GroupError::UnknownMember);
    assert!(
        driven.state.groups.groups.iter().next().is_none(),
        "nothing is left of it"
    );
}

#[test]
fn an_id_given_out_holds_the_rebalance_up() {
    let mut driven = Driven::default();
    let required = JoinGroup {
        member_id_required: true,
        ..first("b")
    };
    driven.join(required);
    let a = driven.join(first("a"));
    assert_eq!(driven.state(), "PreparingRebalance");
    let b = driven.join(join("b"));
    assert_eq!(driven.joined(a).generation, driven.joined(b).generation);
}

#[test]
fn an_unknown_id_is_refused() {
    let mut driven = Driven::default();
    let token = driven.join(join("stranger"));
    assert_eq!(driven.error(token), GroupError::UnknownMember);
}

#[test]
fn a_join_without_a_group_name_is_refused() {
    let mut driven = Driven::default();
    let token = driven.join(JoinGroup {
        group: Name::new("").unwrap(),
        ..first("a")
    });
    assert_eq!(driven.error(token), GroupError::InvalidGroup);
}

#[test]
fn session_timeouts_have_bounds() {
    let mut driven = Driven::default();
    for session_timeout_ms in [5_999, 1_800_001] {
        let token = driven.join(JoinGroup {
            session_timeout_ms,
            ..first("a")
        });
        assert_eq!(driven.error(token), GroupError::SessionTimeout);
    }
}

#[test]
fn a_second_member_makes_the_first_join_again() {
    let mut driven = Driven::default();
    let generation = driven.pair();
    assert_eq!(driven.heartbeat("a", generation), Ok(HeartbeatReply::Stay));
    let c = driven.join(first("c"));
    assert_eq!(
        driven.heartbeat("a", generation),
        Ok(HeartbeatReply::Rejoin)
    );
    assert_eq!(driven.state(), "PreparingRebalance");
    let a = driven.join(join("a"));
    let b = driven.join(join("b"));
    let joined = driven.joined(a);
    assert_eq!(joined.generation, generation + 1);
    assert_eq!(&*joined.leader, "a", "who leads goes on leading");
    assert_eq!(joined.members.len(), 3);
    assert!(driven.joined(b).members.is_empty());
    assert!(driven.joined(c).members.is_empty());
    assert_eq!(
        driven.heartbeat("a", generation),
        Err(GroupError::IllegalGeneration)
    );
}

#[test]
fn members_that_do_not_join_again_in_time_are_out() {
    let mut driven = Driven::default();
    let generation = driven.pair();
    let c = driven.join(first("c"));
    for _ in 0..6 {
        for member in ["a", "b"] {
            let told = driven.heartbeat(member, generation);
            assert_eq!(told, Ok(HeartbeatReply::Rejoin));
        }
        driven.pass(9_000);
    }
    let b = driven.join(join("b"));
    assert_eq!(
        driven.heartbeat("a", generation),
        Ok(HeartbeatReply::Rejoin)
    );
    driven.pass(6_000);
    let joined = driven.joined(b);
    assert_eq!(&*joined.leader, "b");
    assert_eq!(joined.members.len(), 2);
    assert_eq!(driven.joined(c).generation, joined.generation);
    assert_eq!(
        driven.heartbeat("a", generation),
        Err(GroupError::UnknownMember)
    );
}

#[test]
fn a_silent_member_is_out_after_its_session_timeout() {
    let mut driven = Driven::default();
    let generation = driven.pair();
    driven.pass(9_000);
    assert_eq!(driven.heartbeat("a", generation), Ok(HeartbeatReply::Stay));
    driven.pass(2_000);
    assert_eq!(
        driven.heartbeat("b", generation),
        Err(GroupError::UnknownMember)
    );
    assert_eq!(
        driven.heartbeat("a", generation),
        Ok(HeartbeatReply::Rejoin)
    );
    let a = driven.join(join("a"));
    assert_eq!(driven.joined(a).members.len(), 1);
}

#[test]
fn waiting_members_are_not_silent() {
    let mut driven = Driven::default();
    let generation = driven.pair();
    let c = driven.join(first("c"));
    let b = driven.join(join("b"));
    for _ in 0..5 {
        driven.pass(9_000);
        assert_eq!(
            driven.heartbeat("a", generation),
            Ok(HeartbeatReply::Rejoin)
        );
    }
    let a = driven.join(join("a"));
    for token in [a, b, c] {
        assert_eq!(driven.joined(token).generation, generation + 1);
    }
}

#[test]
fn members_that_never_ask_for_their_assignment_are_out() {
    let mut driven = Driven::default();
    let generation = driven.pair();
    let c = driven.join(first("c"));
    let a = driven.join(join("a"));
    driven.join(join("b"));
    driven.joined(a);
    driven.joined(c);
    driven.sync("a", generation + 1, &[]);
    driven.sync("c", generation + 1, &[]);
    let deadline = u64::from(REBALANCE_MS) / 5_000;
    for _ in 0..deadline {
        for member in ["a", "b", "c"] {
            let _ = driven.heartbeat(member, generation + 1);
        }
        driven.pass(5_000);
    }
    assert_eq!(
        driven.heartbeat("b", generation + 1),
        Err(GroupError::UnknownMember)
    );
    assert_eq!(
        driven.heartbeat("a", generation + 1),
        Ok(HeartbeatReply::Rejoin)
    );
}

#[test]
fn a_leaving_member_starts_a_rebalance_and_the_last_one_empties_the_group() {
    let mut driven = Driven::default();
    let generation = driven.pair();
    assert_eq!(driven.leave("b", None), Ok(()));
    assert_eq!(driven.leave("b", None), Err(GroupError::UnknownMember));
    assert_eq!(
        driven.heartbeat("a", generation),
        Ok(HeartbeatReply::Rejoin)
    );
    assert_eq!(driven.leave("a", None), Ok(()));
    let description = driven.describe();
    assert_eq!(description.listing.state, "Empty");
    assert_eq!(&*description.listing.protocol_type, "consumer");
}

#[test]
fn leaving_answers_what_the_member_waits_for() {
    let mut driven = Driven::default();
    driven.pair();
    let b = driven.join(join("b"));
    let remind = driven.joined(b);
    assert_eq!(&*remind.leader, "a", "nothing has changed for b");
    let c = driven.join(first("c"));
    assert_eq!(driven.leave("c", None), Ok(()));
    assert_eq!(driven.error(c), GroupError::UnknownMember);
}

#[test]
fn waiting_for_an_assignment_ends_with_a_new_rebalance() {
    let mut driven = Driven::default();
    let generation = driven.pair();
    let a = driven.join(join("a"));
    driven.join(join("b"));
    driven.joined(a);
    let waiting = driven.sync("b", generation + 1, &[]);
    assert!(!driven.answers.contains_key(&waiting));
    driven.join(first("c"));
    assert_eq!(driven.error(waiting), GroupError::RebalanceInProgress);
}

#[test]
fn a_repeated_join_or_sync_takes_the_place_of_the_first() {
    let mut driven = Driven::default();
    let generation = driven.pair();
    let c = driven.join(first("c"));
    let one = driven.join(join("b"));
    let two = driven.join(join("b"));
    assert_eq!(driven.error(one), GroupError::RebalanceInProgress);
    let a = driven.join(join("a"));
    for token in [a, c, two] {
        driven.joined(token);
    }
    let one = driven.sync("b", generation + 1, &[]);
    let two = driven.sync("b", generation + 1, &[]);
    assert_eq!(driven.error(one), GroupError::RebalanceInProgress);
    driven.sync("a", generation + 1, &[("b", "part")]);
    assert_eq!(driven.assignment(two), "part");
}

#[test]
fn a_member_that_missed_the_answer_to_its_join_gets_it_again() {
    let mut driven = Driven::default();
    let generation = driven.pair();
    let a = driven.join(join("a"));
    let b = driven.join(join("b"));
    let first_answer = driven.joined(a);
    driven.joined(b);
    let again = driven.join(join("a"));
    assert_eq!(driven.joined(again), first_answer);
    assert_eq!(first_answer.generation, generation + 1);
}

#[test]
fn a_leader_that_joins_again_has_all_assigned_anew() {
    let mut driven = Driven::default();
    driven.pair();
    driven.join(join("a"));
    assert_eq!(driven.state(), "PreparingRebalance");
}

#[test]
fn a_member_with_other_metadata_starts_a_rebalance() {
    let mut driven = Driven::default();
    driven.pair();
    let mut changed = join("b");
    changed.protocols[0].1 = b"other topics".as_slice().into();
    driven.join(changed);
    assert_eq!(driven.state(), "PreparingRebalance");
}

#[test]
fn the_assignor_is_one_that_all_can_do_and_most_prefer() {
    let mut driven = Driven::default();
    let a = driven.join(supporting(first("a"), &["old", "x", "y"]));
    driven.joined(a);
    let b = driven.join(supporting(first("b"), &["y", "x"]));
    let c = driven.join(supporting(first("c"), &["new", "y", "x"]));
    let a = driven.join(supporting(join("a"), &["old", "x", "y"]));
    let joined = driven.joined(a);
    assert_eq!(&*joined.protocol, "y");
    assert_eq!(&*joined.members[2].metadata, b"y");
    assert_eq!(driven.joined(b).protocol, driven.joined(c).protocol);
}

#[test]
fn who_fits_no_one_is_refused() {
    let mut driven = Driven::default();
    driven.pair();
    let other_type = JoinGroup {
        protocol_type: "connect".into(),
        ..first("c")
    };
    for misfit in [
        other_type,
        supporting(first("c"), &["sticky"]),
        supporting(first("c"), &[]),
    ] {
        let token = driven.join(misfit);
        assert_eq!(driven.error(token), GroupError::InconsistentProtocol);
    }
    let mut empty = Driven::default();
    let token = empty.join(supporting(first("a"), &[]));
    assert_eq!(empty.error(token), GroupError::InconsistentProtocol);
}

#[test]
fn an_assignor_named_twice_counts_once() {
    let mut driven = Driven::default();
    let a = driven.join(supporting(first("a"), &["x", "x"]));
    driven.joined(a);
    let b = driven.join(supporting(first("b"), &["x"]));
    assert!(!driven.answers.contains_key(&b), "it waits for the other");
    let a = driven.join(supporting(join("a"), &["x"]));
    assert_eq!(driven.joined(a).members.len(), 2);
}

#[test]
fn a_sync_must_name_the_generation_and_the_assignor() {
    let mut driven = Driven::default();
    let generation = driven.pair();
    let token = driven.sync("a", generation - 1, &[]);
    assert_eq!(driven.error(token), GroupError::IllegalGeneration);
    let token = driven.sync("x", generation, &[]);
    assert_eq!(driven.error(token), GroupError::UnknownMember);
    let sync = SyncGroup {
        group: group(),
        member: "a".into(),
        instance: None,
        generation,
        protocol_type: Some("consumer".into()),
        protocol: Some("sticky".into()),
        assignments: Vec::new(),
        reads: Vec::new(),
    };
    let wrong = driven.ask_to_sync(sync);
    assert_eq!(driven.error(wrong), GroupError::InconsistentProtocol);
    let again = driven.sync("b", generation, &[]);
    assert_eq!(
        driven.assignment(again),
        "1",
        "a stable group tells it again"
    );
    driven.join(first("c"));
    let early = driven.sync("b", generation, &[]);
    assert_eq!(driven.error(early), GroupError::RebalanceInProgress);
}

#[test]
fn a_member_left_out_gets_an_empty_assignment() {
    let mut driven = Driven::default();
    let token = driven.join(first("a"));
    let generation = driven.joined(token).generation;
    let token = driven.sync("a", generation, &[("nobody", "x")]);
    assert_eq!(driven.assignment(token), "");
}

#[test]
fn a_group_has_a_largest_size() {
    let mut driven = Driven::default();
    for at in 0..GROUP_MEMBERS_MAX {
        let required = JoinGroup {
            member_id_required: true,
            ..first(&format!("m{at}"))
        };
        driven.join(required);
    }
    let token = driven.join(first("one-too-many"));
    assert_eq!(driven.error(token), GroupError::Full);
    let token = driven.join(join("m0"));
    assert!(!driven.answers.contains_key(&token), "a known one may join");
}

#[test]
fn a_new_member_that_waits_for_too_long_is_out() {
    let mut driven = Driven::default();
    let patient = |join| JoinGroup {
        session_timeout_ms: 1_800_000,
        rebalance_timeout_ms: 1_800_000,
        ..join
    };
    let a = driven.join(patient(first("a")));
    let generation = driven.joined(a).generation;
    driven.sync("a", generation, &[]);
    let b = driven.join(patient(first("b")));
    driven.pass(crate::limits::GROUP_JOIN_MS_MAX);
    assert_eq!(driven.error(b), GroupError::UnknownMember);
    assert_eq!(driven.describe().members.len(), 1);
}

#[test]
fn groups_are_listed_by_name() {
    let mut driven = Driven::default();
    driven.pair();
    let listings = driven.run(ListGroups).unwrap();
    assert_eq!(listings.len(), 1);
    assert_eq!(
        (listings[0].name.as_str(), listings[0].state),
        ("g", "Stable")
    );
    let description = driven.describe();
    assert_eq!(&*description.protocol, "range");
    assert_eq!(&*description.members[1].assignment, b"1");
    assert_eq!(&*description.members[1].metadata, b"topics");
}
