use super::*;

fn named(join: JoinGroup, instance: &str) -> JoinGroup {
    JoinGroup {
        instance: Some(instance.into()),
        ..join
    }
}

/// Two static members, with `a1`, whose static name is `a`, as the leader.
fn pair(driven: &mut Driven) -> i32 {
    let a = driven.join(named(first("a1"), "a"));
    driven.joined(a);
    let b = driven.join(named(first("b1"), "b"));
    let a = driven.join(named(join("a1"), "a"));
    driven.joined(b);
    let generation = driven.joined(a).generation;
    driven.sync("b1", generation, &[]);
    driven.sync("a1", generation, &[("a1", "0"), ("b1", "1")]);
    assert_eq!(driven.state(), "Stable");
    generation
}

#[test]
fn a_static_member_needs_no_id_first() {
    let mut driven = Driven::default();
    let token = driven.join(JoinGroup {
        member_id_required: true,
        ..named(first("a1"), "a")
    });
    assert_eq!(&*driven.joined(token).member, "a1");
}

#[test]
fn a_static_member_comes_back_without_a_rebalance_and_keeps_its_part() {
    let mut driven = Driven::default();
    let generation = pair(&mut driven);
    let token = driven.join(named(first("b2"), "b"));
    let joined = driven.joined(token);
    assert_eq!((joined.generation, &*joined.leader), (generation, "a1"));
    assert!(!joined.skip_assignment);
    let token = driven.sync("b2", generation, &[]);
    assert_eq!(driven.assignment(token), "1");
    assert_eq!(driven.state(), "Stable");
    assert_eq!(
        driven.heartbeat("b1", generation),
        Err(GroupError::UnknownMember)
    );
    assert_eq!(driven.heartbeat("a1", generation), Ok(HeartbeatReply::Stay));
}

#[test]
fn a_static_leader_that_comes_back_need_not_assign() {
    let mut driven = Driven::default();
    let generation = pair(&mut driven);
    let token = driven.join(named(first("a2"), "a"));
    let joined = driven.joined(token);
    assert_eq!((joined.generation, &*joined.leader), (generation, "a2"));
    assert!(joined.skip_assignment);
    let ids: Vec<_> = joined.members.iter().map(|one| &*one.member).collect();
    assert_eq!(ids, ["a2", "b1"]);
    let token = driven.sync("a2", generation, &[]);
    assert_eq!(driven.assignment(token), "0");
}

#[test]
fn a_static_member_that_comes_back_with_other_metadata_starts_no_rebalance() {
    let mut driven = Driven::default();
    let generation = pair(&mut driven);
    let mut changed = named(first("b2"), "b");
    changed.protocols[0].1 = b"topics, and what it had".as_slice().into();
    let token = driven.join(changed);
    assert_eq!(driven.joined(token).generation, generation);
    assert_eq!(driven.state(), "Stable");
}

#[test]
fn the_former_self_is_fenced() {
    let mut driven = Driven::default();
    let generation = pair(&mut driven);
    driven.join(named(first("b2"), "b"));
    let heartbeat = driven.run(Heartbeat {
        group: group(),
        member: "b1".into(),
        instance: Some("b".into()),
        generation,
    });
    assert_eq!(heartbeat.unwrap_err(), GroupError::FencedInstance);
    let token = driven.join(named(join("b1"), "b"));
    assert_eq!(driven.error(token), GroupError::FencedInstance);
    assert_eq!(
        driven.leave("b1", Some("b")),
        Err(GroupError::FencedInstance)
    );
}

#[test]
fn a_waiting_former_self_is_fenced() {
    let mut driven = Driven::default();
    pair(&mut driven);
    driven.join(named(join("a1"), "a"));
    let former = driven.join(named(join("b1"), "b"));
    driven.joined(former);
    let generation = driven.describe().members.len();
    assert_eq!(generation, 2);
    // A third member joins, b1 waits, and b2 replaces it.
    driven.join(first("c"));
    let waiting = driven.join(named(join("b1"), "b"));
    let successor = driven.join(named(first("b2"), "b"));
    assert_eq!(driven.error(waiting), GroupError::FencedInstance);
    driven.join(named(join("a1"), "a"));
    assert_eq!(&*driven.joined(successor).member, "b2");
}

#[test]
fn an_unknown_static_name_is_an_unknown_member() {
    let mut driven = Driven::default();
    pair(&mut driven);
    let token = driven.join(named(join("b1"), "nobody"));
    assert_eq!(driven.error(token), GroupError::UnknownMember);
    assert_eq!(
        driven.leave("", Some("nobody")),
        Err(GroupError::UnknownMember)
    );
}

#[test]
fn a_static_member_leaves_by_its_name() {
    let mut driven = Driven::default();
    pair(&mut driven);
    let batch = vec![
        (Box::default(), Some("b".into())),
        ("a1".into(), None),
        ("a1".into(), None),
    ];
    let leave = LeaveGroup {
        group: group(),
        members: batch,
    };
    assert_eq!(
        driven.run(leave).unwrap(),
        [Ok(()), Ok(()), Err(GroupError::UnknownMember)]
    );
    assert_eq!(driven.state(), "Empty");
}

#[test]
fn a_static_member_that_is_late_stays_until_its_session_ends() {
    let mut driven = Driven::default();
    let a = driven.join(JoinGroup {
        session_timeout_ms: 300_000,
        ..named(first("a1"), "a")
    });
    let generation = driven.joined(a).generation;
    driven.sync("a1", generation, &[]);
    let b = driven.join(first("b"));
    driven.pass(REBALANCE_MS.into());
    let joined = driven.joined(b);
    assert_eq!(joined.members.len(), 2, "a1 is counted in");
    assert_eq!(&*joined.leader, "b");
}

#[test]
fn static_members_alone_and_late_are_waited_for() {
    let mut driven = Driven::default();
    let a = driven.join(JoinGroup {
        session_timeout_ms: 300_000,
        ..named(first("a1"), "a")
    });
    let generation = driven.joined(a).generation;
    driven.sync("a1", generation, &[]);
    let b = driven.join(first("b"));
    assert_eq!(driven.leave("b", None), Ok(()));
    assert_eq!(driven.error(b), GroupError::UnknownMember);
    driven.pass(200_000);
    assert_eq!(driven.state(), "PreparingRebalance");
    driven.pass(100_000);
    assert_eq!(driven.state(), "Empty");
}
