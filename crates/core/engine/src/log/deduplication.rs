//! Deduplication by id (SQS FIFO): within the window a message of an id is appended once.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};
use stele_base_types::{Offset, PartitionIndex, Timestamp};

use super::sweep::shed;
use crate::limits::DEDUPLICATION_MS;

/// The ids of a log's last five minutes. It outlives restarts, since appends are journalled.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Deduplication {
    known: BTreeMap<u128, Known>,
    /// In the order that they came.
    order: VecDeque<u128>,
}

/// Where the message of an id is, and since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Known {
    partition: PartitionIndex,
    offset: Offset,
    at: Timestamp,
}

impl Deduplication {
    /// Where the message of this id is already, if it came within the window.
    pub(crate) fn find(&self, id: u128, now: Timestamp) -> Option<(PartitionIndex, Offset)> {
        let known = self.known.get(&id)?;
        known
            .is_current(now)
            .then_some((known.partition, known.offset))
    }

    /// Remembers a message.
    pub(crate) fn note(
        &mut self,
        id: u128,
        partition: PartitionIndex,
        offset: Offset,
        at: Timestamp,
    ) {
        let known = Known {
            partition,
            offset,
            at,
        };
        if self.known.insert(id, known).is_none() {
            self.order.push_back(id);
        }
    }

    /// Forgets what is older than the window.
    pub(crate) fn forget(&mut self, now: Timestamp) {
        while let Some(id) = self.order.front() {
            match self.known.get(id) {
                Some(known) if known.is_current(now) => break,
                _ => {
                    self.known.remove(id);
                    self.order.pop_front();
                }
            }
        }
        if self.order.is_empty() {
            self.order.shrink_to_fit();
        }
    }

    /// The same with up to `left` ids.
    pub(crate) fn forget_some(&mut self, now: Timestamp, left: &mut usize) {
        while *left > 0
            && let Some(id) = self.order.front()
            && !self
                .known
                .get(id)
                .is_some_and(|place| place.is_current(now))
        {
            self.known.remove(id);
            self.order.pop_front();
            *left -= 1;
        }
        if self.order.is_empty() {
            self.order.shrink_to_fit();
        }
    }

    /// Takes up to `left` of them out: the log is gone.
    pub(crate) fn shed(&mut self, left: &mut usize) {
        shed(&mut self.known, left);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.order.is_empty()
    }
}

impl Known {
    fn is_current(&self, now: Timestamp) -> bool {
        now.since_ms(self.at) < DEDUPLICATION_MS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_known_for_five_minutes_from_its_message() {
        let mut ids = Deduplication::default();
        let place = (PartitionIndex(1), Offset(7));
        ids.note(1, place.0, place.1, Timestamp(0));
        assert_eq!(ids.find(1, Timestamp(299_999)), Some(place));
        assert_eq!(ids.find(1, Timestamp(300_000)), None);
        assert_eq!(ids.find(2, Timestamp(0)), None);
        ids.note(1, place.0, Offset(9), Timestamp(400_000));
        ids.forget(Timestamp(500_000));
        assert_eq!(ids.find(1, Timestamp(600_000)), Some((place.0, Offset(9))));
        ids.forget(Timestamp(700_000));
        assert!(ids.is_empty());
    }
}
