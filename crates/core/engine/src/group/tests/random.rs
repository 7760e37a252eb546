use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    First(u8, bool, Option<u8>, u8),
    Join(u8, Option<u8>, u8),
    Sync(u8, i8),
    Heartbeat(u8, i8),
    Leave(u8, Option<u8>),
    Commit(u8, i8, u8),
    DeleteOffsets(u8),
    Delete,
    Pass(u32),
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let member = || 0_u8..5;
    let instance = || proptest::option::weighted(0.3, 0_u8..2);
    let protocols = || 0_u8..4;
    let generation = || prop_oneof![6 => Just(0_i8), 1 => Just(-1_i8), 1 => Just(1)];
    let step = prop_oneof![
        4 => (member(), any::<bool>(), instance(), protocols())
            .prop_map(|(member, required, instance, protocols)| Step::First(member, required, instance, protocols)),
        6 => (member(), instance(), protocols()).prop_map(|(member, instance, protocols)| Step::Join(member, instance, protocols)),
        6 => (member(), generation()).prop_map(|(member, generation)| Step::Sync(member, generation)),
        4 => (member(), generation()).prop_map(|(member, generation)| Step::Heartbeat(member, generation)),
        2 => (member(), instance()).prop_map(|(member, instance)| Step::Leave(member, instance)),
        3 => (member(), generation(), any::<u8>()).prop_map(|(member, generation, offset)| Step::Commit(member, generation, offset)),
        1 => (0_u8..3).prop_map(Step::DeleteOffsets),
        1 => Just(Step::Delete),
        3 => (0_u32..70_000).prop_map(Step::Pass),
        1 => Just(Step::Restart),
    ];
    proptest::collection::vec(step, 0..80)
}

const PROTOCOLS: [&[&str]; 4] = [&["x"], &["x", "y"], &["y", "x"], &["y"]];

/// The ids of this run: a number may be a different member in each.
fn id(member: u8) -> String {
    format!("m{member}")
}

fn instance_of(instance: Option<u8>) -> Option<Box<str>> {
    instance.map(|instance| format!("i{instance}").into())
}

fn take(driven: &mut Driven, step: &Step) {
    let current = driven.state.groups.groups.get("g");
    let current = current.map_or(0, |group| group.live.generation);
    let generation = |off: i8| current + i32::from(off);
    match step {
        Step::First(member, member_id_required, instance, protocols) => {
            let join = supporting(first(&id(*member)), PROTOCOLS[usize::from(*protocols)]);
            driven.join(JoinGroup {
                member_id_required: *member_id_required,
                instance: instance_of(*instance),
                ..join
            });
        }
        Step::Join(member, instance, protocols) => {
            let join = supporting(join(&id(*member)), PROTOCOLS[usize::from(*protocols)]);
            driven.join(JoinGroup {
                instance: instance_of(*instance),
                ..join
            });
        }
        Step::Sync(member, off) => {
            driven.sync(&id(*member), generation(*off), &[("m0", "0"), ("m1", "1")]);
        }
        Step::Heartbeat(member, off) => {
            let _ = driven.heartbeat(&id(*member), generation(*off));
        }
        Step::Leave(member, instance) => {
            let _ = driven.leave(&id(*member), instance_of(*instance).as_deref());
        }
        Step::Commit(member, off, offset) => {
            let generation = if *off < 0 { -1 } else { generation(*off) };
            let _ = driven.commit(&id(*member), generation, (*offset).into());
        }
        Step::DeleteOffsets(partition) => {
            let delete = DeleteOffsets {
                group: group(),
                partitions: vec![partition_of((*partition).into())],
            };
            drop(driven.run(delete));
        }
        Step::Delete => drop(driven.run(DeleteGroup { group: group() })),
        Step::Pass(duration_ms) => driven.pass((*duration_ms).into()),
        Step::Restart => driven.restart(),
    }
}

/// Checks that everything derived from the members is correct, and that members only wait in states
/// where there is something to wait for.
fn assert_whole(groups: &Groups) {
    for (name, group) in groups.groups.iter() {
        let live = &group.live;
        let mut again = live.clone();
        again.recount();
        assert_eq!(*live, again);
        for member in live.members() {
            match member.waits {
                Waits::No => assert!(member.until.is_some() || live.is_found()),
                Waits::Join(_) => assert_eq!(live.state, GroupState::PreparingRebalance),
                Waits::Sync(_) => assert_eq!(live.state, GroupState::CompletingRebalance),
            }
        }
        assert_eq!(live.members().len() == 0, is_memberless(live), "{live:?}");
        assert_eq!(group.deadline, group.next_deadline());
        let listed = group.deadline.map(|at| (at, name.clone()));
        assert!(listed.is_none_or(|at| groups.deadlines.contains(&at)));
    }
    assert!(groups.deadlines.len() <= groups.groups.iter().count());
    let mut counted = Groups::default();
    for (_, group) in groups.groups.iter() {
        let offsets = group.offsets.values().map(Committed::bytes);
        assert_eq!(group.offsets_bytes, offsets.sum::<usize>());
        counted.count(GroupBytes::default(), group.bytes());
    }
    assert_eq!(groups.bytes(), counted.bytes());
}

fn is_memberless(live: &Live) -> bool {
    match live.state {
        GroupState::Empty => true,
        // Invitations may delay the end of a rebalance that all members have left.
        GroupState::PreparingRebalance => live.members().len() == 0,
        GroupState::CompletingRebalance | GroupState::Stable | GroupState::Dead => false,
    }
}

#[test]
fn a_group_that_a_restart_has_not_known_before_its_assignments_is_the_same_after_it() {
    let steps = [
        Step::Pass(1),
        Step::Commit(0, -1, 0),
        Step::First(3, true, None, 0),
        Step::DeleteOffsets(0),
        Step::First(4, false, None, 0),
        Step::Leave(3, None),
        Step::Sync(4, 0),
    ];
    let mut driven = Driven::default();
    steps.iter().for_each(|step| take(&mut driven, step));
    driven.restart();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]
    #[test]
    fn any_sequence_of_commands_leaves_a_group_whole_and_recoverable(steps in steps()) {
        let mut driven = Driven::default();
        for step in &steps {
            take(&mut driven, step);
            assert_whole(&driven.state.groups);
        }
        driven.restart();
        assert_whole(&driven.state.groups);
    }

    /// Every wait ends: a member that times out never blocks a group for ever.
    #[test]
    fn every_wait_is_answered_in_the_end(steps in steps()) {
        let mut driven = Driven::default();
        let steps: Vec<_> = steps.iter().filter(|step| !matches!(step, Step::Restart)).collect();
        let mut asked = 0;
        for step in steps {
            take(&mut driven, step);
            asked += usize::from(matches!(step, Step::First(..) | Step::Join(..) | Step::Sync(..)));
        }
        driven.pass(2 * 1_800_000);
        prop_assert_eq!(driven.answers.len(), asked);
        let group = driven.state.groups.groups.get("g");
        prop_assert!(group.is_none_or(|group| group.live.state == GroupState::Empty));
    }
}
