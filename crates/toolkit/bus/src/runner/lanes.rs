//! Which messages are handled at the same time.
//!
//! ```text
//!  key ── hash ──► lane 0: ▪ ▪ ▪   one at a time
//!            └───► lane 1: ▪
//!  no key, or no order ──► shared: ▪ ▪   taken by any idle lane
//! ```

use std::{
    collections::VecDeque,
    hash::{DefaultHasher, Hash, Hasher},
};

use super::item::BoxItem;
use crate::{Concurrency, KeyOrder};

/// Messages that wait for their turn.
pub(crate) struct Lanes {
    lanes: Vec<Lane>,
    shared: VecDeque<BoxItem>,
    order: KeyOrder,
    waiting: usize,
    busy: usize,
}

#[derive(Default)]
struct Lane {
    items: VecDeque<BoxItem>,
    is_busy: bool,
}

impl Lanes {
    pub(crate) fn new(concurrency: Concurrency) -> Self {
        let count = concurrency.lanes().max(1);
        Self {
            lanes: std::iter::repeat_with(Lane::default).take(count).collect(),
            shared: VecDeque::new(),
            order: concurrency.order(),
            waiting: 0,
            busy: 0,
        }
    }

    /// Adds a message behind those of its key.
    pub(crate) fn push(&mut self, item: BoxItem) {
        self.waiting += 1;
        match (self.order, item.key()) {
            (KeyOrder::Relaxed, _) | (_, "") => self.shared.push_back(item),
            (KeyOrder::Strict, key) => {
                let lane = self.lane_of(key);
                self.lanes[lane].items.push_back(item);
            }
        }
    }

    /// The next message that may start, with its lane, which is busy until [`Lanes::finish`].
    pub(crate) fn start(&mut self) -> Option<(usize, BoxItem)> {
        let (lane, item) = self.next()?;
        self.lanes[lane].is_busy = true;
        self.busy += 1;
        self.waiting -= 1;
        Some((lane, item))
    }

    fn next(&mut self) -> Option<(usize, BoxItem)> {
        if self.waiting == 0 || self.busy == self.lanes.len() {
            return None;
        }
        for (index, lane) in self.lanes.iter_mut().enumerate() {
            if !lane.is_busy
                && let Some(item) = lane.items.pop_front()
            {
                return Some((index, item));
            }
        }
        let index = self.lanes.iter().position(|lane| !lane.is_busy)?;
        Some((index, self.shared.pop_front()?))
    }

    /// Whether a message may start.
    pub(crate) fn has_next(&self) -> bool {
        let idle = |lane: &Lane| !lane.is_busy && !lane.items.is_empty();
        let has_shared = !self.shared.is_empty() && self.busy < self.lanes.len();
        has_shared || self.lanes.iter().any(idle)
    }

    /// The message of a lane is done.
    pub(crate) fn finish(&mut self, lane: usize) {
        self.lanes[lane].is_busy = false;
        self.busy -= 1;
    }

    /// Takes the waiting messages of a key, in order.
    pub(crate) fn take_key(&mut self, key: &str) -> Vec<BoxItem> {
        let lane = self.lane_of(key);
        let all = std::mem::take(&mut self.lanes[lane].items);
        let (of_key, others): (Vec<BoxItem>, Vec<BoxItem>) =
            all.into_iter().partition(|item| item.key() == key);
        self.lanes[lane].items = others.into();
        self.waiting -= of_key.len();
        of_key
    }

    /// How many wait or are being handled.
    pub(crate) fn held(&self) -> usize {
        self.waiting + self.busy
    }

    fn lane_of(&self, key: &str) -> usize {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        let lanes = self.lanes.len() as u64;
        usize::try_from(hasher.finish() % lanes).unwrap_or(0)
    }
}
