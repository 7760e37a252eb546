//! Deduplication by id (SQS FIFO): within the window, a message with the same id is appended once.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Deserialize, Serialize, Serializer};
use stele_base_types::{Offset, PartitionIndex, Timestamp};

use crate::limits::DEDUPLICATION_MS;

/// The deduplication ids of a log's last five minutes. Survives restarts, since appends are
/// journalled.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Stored")]
pub(crate) struct Deduplication {
    known: BTreeMap<u128, Known>,
    /// Each id once, by the time of its latest message, so that an id in constant use doesn't keep
    /// those behind it. Derived from `known`.
    #[serde(serialize_with = "ids")]
    order: BTreeSet<(Timestamp, u128)>,
}

/// [`Deduplication`] in a snapshot.
#[derive(Deserialize)]
struct Stored {
    known: BTreeMap<u128, Known>,
    #[serde(rename = "order")]
    _order: VecDeque<u128>,
}

/// Where the message with an id is, and since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Known {
    partition: PartitionIndex,
    offset: Offset,
    at: Timestamp,
}

impl Deduplication {
    /// Where the message with this id is, if it was appended within the window.
    pub(crate) fn find(&self, id: u128, now: Timestamp) -> Option<(PartitionIndex, Offset)> {
        let known = self.known.get(&id)?;
        is_current(known.at, now).then_some((known.partition, known.offset))
    }

    /// Adds a message.
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
        if let Some(former) = self.known.insert(id, known) {
            self.order.remove(&(former.at, id));
        }
        self.order.insert((at, id));
    }

    /// Removes ids older than the window.
    pub(crate) fn forget(&mut self, now: Timestamp) {
        let mut all = usize::MAX;
        self.forget_some(now, &mut all);
    }

    /// The same for up to `left` ids.
    pub(crate) fn forget_some(&mut self, now: Timestamp, left: &mut usize) {
        while let Some((at, _)) = self.order.first()
            && !is_current(*at, now)
        {
            if !self.remove_first(left) {
                return;
            }
        }
    }

    /// Removes up to `left` ids, because the log is gone.
    pub(crate) fn shed(&mut self, left: &mut usize) {
        while self.remove_first(left) {}
    }

    /// Removes the oldest id, unless `left` is zero.
    fn remove_first(&mut self, left: &mut usize) -> bool {
        if *left == 0 {
            return false;
        }
        let Some((_, id)) = self.order.pop_first() else {
            return false;
        };
        self.known.remove(&id);
        *left -= 1;
        true
    }

    pub(crate) fn len(&self) -> usize {
        self.order.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.order.is_empty()
    }
}

impl From<Stored> for Deduplication {
    fn from(Stored { known, .. }: Stored) -> Self {
        let order = known.iter().map(|(id, known)| (known.at, *id)).collect();
        Self { known, order }
    }
}

fn ids<S: Serializer>(order: &BTreeSet<(Timestamp, u128)>, to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(order.iter().map(|(_, id)| id))
}

/// Whether a message of this time is within the window.
fn is_current(at: Timestamp, now: Timestamp) -> bool {
    now.since_ms(at) < DEDUPLICATION_MS
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

    #[test]
    fn an_id_that_is_used_again_and_again_does_not_keep_the_others() {
        let mut ids = Deduplication::default();
        let note = |ids: &mut Deduplication, id, at| {
            ids.note(id, PartitionIndex(0), Offset(0), Timestamp(at));
        };
        for window in 0..100i64 {
            let at = window * 300_000;
            note(&mut ids, 0, at);
            for other in 1..100 {
                note(
                    &mut ids,
                    u128::try_from(at + other).expect("positive"),
                    at + other,
                );
            }
            ids.forget(Timestamp(at + 299_999));
            assert_eq!((ids.known.len(), ids.order.len()), (100, 100));
        }
    }

    #[test]
    fn it_is_stored_as_ids_by_their_times() {
        let mut ids = Deduplication::default();
        for (id, at) in [(1, 7), (2, 8), (1, 9)] {
            ids.note(id, PartitionIndex(0), Offset(0), Timestamp(at));
        }
        let (known, order): (BTreeMap<u128, Known>, VecDeque<u128>) =
            postcard::from_bytes(&postcard::to_allocvec(&ids).expect("stored")).expect("read");
        assert_eq!((known.len(), order), (2, [2, 1].into()));
        // Older versions left an id at its first position.
        let former = postcard::to_allocvec(&(known, VecDeque::from([1u128, 2]))).expect("stored");
        assert_eq!(
            postcard::from_bytes::<Deduplication>(&former).ok(),
            Some(ids)
        );
    }
}
