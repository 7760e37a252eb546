//! One partition as its consumer sees it. Pure.
//!
//! ```text
//!           accept             finish
//!  unread ──────────► held ──────────────► finished
//!                      ▲  │ give_back
//!               accept │  ▼
//!                     back, until it is due: the partition is paused, then read again from there
//! ```
//!
//! Invariants: what is below `position` is finished; a record is held by at most one delivery;
//! while a record is back, nothing behind it is accepted.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

#[cfg(test)]
mod tests;

/// How many records may be read beyond the lowest one that isn't finished, and beyond the last
/// committed offset. So this many at most are read again after a crash.
pub(crate) const WINDOW: usize = 4096;

/// A partition that is assigned to this consumer.
#[derive(Debug)]
pub(crate) struct Partition {
    /// Distinguishes assignments: what was handed out in an earlier one is another's now.
    pub(crate) epoch: u64,
    /// Whether the client library is told to pause it.
    pub(crate) is_paused: bool,
    /// The end of the partition when it was assigned: a record from there on is new.
    end_at_assignment: i64,
    first: Option<i64>,
    /// The next offset that was never read.
    read: i64,
    pending: BTreeMap<i64, Pending>,
    /// Above the lowest pending one.
    finished: BTreeSet<i64>,
    committed: i64,
    /// Where reading began again.
    rewound_to: Option<i64>,
}

/// A record that was read and isn't finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pending {
    Held,
    Back { due: Instant, was_handed_out: bool },
}

/// What to do with a record that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Accepted {
    Deliver {
        is_redelivered: bool,
    },
    /// It is held, finished, or will be read again.
    Skip,
}

/// What reading of the partition has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    Continue,
    Pause,
    /// Seek to this offset, then continue.
    Rewind(i64),
}

impl Partition {
    pub(crate) fn assigned(epoch: u64, end_at_assignment: i64) -> Self {
        Self {
            epoch,
            is_paused: false,
            end_at_assignment,
            first: None,
            read: 0,
            pending: BTreeMap::new(),
            finished: BTreeSet::new(),
            committed: 0,
            rewound_to: None,
        }
    }

    /// Takes a record that was read.
    pub(crate) fn accept(&mut self, offset: i64, now: Instant) -> Accepted {
        let first = *self.first.get_or_insert(offset);
        self.committed = self.committed.max(first);
        self.read = self.read.max(first);
        self.forget_removed(offset);
        if let Some((lowest, due, _)) = self.lowest_back()
            && (offset > lowest || offset == lowest && due > now)
        {
            return Accepted::Skip;
        }
        match self.pending.get(&offset) {
            Some(Pending::Held) => return Accepted::Skip,
            Some(Pending::Back { was_handed_out, .. }) => {
                let is_redelivered = *was_handed_out || self.may_be_old(offset);
                self.pending.insert(offset, Pending::Held);
                self.rewound_to = None;
                return Accepted::Deliver { is_redelivered };
            }
            None if offset < self.read => return Accepted::Skip,
            None => {}
        }
        self.pending.insert(offset, Pending::Held);
        self.read = offset + 1;
        Accepted::Deliver {
            is_redelivered: self.may_be_old(offset),
        }
    }

    /// A held record is done. Returns whether it was held.
    pub(crate) fn finish(&mut self, offset: i64) -> bool {
        if self.pending.get(&offset) != Some(&Pending::Held) {
            return false;
        }
        self.pending.remove(&offset);
        self.finished.insert(offset);
        let position = self.position();
        self.finished = self.finished.split_off(&position);
        true
    }

    /// A held record is to be read again, no earlier than `due`. Returns whether it was held.
    pub(crate) fn give_back(&mut self, offset: i64, due: Instant, was_handed_out: bool) -> bool {
        if self.pending.get(&offset) != Some(&Pending::Held) {
            return false;
        }
        let back = Pending::Back {
            due,
            was_handed_out,
        };
        self.pending.insert(offset, back);
        true
    }

    /// What reading has to do now.
    pub(crate) fn reading(&self, now: Instant) -> Reading {
        match self.lowest_back() {
            Some((_, due, _)) if due > now => Reading::Pause,
            Some((lowest, _, false)) => Reading::Rewind(lowest),
            Some((_, _, true)) => Reading::Continue,
            None if self.is_full() => Reading::Pause,
            None => Reading::Continue,
        }
    }

    /// Reading continues from this offset.
    pub(crate) fn rewound(&mut self, offset: i64) {
        self.rewound_to = Some(offset);
    }

    /// The offset to commit, unless that is committed or nothing was read.
    pub(crate) fn to_commit(&self) -> Option<i64> {
        self.first?;
        let position = self.position();
        (position > self.committed).then_some(position)
    }

    /// Whether it is time to commit, so that reading needn't wait for it.
    pub(crate) fn must_commit(&self) -> bool {
        self.to_commit().is_some() && self.beyond(self.committed) >= WINDOW / 2
    }

    pub(crate) fn committed(&mut self, offset: i64) {
        self.committed = self.committed.max(offset);
    }

    /// The lowest offset that isn't finished.
    fn position(&self) -> i64 {
        let lowest = self.pending.first_key_value();
        lowest.map_or(self.read, |(offset, _)| *offset)
    }

    /// The lowest record that is back, when it is due, and whether reading began again there.
    fn lowest_back(&self) -> Option<(i64, Instant, bool)> {
        self.pending.iter().find_map(|(offset, pending)| {
            let Pending::Back { due, .. } = pending else {
                return None;
            };
            Some((*offset, *due, self.rewound_to == Some(*offset)))
        })
    }

    /// Reading began again at a record that retention has removed meanwhile, if a later one comes.
    fn forget_removed(&mut self, offset: i64) {
        while let Some((lowest, _, true)) = self.lowest_back()
            && lowest < offset
        {
            self.pending.remove(&lowest);
            self.finished.insert(lowest);
            self.rewound_to = None;
        }
    }

    fn is_full(&self) -> bool {
        let unfinished = self.beyond(self.position());
        unfinished >= WINDOW || self.beyond(self.committed) >= WINDOW
    }

    fn beyond(&self, offset: i64) -> usize {
        usize::try_from(self.read - offset).unwrap_or(0)
    }

    /// Whether another consumer may have had the record before the partition was assigned.
    fn may_be_old(&self, offset: i64) -> bool {
        let window = i64::try_from(WINDOW).unwrap_or(i64::MAX);
        let first = self.first.unwrap_or(offset);
        offset < self.end_at_assignment && offset < first.saturating_add(window)
    }
}
