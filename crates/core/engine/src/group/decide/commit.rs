//! Commit: offsets by a member of the current generation, or by anyone while there are no members.

use stele_base_types::{Name, Timestamp};

use super::Group;
use crate::{
    Decision, Error, GroupRecord, Reply,
    command::CommitOffset,
    group::{GroupState, live::Live, step::Step},
    limits::OFFSET_METADATA_BYTES_MAX,
};

/// Who commits.
pub(super) struct Committer {
    pub(super) member: Box<str>,
    pub(super) instance: Option<Box<str>>,
    pub(super) generation: i32,
}

pub(super) fn decide(
    group: Option<&Group>,
    name: &Name,
    committer: &Committer,
    offsets: Vec<CommitOffset>,
    now: Timestamp,
) -> Result<Decision, Error> {
    let mut step = Step::new(name);
    match group {
        None if committer.generation >= 0 => return Err(Error::IllegalGeneration),
        None => {}
        Some(group) => validate(&group.live, committer)?,
    }
    let member = group.and_then(|group| group.live.member(&committer.member));
    if let Some(member) = member {
        step.record(GroupRecord::Alive {
            until: member.profile.until(now),
            member: committer.member.clone(),
        });
    }
    let results: Vec<_> = offsets.iter().map(check).collect();
    let mut fits = results.iter().map(Result::is_ok);
    let mut offsets = offsets;
    offsets.retain(|_| fits.next().unwrap_or(false));
    if !offsets.is_empty() {
        step.record(GroupRecord::Committed { offsets, at: now });
    }
    Ok(step.answered(Ok(Reply::Committed(results))))
}

fn validate(live: &Live, committer: &Committer) -> Result<(), Error> {
    let is_simple = committer.generation < 0;
    if is_simple && live.state == GroupState::Empty {
        return Ok(());
    }
    live.validated(&committer.member, committer.instance.as_deref())?;
    if committer.generation != live.generation {
        return Err(Error::IllegalGeneration);
    }
    // The partitions of the last generation may have been given to others already.
    if live.state == GroupState::CompletingRebalance {
        return Err(Error::RebalanceInProgress);
    }
    Ok(())
}

fn check(offset: &CommitOffset) -> Result<(), Error> {
    if offset.metadata.len() > OFFSET_METADATA_BYTES_MAX {
        return Err(Error::Limit("offset metadata"));
    }
    Ok(())
}
