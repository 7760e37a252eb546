//! Approximate append times of records: a bounded number of stretches for each partition.
//!
//! ```text
//!  stretches   0 .. 39: t0 to t1    40 .. 94: t2 to t3    95 .. end: t4 to t5
//! ```
//!
//! All records of a stretch expire together with its last one. So a record may count as younger
//! than it is, by at most the length of a stretch, but never as older.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use stele_base_types::{Offset, Timestamp};

/// The maximum number of stretches of one partition: bounds the cost of an idle queue.
const STRETCHES_MAX: usize = 128;

/// The number of stretches within the expiry time. Less than the maximum, so that normally none are
/// merged.
const STRETCHES_IN_EXPIRY: u64 = 100;

/// The length of a stretch if records don't expire, in milliseconds.
const LENGTH_MS: u64 = 60_000;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Times {
    /// In order of offsets and of time.
    stretches: VecDeque<Stretch>,
    /// One after the last record noted.
    end: Offset,
    /// When the last record was appended.
    last: Timestamp,
}

/// Consecutive records, up to the next stretch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Stretch {
    first: Offset,
    /// When its first and its last record were appended.
    begun: Timestamp,
    latest: Timestamp,
}

/// An older stored form of [`Times`]: only the beginning of each stretch.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Marks {
    marks: VecDeque<(Offset, Timestamp)>,
    end: Offset,
    last: Timestamp,
}

impl From<Marks> for Times {
    fn from(stored: Marks) -> Self {
        let Marks { marks, end, last } = stored;
        let next = marks.iter().skip(1).map(|(_, at)| *at).chain([last]);
        let stretches = marks.iter().zip(next);
        Self {
            stretches: stretches
                .map(|(&(first, begun), latest)| Stretch {
                    first,
                    begun,
                    latest,
                })
                .collect(),
            end,
            last,
        }
    }
}

impl Times {
    /// Notes that the records from `first` to `end` were appended at `at`. Records before `floor`
    /// are settled. A stretch that began at or before `apart` isn't extended past that time.
    pub(crate) fn note(
        &mut self,
        (first, end): (Offset, Offset),
        at: Timestamp,
        floor: Offset,
        apart: Timestamp,
        expiry_ms: Option<u64>,
    ) {
        // The system clock may have been set back; keeps times in the order of offsets.
        let at = at.max(self.last);
        let length = expiry_ms.map_or(LENGTH_MS, |expiry| expiry / STRETCHES_IN_EXPIRY);
        match self.stretches.back_mut() {
            Some(stretch)
                if at.since_ms(stretch.begun) < length.max(1)
                    && (stretch.begun > apart || at <= apart) =>
            {
                stretch.latest = at;
            }
            _ => {
                self.forget_before(floor);
                self.stretches.push_back(Stretch {
                    first,
                    begun: at,
                    latest: at,
                });
                self.thin_out();
            }
        }
        self.end = end;
        self.last = at;
    }

    /// Drops stretches whose records are all before `to`.
    pub(crate) fn forget_before(&mut self, to: Offset) {
        while let Some(next) = self.stretches.get(1)
            && next.first <= to
        {
            self.stretches.pop_front();
        }
        if self.end <= to {
            self.stretches.clear();
        }
    }

    /// When the next records become older than `expiry_ms`, if any of them are from `from` to
    /// `end`.
    pub(crate) fn next_expiry(
        &self,
        expiry_ms: u64,
        (from, end): (Offset, Offset),
    ) -> Option<Timestamp> {
        let stretch = self.stretches.front()?;
        (end > from.max(stretch.first)).then(|| stretch.latest.plus_ms(expiry_ms))
    }

    /// The first record that isn't older than `expiry_ms`.
    pub(crate) fn expired_before(&self, now: Timestamp, expiry_ms: u64) -> Option<Offset> {
        self.end_of(|stretch| stretch.latest.plus_ms(expiry_ms) <= now)
    }

    /// The first record that may have been appended after this time.
    pub(crate) fn begun_before(&self, at: Timestamp) -> Option<Offset> {
        self.end_of(|stretch| stretch.begun <= at)
    }

    /// When a record was appended, or somewhat earlier.
    pub(crate) fn of(&self, offset: Offset) -> Option<Timestamp> {
        let after = self
            .stretches
            .partition_point(|stretch| stretch.first <= offset);
        let stretch = self.stretches.get(after.checked_sub(1)?)?;
        (offset < self.end).then_some(stretch.begun)
    }

    /// One after the last record.
    pub(crate) fn end(&self) -> Offset {
        self.end
    }

    /// The end of the leading stretches for which this holds.
    fn end_of(&self, holds: impl Fn(&Stretch) -> bool) -> Option<Offset> {
        let count = self.stretches.partition_point(holds);
        let next = self.stretches.get(count).map(|stretch| stretch.first);
        (count > 0).then(|| next.unwrap_or(self.end))
    }

