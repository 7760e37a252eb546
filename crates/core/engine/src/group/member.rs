//! A member of a group.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use stele_base_types::Timestamp;

use super::JoinGroup;
use crate::Token;

/// What a member has said of itself when it joined.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// Its id.
    pub member: Box<str>,
    /// Static name.
    pub instance: Option<Box<str>>,
    /// For describing.
    pub client_id: Box<str>,
    /// For describing.
    pub client_host: Box<str>,
    /// Gone when silent for this long, in milliseconds.
    pub session_timeout_ms: u32,
    /// How long a rebalance waits for it, in milliseconds.
    pub rebalance_timeout_ms: u32,
    /// `consumer`, `connect`.
    pub protocol_type: Box<str>,
    /// Assignors, best first, each once, with metadata.
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

    /// Until when a member heard of now is believed there.
    pub(super) fn until(&self, now: Timestamp) -> Timestamp {
        now.plus_ms(self.session_timeout_ms.into())
    }

    /// Its metadata for an assignor; empty where it can't do that.
    pub(super) fn metadata(&self, protocol: &str) -> &[u8] {
        let found = self.protocols.iter().find(|(name, _)| &**name == protocol);
        found.map_or(&[], |(_, metadata)| metadata)
    }
}

/// A list with an assignor twice would count as two members that can do it.
fn each_once(protocols: Vec<(Box<str>, Box<[u8]>)>) -> Vec<(Box<str>, Box<[u8]>)> {
    let mut once: Vec<(Box<str>, Box<[u8]>)> = Vec::with_capacity(protocols.len());
    for (name, metadata) in protocols {
        if !once.iter().any(|(known, _)| *known == name) {
            once.push((name, metadata));
        }
    }
    once
}

/// A member in the life of a group.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Member {
    pub(super) profile: Arc<Profile>,
    pub(super) assignment: Arc<[u8]>,
    pub(super) waits: Waits,
    /// Gone if nothing is heard of it until then. `None` while it waits: its request shows that it
    /// is there.
    pub(super) until: Option<Timestamp>,
    /// Has asked for the assignment of the generation.
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
    /// Not waiting, not assigned, and to be heard of in time.
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

    /// Stops waiting; from now on it must be heard of.
    pub(super) fn answered(&mut self, now: Timestamp) {
        self.waits = Waits::No;
        self.until = Some(self.profile.until(now));
    }
}
