//! A member of a group.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use stele_base_types::Timestamp;

use super::JoinGroup;
use crate::Token;

/// A member's own data, as given when it joined.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// Its id.
    pub member: Box<str>,
    /// Its static name, if any.
    pub instance: Option<Box<str>>,
    /// Shown when describing the group.
    pub client_id: Box<str>,
    /// Shown when describing the group.
    pub client_host: Box<str>,
    /// The session timeout in milliseconds: a member silent for longer is removed.
    pub session_timeout_ms: u32,
    /// How long a rebalance waits for it, in milliseconds.
    pub rebalance_timeout_ms: u32,
    /// `consumer`, `connect`.
    pub protocol_type: Box<str>,
    /// The assignors, best first, each once, with metadata.
    pub protocols: Vec<(Box<str>, Box<[u8]>)>,
}

impl Profile {
    pub(super) fn new(join: JoinGroup) -> Self {
        let member = if join.member.is_empty() {
            join.member_new
        } else {
            join.member
        };
        Self {
            member,
            instance: join.instance,
            client_id: join.client_id,
            client_host: join.client_host,
            session_timeout_ms: join.session_timeout_ms,
            rebalance_timeout_ms: join.rebalance_timeout_ms,
            protocol_type: join.protocol_type,
            protocols: each_once(join.protocols),
        }
    }

    /// When the session times out for a member heard from now.
    pub(super) fn until(&self, now: Timestamp) -> Timestamp {
        now.plus_ms(self.session_timeout_ms.into())
    }

    /// Its metadata for an assignor; empty if it doesn't support that.
    pub(super) fn metadata(&self, protocol: &str) -> &[u8] {
        let found = self.protocols.iter().find(|(name, _)| &**name == protocol);
        found.map_or(&[], |(_, metadata)| metadata)
    }
}

/// An assignor listed twice would count as two members that support it.
fn each_once(protocols: Vec<(Box<str>, Box<[u8]>)>) -> Vec<(Box<str>, Box<[u8]>)> {
    let mut once: Vec<(Box<str>, Box<[u8]>)> = Vec::with_capacity(protocols.len());
    for (name, metadata) in protocols {
        if !once.iter().any(|(known, _)| *known == name) {
            once.push((name, metadata));
        }
    }
    once
}

/// A member of the group, with its current state.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Member {
    pub(super) profile: Arc<Profile>,
    pub(super) assignment: Arc<[u8]>,
    pub(super) waits: Waits,
    /// When its session times out. `None` while it waits: its pending request shows that it is
    /// alive.
    pub(super) until: Option<Timestamp>,
    /// Whether it has requested its assignment in this generation.
    pub(super) synced: bool,
}

/// What a member waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waits {
    No,
    /// The end of the rebalance.
    Join(Token),
    /// Its assignment.
    Sync(Token),
}

impl Member {
    /// A new member, not waiting and without assignment, whose session time starts now.
    pub(super) fn new(profile: Arc<Profile>) -> Self {
        Self {
            profile,
            assignment: Arc::default(),
            waits: Waits::No,
            until: None,
            synced: true,
        }
    }

    pub(super) fn joins(&self) -> bool {
        matches!(self.waits, Waits::Join(_))
    }

    pub(super) fn is_static(&self) -> bool {
        self.profile.instance.is_some()
    }

    /// Ends its waiting; its session time starts now.
    pub(super) fn answered(&mut self, now: Timestamp) {
        self.waits = Waits::No;
        self.until = Some(self.profile.until(now));
    }
}
