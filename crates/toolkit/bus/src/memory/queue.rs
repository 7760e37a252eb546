//! A queue in memory.

use std::{
    collections::{BTreeMap, HashSet},
    time::Duration,
};

use stele_toolkit_envelope::Timestamp;

use crate::Incoming;

/// Whose copies, or whose share, a queue holds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum QueueId {
    /// A service's copies of its topics' messages.
    Service(String),
    /// A queue by its name.
    Named(String),
}

impl QueueId {
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Service(name) | Self::Named(name) => name,
        }
    }
}

/// A hold on a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct HoldId {
    pub(super) consumer: u64,
    pub(super) number: u64,
}

#[derive(Debug)]
struct Entry {
    message: Incoming,
    visible_at: Timestamp,
    deliveries: u32,
    hold: Option<HoldId>,
    /// The consumer that has it wait, and gets it again.
    kept_by: Option<u64>,
    /// Given back, so that those of its key wait until it is visible.
    holds_up: bool,
}

/// Messages in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Queue {
    entries: BTreeMap<u64, Entry>,
    next_offset: u64,
    /// Consumers that want to be the only one, in the order in which they came.
    pub(super) candidates: Vec<u64>,
}

/// A message that is handed out.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) message: Incoming,
    pub(super) offset: u64,
    pub(super) deliveries: u32,
}

impl Queue {
    pub(super) fn push(&mut self, message: Incoming, visible_at: Timestamp) {
        let entry = Entry {
            message,
            visible_at,
            deliveries: 0,
            hold: None,
            kept_by: None,
            holds_up: false,
        };
        self.entries.insert(self.next_offset, entry);
        self.next_offset += 1;
    }

    /// Swaps the last two messages, unless somebody holds one of them.
    pub(super) fn swap_last(&mut self) {
        let mut last = self.entries.iter_mut().rev();
        if let (Some((_, a)), Some((_, b))) = (last.next(), last.next())
            && a.hold.is_none()
            && b.hold.is_none()
        {
            std::mem::swap(a, b);
        }
    }

    /// Hands out the first message that may be: it is visible, and none of its key before it is
    /// held by another consumer or was given back and isn't visible yet.
    pub(super) fn take(&mut self, hold: HoldId, now: Timestamp) -> Option<Taken> {
        let mut held_up = HashSet::new();
        for (offset, entry) in &mut self.entries {
            let key = entry.message.key.as_str();
            let is_held_up = !key.is_empty() && held_up.contains(key);
            let is_others = entry.kept_by.is_some_and(|by| by != hold.consumer);
            match entry.hold {
                Some(other) if other.consumer == hold.consumer => continue,
                None if entry.visible_at <= now && !is_held_up && !is_others => {
                    entry.hold = Some(hold);
                    if entry.kept_by.take().is_none() {
                        entry.deliveries += 1;
                    }
                    return Some(Taken {
                        message: entry.message.clone(),
                        offset: *offset,
                        deliveries: entry.deliveries,
                    });
                }
                None if entry.visible_at > now && !entry.holds_up => continue,
                Some(_) | None => held_up.insert(key),
            };
        }
        None
    }

    /// When the next message becomes visible that isn't yet.
    pub(super) fn visible_at(&self, now: Timestamp) -> Option<Timestamp> {
        let waiting = self.entries.values().filter(|it| it.hold.is_none());
        waiting.map(|it| it.visible_at).filter(|at| *at > now).min()
    }

    /// Forgets a message. `false` if it isn't held so.
    pub(super) fn ack(&mut self, offset: u64, hold: HoldId) -> bool {
        match self.entries.get(&offset) {
            Some(entry) if entry.hold == Some(hold) => self.entries.remove(&offset).is_some(),
            _ => false,
        }
    }

    /// Gives a message back for a time. `false` if it isn't held so.
    pub(super) fn release(
        &mut self,
        offset: u64,
        hold: HoldId,
        now: Timestamp,
        after: Duration,
    ) -> bool {
        match self.entries.get_mut(&offset) {
            Some(entry) if entry.hold == Some(hold) => {
                entry.hold = None;
                entry.visible_at = now + after;
                entry.holds_up = true;
                true
            }
            _ => false,
        }
    }

    /// Has a message wait, for its consumer alone. `false` if that doesn't hold it so.
    pub(super) fn keep(
        &mut self,
        offset: u64,
        hold: HoldId,
        now: Timestamp,
        after: Duration,
    ) -> bool {
        let is_kept = self.release(offset, hold, now, after);
        if let Some(entry) = self.entries.get_mut(&offset).filter(|_| is_kept) {
            entry.kept_by = Some(hold.consumer);
        }
        is_kept
    }

    /// Gives back all that these consumers hold.
    pub(super) fn abandon(&mut self, is_gone: impl Fn(u64) -> bool) {
        for entry in self.entries.values_mut() {
            if entry.hold.is_some_and(|hold| is_gone(hold.consumer)) {
                entry.hold = None;
            }
            if entry.kept_by.is_some_and(&is_gone) {
                entry.kept_by = None;
                entry.visible_at = Timestamp::UNIX_EPOCH;
            }
        }
    }

    /// How many messages aren't done.
    pub(super) fn depth(&self) -> u64 {
        u64::try_from(self.entries.len()).unwrap_or(u64::MAX)
    }

    /// The messages that aren't done, in order.
    pub(super) fn messages(&self) -> Vec<Incoming> {
        let entries = self.entries.values();
        entries.map(|entry| entry.message.clone()).collect()
    }
}
