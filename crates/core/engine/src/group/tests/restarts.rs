use super::*;

/// The groups that a process finds, given the journal, or a snapshot of `groups` and no journal.
pub(super) fn replayed(journal: &[(Name, GroupRecord)]) -> Groups {
    let mut groups = Groups::default();
    for (name, record) in journal {
        groups.apply(name, record);
    }
    groups.started();
    groups
}

fn restored(groups: &Groups) -> Groups {
    let mut restored = Groups::default();
    for bucket in groups.buckets() {
        let bytes = postcard::to_stdvec(groups.bucket(bucket).unwrap()).unwrap();
        restored.load(postcard::from_bytes(&bytes).unwrap());
    }
    restored.started();
    restored
}

impl Driven {
    pub(super) fn restart(&mut self) {
        let replayed = replayed(&self.journal);
        assert_eq!(
            restored(&self.state.groups),
            replayed,
            "a snapshot says the same"
        );
        self.state.groups.started();
        assert_eq!(self.state.groups, replayed);
        self.answers.clear();
        self.catch_up();
    }
}

#[test]
fn offsets_generation_members_and_assignments_survive() {
    let mut driven = Driven::default();
    let generation = driven.pair();
    driven.commit("a", generation, 7).unwrap();
    let before = driven.describe();
    driven.restart();
    assert_eq!(driven.describe(), before);
    assert_eq!(driven.committed(0), Some(7));
    assert_eq!(driven.heartbeat("a", generation), Ok(HeartbeatReply::Stay));
    let token = driven.sync("b", generation, &[]);
    assert_eq!(driven.assignment(token), "1");
}

#[test]
fn members_have_a_session_timeout_to_be_heard_of_again() {
    let mut driven = Driven::default();
    let generation = driven.pair();
    driven.now = driven.now.plus_ms(3_600_000);
    driven.restart();
    driven.pass(9_000);
    assert_eq!(driven.heartbeat("a", generation), Ok(HeartbeatReply::Stay));
    driven.pass(2_000);
    assert_eq!(
        driven.heartbeat("b", generation),
        Err(GroupError::UnknownMember)
    );
}

#[test]
fn waiting_joins_do_not_survive() {
    let mut driven = Driven::default();
    let generation = driven.pair();
    driven.join(first("c"));
    assert_eq!(driven.state(), "PreparingRebalance");
    driven.restart();
    assert_eq!(driven.state(), "Stable");
    assert_eq!(driven.heartbeat("a", generation), Ok(HeartbeatReply::Stay));
    let token = driven.join(join("c"));
    assert_eq!(driven.error(token), GroupError::UnknownMember);
}

#[test]
fn a_group_that_was_never_assigned_is_not_found_again() {
    let mut driven = Driven::default();
    driven.join(first("a"));
    driven.restart();
    assert!(driven.state.groups.groups.iter().next().is_none());
}

#[test]
fn an_emptied_group_stays_empty_and_goes_on_counting() {
    let mut driven = Driven::default();
    let generation = driven.pair();
    driven.leave("a", None).unwrap();
    driven.leave("b", None).unwrap();
    driven.restart();
    assert_eq!(driven.state(), "Empty");
    let token = driven.join(first("c"));
    assert_eq!(driven.joined(token).generation, generation + 2);
}
