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

/// Commits offsets of these logs' partitions, without being a member.
fn commit_logs(driven: &mut Driven, partitions: impl IntoIterator<Item = (u64, u32)>) {
    let offsets = partitions.into_iter().map(|(log, index)| CommitOffset {
        partition: PartitionId::new(LogId(log), PartitionIndex(index)),
        ..commit_of(0, 1)
    });
    let commit = CommitOffsets {
        group: group(),
        member: Box::default(),
        instance: None,
        generation: -1,
        offsets: offsets.collect(),
    };
    driven.run(commit).unwrap();
}

fn forget_log(driven: &mut Driven, log: u64) -> usize {
    let forget = ForgetLog {
        group: group(),
        log: LogId(log),
    };
    driven.run(forget).unwrap()
}

fn logs_read(driven: &Driven) -> Vec<u64> {
    let read = driven.state.groups.read_logs(None);
    read.map(|(_, log)| log.0).collect()
}

#[test]
fn a_deleted_log_goes_from_a_group_and_the_last_one_takes_the_group_along() {
    let mut driven = Driven::default();
    commit_logs(&mut driven, [(3, 0), (5, 0), (5, u32::MAX), (9, 1)]);
    assert_eq!(logs_read(&driven), [3, 5, 9]);
    assert_eq!(forget_log(&mut driven, 5), 2);
    assert_eq!(forget_log(&mut driven, 5), 0);
    assert_eq!(logs_read(&driven), [3, 9]);
    assert_eq!(forget_log(&mut driven, 9) + forget_log(&mut driven, 3), 2);
    assert!(driven.state.groups.groups.iter().next().is_none());
    driven.restart();
    assert_eq!(logs_read(&driven), [0; 0]);
}

#[test]
fn a_group_with_members_stays_when_its_last_log_is_deleted() {
    let mut driven = Driven::default();
    let generation = driven.pair();
    driven.commit("a", generation, 7).unwrap();
    let log = commit_of(0, 7).partition.log;
    assert_eq!(forget_log(&mut driven, log.0), 1);
    assert_eq!(driven.committed(0), None);
    assert_eq!(driven.state(), "Stable");
}

#[test]
fn a_log_of_many_partitions_is_forgotten_in_pieces() {
    let mut driven = Driven::default();
    commit_logs(
        &mut driven,
        (0..2_500).map(|index| (7, index)).chain([(8, 0)]),
    );
    let pieces: Vec<_> = (0..4).map(|_| forget_log(&mut driven, 7)).collect();
    assert_eq!(pieces, [1_000, 1_000, 500, 0]);
    assert_eq!(logs_read(&driven), [8]);
}

#[test]
fn what_groups_read_is_looked_through_from_any_place() {
    let mut driven = Driven::default();
    let names: Vec<_> = (0..40).map(|index| format!("g{index}")).collect();
    for name in &names {
        let commit = CommitOffsets {
            group: Name::new(name).unwrap(),
            member: Box::default(),
            instance: None,
            generation: -1,
            offsets: [1, 2]
                .map(|index| CommitOffset {
                    partition: PartitionId::new(LogId(index), PartitionIndex(0)),
                    ..commit_of(0, 1)
                })
                .into(),
        };
        driven.run(commit).unwrap();
    }
    let groups = &driven.state.groups;
    let all: Vec<_> = groups.read_logs(None).collect();
    assert_eq!(all.len(), 80);
    let mut last = None;
    for expected in all {
        let next = groups.read_logs(last.as_ref()).next();
        assert_eq!(next, Some(expected));
        last = Some((expected.0.clone(), expected.1));
    }
    assert_eq!(groups.read_logs(last.as_ref()).next(), None);
    // A group that is gone is skipped.
    let gone = (Name::new("gone").unwrap(), LogId(1));
    assert!(groups.read_logs(Some(&gone)).count() < 80);
}
