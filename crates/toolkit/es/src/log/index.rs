//! What a log's records mean: the fold that every process does.
//!
//! The verdict on a record follows from the records before it in its partition, and from nothing
//! else: no clock, no configuration. Two processes that disagreed would have two histories.

use std::collections::{HashMap, HashSet};

use stele_toolkit_envelope::{Envelope, Timestamp};

use super::{place, record::Append};
use crate::{Expected, Position, StreamId, Until};

/// What came of an append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Its events are in the stream; this is the last one's version, and the place behind it.
    Appended { version: u64, place: u64 },
    /// They were there already.
    Repeated { version: u64, place: u64 },
    /// The stream had another version.
    Conflict { actual: u64 },
    /// An id was in use.
    IdInUse,
}

/// The index of all partitions.
#[derive(Debug)]
pub(super) struct Index(Vec<Partition>);

#[derive(Debug, Default)]
struct Partition {
    /// The offset of the next record to look at.
    next: u64,
    streams: HashMap<StreamId, Stream>,
    /// The stream and the version of each event by its id.
    ids: HashMap<String, (StreamId, u64)>,
    /// The records that count, by offset.
    accepted: Vec<Accepted>,
    /// The verdicts on the others that are appends.
    refused: HashMap<u64, Verdict>,
}

#[derive(Debug, Default)]
struct Stream {
    /// The place of each event, from version 1 on.
    places: Vec<u64>,
    /// The time of the last one.
    time: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug)]
struct Accepted {
    offset: u64,
    /// The version of its first event.
    version: u64,
    count: usize,
    time: Timestamp,
}

/// Events of one record that are to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Planned {
    pub(super) partition: u32,
    pub(super) offset: u64,
    /// The index of the first event in its record.
    pub(super) first: usize,
    pub(super) count: usize,
    /// The version of that event.
    pub(super) version: u64,
    pub(super) time: Timestamp,
    /// How many events the record has.
    pub(super) of: usize,
}

/// A page of all events.
#[derive(Debug)]
pub(super) struct PlannedPage {
    pub(super) records: Vec<Planned>,
    pub(super) position: Position,
    pub(super) is_end: bool,
}

impl Index {
    pub(super) fn new(partitions: u32) -> Self {
        let all = (0..partitions).map(|_| Partition::default());
        Self(all.collect())
    }

    /// The offset of the next record of a partition.
    pub(super) fn next(&self, partition: u32) -> u64 {
        self.0[partition as usize].next
    }

    /// Takes the next record of a partition in; `None` if it isn't an append.
    pub(super) fn apply(&mut self, partition: u32, offset: u64, append: Option<Append>) {
        let of = &mut self.0[partition as usize];
        of.next = offset + 1;
        if let Some(append) = append {
            of.apply(offset, append);
        }
    }

    /// The verdict on a record that has been taken in. The caller wrote an append there.
    pub(super) fn verdict(&self, partition: u32, offset: u64) -> Verdict {
        self.0[partition as usize].verdict(offset)
    }

    /// The verdict on an append, if it is certain without its record.
    pub(super) fn known(
        &self,
        partition: u32,
        stream: &StreamId,
        expected: Expected,
        events: &[Envelope],
    ) -> Option<Verdict> {
        let of = &self.0[partition as usize];
        let version = of.version(stream);
        // A stream only grows.
        let is_late = expected
            .version()
            .is_some_and(|expected| expected < version);
        let conflict = is_late.then_some(Verdict::Conflict { actual: version });
        of.repeated(stream, events).or(conflict)
    }

    /// Events of a stream behind a version.
    pub(super) fn of_stream(
        &self,
        partition: u32,
        stream: &StreamId,
        after: u64,
        until: Until,
        limit: usize,
    ) -> Vec<Planned> {
        let of = &self.0[partition as usize];
        let places = of.streams.get(stream).map_or(&[][..], |it| &it.places);
        let after = usize::try_from(after).unwrap_or(usize::MAX);
        let mut planned: Vec<Planned> = Vec::new();
        for (at, version) in places.iter().zip(1_u64..).skip(after).take(limit) {
            let (offset, index) = place::split(*at);
            let record = of.record(offset);
            if !until.includes(version, record.time) {
                break;
            }
            match planned.last_mut() {
                Some(last) if last.offset == offset => last.count += 1,
                _ => planned.push(Planned {
                    partition,
                    offset,
                    first: index,
                    count: 1,
                    version,
                    time: record.time,
                    of: record.count,
                }),
            }
        }
        planned
    }

