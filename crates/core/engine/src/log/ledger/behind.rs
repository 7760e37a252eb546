//! Records that were returned to a place behind those that were ready at that time.
//!
//! ```text
//!  ready  5 6 7 8 ............ end      2 was returned when the end was 9, then 4
//!  order  5 6 7 8 │ 2 4 │ 9 10 ...
//! ```
//!
//! So a message that nobody can process is delivered again only after all others, however often it
//! is returned.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use stele_base_types::Offset;

use super::part::{Seen, pop_before};
use crate::log::sweep::shed;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Order")]
pub(crate) struct Behind {
    order: Order,
    /// The place of each record in `order`. Derived from it.
    #[serde(skip)]
    places: BTreeMap<Offset, Place>,
}

type Order = BTreeMap<Place, (Offset, Seen)>;

/// The partition's end when a record was returned, and the record's number among those returned at
/// that end. Ends only grow, so the last place has the largest number.
type Place = (Offset, u64);

impl From<Order> for Behind {
    fn from(order: Order) -> Self {
        let records = order.iter();
        let places = records.map(|(place, (offset, _))| (*offset, *place));
        Self {
            places: places.collect(),
            order,
        }
    }
}

impl Behind {
    /// Adds a record that comes after everything before `end`.
    pub(super) fn insert(&mut self, offset: Offset, end: Offset, seen: Seen) {
        let last = self.order.last_key_value();
        let number = last.map_or(0, |((_, number), _)| number + 1);
        self.places.insert(offset, (end, number));
        self.order.insert((end, number), (offset, seen));
    }

    pub(super) fn remove(&mut self, offset: Offset) -> Option<Seen> {
        let place = self.places.remove(&offset)?;
        let (_, seen) = self.order.remove(&place)?;
        Some(seen)
    }

    pub(super) fn get(&self, offset: Offset) -> Option<Seen> {
        let (_, seen) = self.order.get(self.places.get(&offset)?)?;
        Some(*seen)
    }

    pub(super) fn contains(&self, offset: Offset) -> bool {
        self.places.contains_key(&offset)
    }

    /// Its records in delivery order, each with the first offset that comes after it.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Offset, Offset)> {
        let records = self.order.iter();
        records.map(|((end, _), (offset, _))| (*end, *offset))
    }

    /// Its records by offset.
    pub(super) fn offsets(&self) -> impl Iterator<Item = Offset> {
        self.places.keys().copied()
    }

    /// Takes out all its records.
    pub(super) fn take(&mut self) -> impl Iterator<Item = (Offset, Seen)> + use<> {
        std::mem::take(self).order.into_values()
    }

    /// Those from an offset on.
    pub(super) fn offsets_from(&self, from: Offset) -> impl Iterator<Item = Offset> {
        self.places.range(from..).map(|(offset, _)| *offset)
    }

    pub(super) fn len(&self) -> usize {
        self.order.len()
    }

    /// Removes records before `to`.
    pub(super) fn remove_before(&mut self, to: Offset) {
        while let Some((_, place)) = pop_before(&mut self.places, to) {
            self.order.remove(&place);
        }
    }

    /// Removes up to `left` records, because the log is gone.
    pub(super) fn shed(&mut self, left: &mut usize) {
        shed(&mut self.order, left);
        shed(&mut self.places, left);
    }
}
