use super::*;
use crate::limits::OFFSET_METADATA_BYTES_MAX;

#[test]
fn members_commit_in_their_generation() {
    let mut driven = Driven::default();
    let generation = driven.pair();
    assert_eq!(driven.commit("a", generation, 7), Ok(()));
    assert_eq!(driven.committed(0), Some(7));
    assert_eq!(
        driven.commit("a", generation - 1, 8),
        Err(GroupError::IllegalGeneration)
    );
    assert_eq!(
        driven.commit("x", generation, 8),
        Err(GroupError::UnknownMember)
    );
    assert_eq!(driven.commit("", -1, 8), Err(GroupError::UnknownMember));
    assert_eq!(driven.committed(0), Some(7));
}

#[test]
fn commits_are_taken_while_the_group_gathers_and_not_before_it_is_assigned() {
    let mut driven = Driven::default();
    let generation = driven.pair();
    let a = driven.join(join("a"));
    assert_eq!(driven.commit("b", generation, 5), Ok(()));
    driven.join(join("b"));
    let generation = driven.joined(a).generation;
    assert_eq!(
        driven.commit("b", generation, 6),
        Err(GroupError::RebalanceInProgress)
    );
    assert_eq!(driven.committed(0), Some(5));
}

#[test]
fn anyone_commits_to_a_group_without_members() {
    let mut driven = Driven::default();
    assert_eq!(driven.commit("", -1, 3), Ok(()));
    assert_eq!(driven.committed(0), Some(3));
    assert_eq!(driven.commit("", 0, 4), Err(GroupError::UnknownMember));
    assert_eq!(driven.state(), "Empty");
}

#[test]
fn a_generation_of_a_group_that_does_not_exist_is_illegal() {
    let mut driven = Driven::default();
    assert_eq!(driven.commit("a", 1, 3), Err(GroupError::IllegalGeneration));
    assert!(driven.state.groups.groups.iter().next().is_none());
}

#[test]
fn a_commit_shows_that_the_member_is_there() {
    let mut driven = Driven::default();
    let generation = driven.pair();
    driven.pass(9_000);
    driven.commit("a", generation, 1).unwrap();
    driven.pass(9_000);
    assert_eq!(driven.describe().members.len(), 1, "b said nothing");
}

#[test]
fn a_long_note_is_refused_and_the_others_are_taken() {
    let mut driven = Driven::default();
    let mut long = commit_of(1, 2);
    long.metadata = "x".repeat(OFFSET_METADATA_BYTES_MAX + 1).into();
    let answer = driven.run(CommitOffsets {
        group: group(),
        member: Box::default(),
        instance: None,
        generation: -1,
        offsets: vec![commit_of(0, 1), long, commit_of(2, 3)],
    });
    assert_eq!(
        answer.unwrap(),
        [Ok(()), Err(GroupError::MetadataTooLong), Ok(())]
    );
    assert_eq!(driven.committed(1), None);
    assert_eq!(driven.committed(2), Some(3));
}

#[test]
fn all_offsets_are_read_without_naming_them() {
    let mut driven = Driven::default();
    driven.commit("", -1, 3).unwrap();
    let all = FetchOffsets {
        group: group(),
        partitions: None,
    };
    let entries = driven.run(all).unwrap();
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0].partition, partition_of(0));
}

#[test]
fn offsets_are_forgotten_only_without_members() {
    let mut driven = Driven::default();
    let generation = driven.pair();
    driven.commit("a", generation, 7).unwrap();
    let mut delete = || {
        let command = DeleteOffsets {
            group: group(),
            partitions: vec![partition_of(0), partition_of(9)],
        };
        driven.run(command).unwrap()
    };
    assert_eq!(
        delete(),
        [Err(GroupError::Subscribed), Err(GroupError::Subscribed)]
    );
    driven.leave("a", None).unwrap();
    driven.leave("b", None).unwrap();
    let command = DeleteOffsets {
        group: group(),
        partitions: vec![partition_of(0), partition_of(9)],
    };
    driven.run(command).unwrap();
    assert_eq!(driven.committed(0), None);
}

#[test]
fn only_an_empty_group_is_deleted() {
    let mut driven = Driven::default();
    let missing = driven.run(DeleteGroup { group: group() }).unwrap_err();
    assert_eq!(missing, GroupError::NoSuchGroup);
    let generation = driven.pair();
    driven.commit("a", generation, 7).unwrap();
    let refused = driven.run(DeleteGroup { group: group() }).unwrap_err();
    assert_eq!(refused, GroupError::NotEmpty);
    driven.leave("a", None).unwrap();
    driven.leave("b", None).unwrap();
    driven.run(DeleteGroup { group: group() }).unwrap();
    assert_eq!(driven.committed(0), None);
    let missing = driven.run(DescribeGroup { group: group() }).unwrap_err();
    assert_eq!(missing, GroupError::NoSuchGroup);
}

#[test]
fn an_abandoned_group_is_forgotten_after_a_week() {
    let mut driven = Driven::default();
    let generation = driven.pair();
    driven.commit("a", generation, 7).unwrap();
    driven.leave("a", None).unwrap();
    driven.leave("b", None).unwrap();
    driven.pass(GROUP_RETENTION_MS - 1);
    assert_eq!(driven.committed(0), Some(7));
    driven.pass(1);
    assert!(driven.state.groups.groups.iter().next().is_none());
    assert_eq!(driven.state.groups.next_deadline(), None);
}

#[test]
fn a_commit_keeps_a_simple_consumers_group() {
    let mut driven = Driven::default();
    driven.commit("", -1, 1).unwrap();
    driven.pass(GROUP_RETENTION_MS - 1);
    driven.commit("", -1, 2).unwrap();
    driven.pass(GROUP_RETENTION_MS - 1);
    assert_eq!(driven.committed(0), Some(2));
}
