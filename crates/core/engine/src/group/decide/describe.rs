//! Groups, listed and described.

use std::collections::BTreeMap;

use stele_base_types::Name;

use super::Group;
use crate::{
    Decision, Error, Reply,
    group::{GroupState, live::Live, member::Member},
    reply::{GroupDescription, GroupListing, MemberDescription},
};

pub(super) fn list(groups: &BTreeMap<Name, Group>) -> Decision {
    let listings = groups
        .iter()
        .map(|(name, group)| listing(name.clone(), &group.live));
    Decision::reply(Reply::Groups(listings.collect()))
}

/// One group. Assignor, metadata and assignments are those of a stable group; until then they are
/// about to change.
pub(super) fn describe(group: Option<&Group>, name: Name) -> Decision {
    let Some(live) = group.map(|group| &group.live) else {
        return Decision::refuse(Error::NoSuchGroup);
    };
    let is_stable = live.state == GroupState::Stable;
    let protocol = is_stable.then(|| live.protocol.clone());
    let members = live.members().map(|member| member_of(live, member));
    Decision::reply(Reply::Group(Box::new(GroupDescription {
        listing: listing(name, live),
        protocol: protocol.unwrap_or_default(),
        members: members.collect(),
    })))
}

fn listing(name: Name, live: &Live) -> GroupListing {
    GroupListing {
        name,
        protocol_type: live.protocol_type.clone(),
        state: live.state.as_str(),
    }
}

fn member_of(live: &Live, member: &Member) -> MemberDescription {
    let profile = &member.profile;
    let of_stable = |bytes: &[u8]| match live.state {
        GroupState::Stable => bytes.into(),
        _ => Box::default(),
    };
    MemberDescription {
        member: profile.member.clone(),
        instance: profile.instance.clone(),
        client_id: profile.client_id.clone(),
        client_host: profile.client_host.clone(),
        metadata: of_stable(profile.metadata(&live.protocol)),
        assignment: of_stable(&member.assignment),
    }
}
