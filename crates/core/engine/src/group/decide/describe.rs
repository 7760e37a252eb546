//! Listing and describing groups.

use std::convert::Infallible;

use stele_base_types::{Name, Timestamp};

use super::GroupCommand;
use crate::{
    Command, Decision, GroupError, State,
    group::{GroupState, live::Live, member::Member},
};

/// Lists all groups of the shard.
#[derive(Clone, Copy, Debug)]
pub struct ListGroups;

/// Describes a group. Assignor, metadata and assignments are only given for a stable group, as they
/// are about to change in other states.
#[derive(Clone, Debug)]
pub struct DescribeGroup {
    /// The group.
    pub group: Name,
}

/// A group in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupListing {
    /// Its name.
    pub name: Name,
    /// `consumer`, `connect`; empty for a group of simple consumers.
    pub protocol_type: Box<str>,
    /// `Empty`, `PreparingRebalance`, `CompletingRebalance`, `Stable`, `Dead`.
    pub state: &'static str,
}

/// The description of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupDescription {
    /// The same as in the list.
    pub listing: GroupListing,
    /// The assignor.
    pub protocol: Box<str>,
    /// Its members.
    pub members: Vec<MemberDescription>,
}

/// A member of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberDescription {
    /// Its id.
    pub member: Box<str>,
    /// Static name.
    pub instance: Option<Box<str>>,
    /// As told by the client.
    pub client_id: Box<str>,
    /// The client's address.
    pub client_host: Box<str>,
    /// Its metadata for the assignor.
    pub metadata: Box<[u8]>,
    /// Its assignment.
    pub assignment: Box<[u8]>,
}

impl GroupCommand for DescribeGroup {
    fn group(&self) -> &Name {
        &self.group
    }
}

impl Command for ListGroups {
    type Reply = Vec<GroupListing>;
    type Error = Infallible;

    fn decide(self, state: &State, _now: Timestamp) -> Result<Decision<Self::Reply>, Infallible> {
        let groups = state.groups.groups.iter();
        let listings = groups.map(|(name, group)| listing(name.clone(), &group.live));
        let mut listings: Vec<_> = listings.collect();
        listings.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        Ok(Decision::reply(listings))
    }
}

impl Command for DescribeGroup {
    type Reply = GroupDescription;
    type Error = GroupError;

    fn decide(self, state: &State, _now: Timestamp) -> Result<Decision<Self::Reply>, GroupError> {
        let group = state.groups.group(&self.group);
        let live = &group.ok_or(GroupError::NoSuchGroup)?.live;
        let is_stable = live.state == GroupState::Stable;
        let protocol = is_stable.then(|| live.protocol.clone());
        let members = live.members().map(|member| member_of(live, member));
        Ok(Decision::reply(GroupDescription {
            listing: listing(self.group, live),
            protocol: protocol.unwrap_or_default(),
            members: members.collect(),
        }))
    }
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