    /// Merges stretches in pairs when there are too many.
    fn thin_out(&mut self) {
        if self.stretches.len() <= STRETCHES_MAX {
            return;
        }
        let mut joined: VecDeque<Stretch> = VecDeque::with_capacity(STRETCHES_MAX);
        for (place, stretch) in self.stretches.drain(..).enumerate() {
            match joined.back_mut() {
                Some(before) if place % 2 == 1 => before.latest = stretch.latest,
                _ => joined.push_back(stretch),
            }
        }
        self.stretches = joined;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(times: &mut Times, offset: u64, at: i64, gone: Offset, expiry_ms: Option<u64>) {
        let records = (Offset(offset), Offset(offset + 1));
        times.note(records, Timestamp(at), gone, Timestamp(-1), expiry_ms);
    }

    #[test]
    fn records_expire_no_sooner_than_their_time_and_at_most_a_hundredth_later() {
        let (mut times, mut gone) = (Times::default(), Offset::ZERO);
        let expiry_ms = 2_400;
        for offset in 0..2_000u64 {
            let now = i64::try_from(offset * 7).expect("small");
            note(&mut times, offset, now, gone, Some(expiry_ms));
            let now = Timestamp(now);
            if let Some(expired) = times.expired_before(now, expiry_ms) {
                gone = expired;
                times.forget_before(gone);
            }
            // With a record every 7 ms: how many have expired, and how many by more than a stretch.
            let exact = (offset * 7 + 7).saturating_sub(expiry_ms) / 7;
            let late = (offset * 7).saturating_sub(expiry_ms + 31) / 7;
            assert!(gone.0 <= exact, "at {now}: {gone} of {exact}");
            assert!(gone.0 >= late, "at {now}: {gone} of {late}");
            let left = (gone, Offset(offset + 1));
            let next = times
                .next_expiry(expiry_ms, left)
                .expect("records are left");
            assert!(next > now);
        }
    }

    #[test]
    fn a_record_expires_without_its_successor() {
        let mut times = Times::default();
        note(&mut times, 0, 0, Offset::ZERO, Some(1_000));
        note(&mut times, 1, 900, Offset::ZERO, Some(1_000));
        let before = |now| times.expired_before(Timestamp(now), 1_000);
        assert_eq!(before(999), None);
        assert_eq!(before(1_000), Some(Offset(1)));
        assert_eq!(before(1_900), Some(Offset(2)));
    }

    #[test]
    fn the_number_of_stretches_is_bounded() {
        let mut times = Times::default();
        for offset in 0..10_000u64 {
            let at = i64::try_from(offset).expect("small") * 60_000;
            note(&mut times, offset, at, Offset::ZERO, None);
            assert!(times.stretches.len() <= STRETCHES_MAX);
        }
        assert_eq!(times.of(Offset::ZERO), Some(Timestamp(0)));
        let all = times.expired_before(Timestamp(9_999 * 60_000), 0);
        assert_eq!(all, Some(Offset(10_000)));
        times.forget_before(Offset(10_000));
        assert!(times.stretches.is_empty());
    }

    #[test]
    fn a_clock_set_back_does_not_make_later_records_older() {
        let mut times = Times::default();
        note(&mut times, 0, 1_000_000, Offset::ZERO, None);
        note(&mut times, 1, 0, Offset::ZERO, None);
        assert_eq!(times.of(Offset(1)), Some(Timestamp(1_000_000)));
    }

    #[test]
    fn stretches_are_apart_where_they_are_to_be() {
        let mut times = Times::default();
        for (offset, at) in [(0, 4), (1, 5), (2, 6), (3, 7)] {
            let records = (Offset(offset), Offset(offset + 1));
            times.note(records, Timestamp(at), Offset::ZERO, Timestamp(5), None);
        }
        assert_eq!(times.begun_before(Timestamp(5)), Some(Offset(2)));
        let stretches: Vec<_> = times.stretches.iter().map(|one| one.first.0).collect();
        assert_eq!(stretches, [0, 2]);
    }

    #[test]
    fn what_was_stored_as_marks_is_read() {
        let marks = Marks {
            marks: [(Offset(0), Timestamp(10)), (Offset(4), Timestamp(30))].into(),
            end: Offset(9),
            last: Timestamp(40),
        };
        let times = Times::from(marks);
        assert_eq!(times.expired_before(Timestamp(35), 0), Some(Offset(4)));
        assert_eq!(times.expired_before(Timestamp(40), 0), Some(Offset(9)));
        assert_eq!(times.of(Offset(5)), Some(Timestamp(30)));
    }
}
