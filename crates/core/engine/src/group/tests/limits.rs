use super::*;
use crate::limits::{GROUP_BYTES_MAX, GROUPS_MEMBERS_BYTES_MAX, GROUPS_OFFSETS_BYTES_MAX};

/// A join with metadata of this size.
fn saying(join: JoinGroup, metadata_bytes: usize) -> JoinGroup {
    JoinGroup {
        protocols: vec![("range".into(), vec![0; metadata_bytes].into())],
        ..join
    }
}

#[test]
fn what_members_of_a_group_say_of_themselves_is_bounded() {
    let mut driven = Driven::default();
    let most = GROUP_BYTES_MAX - 4_096;
    let a = driven.join(saying(first("a"), most));
    let refused = driven.join(saying(first("b"), 4_096));
    assert_eq!(driven.error(refused), GroupError::Full);
    let refused = driven.join(saying(first("c"), GROUP_BYTES_MAX));
    assert_eq!(driven.error(refused), GroupError::Full);
    // A member may join again with less metadata.
    driven.joined(a);
    let a = driven.join(saying(join("a"), most));
    driven.joined(a);
    let a = driven.join(saying(join("a"), 10));
    driven.joined(a);
    let b = driven.join(saying(first("b"), 4_096));
    let a = driven.join(saying(join("a"), 10));
    driven.joined(b);
    driven.joined(a);
}

#[test]
fn assignments_of_a_group_are_bounded() {
    let mut driven = Driven::default();
    let a = driven.join(first("a"));
    let generation = driven.joined(a).generation;
    let large = "x".repeat(GROUP_BYTES_MAX);
    let refused = driven.sync("a", generation, &[("a", &large)]);
    assert_eq!(driven.error(refused), GroupError::AssignmentsTooLarge);
    let taken = driven.sync("a", generation, &[("a", &large[..1_000])]);
    driven.assignment(taken);
    assert!((2_000..4_096).contains(&driven.state.groups.bytes().members));
}

#[test]
fn members_of_all_groups_are_bounded() {
    let mut driven = Driven::default();
    driven.pair();
    driven.state.groups.bytes.members = GROUPS_MEMBERS_BYTES_MAX;
    let elsewhere = JoinGroup {
        group: Name::new("h").unwrap(),
        ..first("c")
    };
    let refused = driven.join(elsewhere);
    assert_eq!(driven.error(refused), GroupError::Full);
    let a = driven.join(join("a"));
    let b = driven.join(join("b"));
    driven.joined(a);
    driven.joined(b);
}

#[test]
fn committed_offsets_are_bounded_and_those_that_are_there_go_on() {
    let mut driven = Driven::default();
    driven.commit("", -1, 1).unwrap();
    let before = driven.state.groups.bytes().offsets;
    driven.state.groups.bytes.offsets = GROUPS_OFFSETS_BYTES_MAX - 250;
    let mut noted = commit_of(0, 2);
    noted.metadata = "note".into();
    let answer = driven.run(CommitOffsets {
        group: group(),
        member: Box::default(),
        instance: None,
        generation: -1,
        offsets: vec![noted, commit_of(1, 2), commit_of(2, 2)],
    });
    assert_eq!(
        answer.unwrap(),
        [Ok(()), Ok(()), Err(GroupError::OffsetsFull)]
    );
    assert_eq!(driven.commit("", -1, 3), Ok(()));
    let added = driven.state.groups.bytes().offsets + 250 - GROUPS_OFFSETS_BYTES_MAX;
    assert_eq!(added, before - 1_024, "as much as the first one");
}

#[test]
fn a_group_that_is_gone_takes_nothing() {
    let mut driven = Driven::default();
    let generation = driven.pair();
    driven.commit("a", generation, 7).unwrap();
    let invited = driven.join(JoinGroup {
        member_id_required: true,
        ..first("c")
    });
    driven.invited(invited);
    assert_ne!(driven.state.groups.bytes(), GroupBytes::default());
    driven.pass(60_000);
    driven.run(DeleteGroup { group: group() }).unwrap();
    assert_eq!(driven.state.groups.bytes(), GroupBytes::default());
}