    /// Events of all streams behind a position.
    pub(super) fn behind(&self, after: &Position, limit: usize) -> PlannedPage {
        let mut page = PlannedPage {
            records: Vec::new(),
            position: after.clone(),
            is_end: true,
        };
        let mut left = limit;
        for partition in self.fair_order(after) {
            let of = &self.0[partition as usize];
            let from = after.place(partition);
            let to = of.plan(partition, from, &mut left, &mut page.records);
            page.is_end &= to == place::before(of.next, 0).max(from);
            if to > from {
                page.position = page.position.with_place(partition, to);
            }
        }
        page
    }

    /// All partitions. Which one comes first changes from page to page, so that a busy one can't
    /// fill all pages.
    fn fair_order(&self, after: &Position) -> impl Iterator<Item = u32> + use<> {
        let count = u32::try_from(self.0.len()).unwrap_or(u32::MAX);
        let all = (0..count).map(|partition| after.place(partition));
        let sum = all.fold(0, u64::wrapping_add);
        let mixed = sum.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33;
        let first = u32::try_from(mixed % u64::from(count.max(1))).unwrap_or(0);
        (0..count).map(move |number| (first + number) % count)
    }
}

impl Partition {
    fn version(&self, stream: &StreamId) -> u64 {
        let found = self.streams.get(stream);
        found.map_or(0, |stream| stream.places.len() as u64)
    }

    fn apply(&mut self, offset: u64, append: Append) {
        let Append {
            stream,
            expected,
            events,
        } = append;
        let actual = self.version(&stream);
        let mut ids = HashSet::new();
        let refused = if let Some(verdict) = self.repeated(&stream, &events) {
            Some(verdict)
        } else if !events.iter().all(|event| ids.insert(&event.message_id)) {
            Some(Verdict::IdInUse)
        } else if expected.is_some_and(|expected| expected != actual) {
            Some(Verdict::Conflict { actual })
        } else {
            None
        };
        if let Some(verdict) = refused {
            self.refused.insert(offset, verdict);
            return;
        }
        let head = self.streams.entry(stream.clone()).or_default();
        let times = events.iter().map(|event| event.timestamp);
        let time = times.chain(head.time).max().unwrap_or(Timestamp::MIN);
        head.time = Some(time);
        self.accepted.push(Accepted {
            offset,
            version: actual + 1,
            count: events.len(),
            time,
        });
        for ((index, event), version) in events.into_iter().enumerate().zip(actual + 1..) {
            head.places.push(place::before(offset, index));
            self.ids.insert(event.message_id, (stream.clone(), version));
        }
    }

    /// What is to be said of events of which some are there already; `None` if none is.
    fn repeated(&self, stream: &StreamId, events: &[Envelope]) -> Option<Verdict> {
        let found = events.iter().map(|event| self.ids.get(&event.message_id));
        let found: Vec<Option<&(StreamId, u64)>> = found.collect();
        let first = found.iter().flatten().next()?.1;
        let is_same = |(at, version): (&Option<&(StreamId, u64)>, u64)| {
            at.is_some_and(|(of, its)| of == stream && *its == version)
        };
        if !found.iter().zip(first..).all(is_same) {
            return Some(Verdict::IdInUse);
        }
        let version = first + events.len() as u64 - 1;
        let places = &self.streams.get(stream)?.places;
        let last = usize::try_from(version - 1).ok()?;
        let (offset, index) = place::split(*places.get(last)?);
        let place = place::behind(offset, index, self.record(offset).count);
        Some(Verdict::Repeated { version, place })
    }

    fn verdict(&self, offset: u64) -> Verdict {
        if let Some(verdict) = self.refused.get(&offset) {
            return *verdict;
        }
        let record = self.record(offset);
        Verdict::Appended {
            version: record.version + record.count as u64 - 1,
            place: place::before(offset + 1, 0),
        }
    }

    /// The record that counts at an offset.
    fn record(&self, offset: u64) -> Accepted {
        let found = self.accepted.binary_search_by_key(&offset, |it| it.offset);
        self.accepted[found.expect("places and verdicts are of records that were accepted")]
    }

    /// Plans events from a place on, at most `left`, and returns the place up to where that goes.
    fn plan(&self, partition: u32, from: u64, left: &mut usize, planned: &mut Vec<Planned>) -> u64 {
        let (offset, mut first) = place::split(from);
        let start = self.accepted.partition_point(|it| it.offset < offset);
        let mut at = from;
        for record in &self.accepted[start..] {
            if record.offset > offset {
                first = 0;
            }
            let count = record.count.saturating_sub(first).min(*left);
            if count > 0 {
                planned.push(Planned {
                    partition,
                    offset: record.offset,
                    first,
                    count,
                    version: record.version + first as u64,
                    time: record.time,
                    of: record.count,
                });
                *left -= count;
                at = place::behind(record.offset, first + count - 1, record.count);
            }
            if first + count < record.count {
                return at;
            }
        }
        // Nothing that counts follows.
        place::before(self.next, 0).max(from)
    }
}

#[cfg(test)]
mod tests;
