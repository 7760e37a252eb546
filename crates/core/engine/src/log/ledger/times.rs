//! When records were appended, coarsely: a bounded number of marks for each partition.
//!
//! ```text
//!  marks   (0, t0)        (40, t1)            (95, t2)        end 120, last append t3
//!  records 0 ......... 39 40 .............. 94 95 ......... 119
//!          not after t1   not after t2         not after t3
//! ```
//!
//! So a record is taken for younger than it is, by at most the distance of two marks, never older.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use stele_base_types::{Offset, Timestamp};

/// Marks of one partition: bounds what an idle queue costs.
const MARKS_MAX: usize = 32;

/// Marks in the time that records have: fewer than there may be, so that none is dropped.
const MARKS_IN_EXPIRY: u64 = 24;

/// The distance of marks where records don't expire, in milliseconds.
const DISTANCE_MS: u64 = 60_000;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Times {
    /// An offset and when it was appended, both ascending.
    marks: VecDeque<(Offset, Timestamp)>,
    /// One after the last record noted.
    end: Offset,
    /// When that was appended.
    last: Timestamp,
}

impl Times {
    /// Records from `first` to `end` were appended at `at`. What is before `floor` is settled.
    pub(crate) fn note(
        &mut self,
        first: Offset,
        end: Offset,
        at: Timestamp,
        floor: Offset,
        expiry_ms: Option<u64>,
    ) {
        // The system clock may have been set back: ages stay in the order of offsets.
        let at = at.max(self.last);
        let distance = expiry_ms.map_or(DISTANCE_MS, |expiry| expiry / MARKS_IN_EXPIRY);
        let is_due = match self.marks.back() {
            Some(&(_, latest)) => at.since_ms(latest) >= distance.max(1),
            None => true,
        };
        if is_due {
            self.forget_before(floor);
            self.marks.push_back((first, at));
            self.thin_out();
        }
        self.end = end;
        self.last = at;
    }

    /// Drops marks whose records are all before `to`.
    pub(crate) fn forget_before(&mut self, to: Offset) {
        while let Some(&(end, _)) = self.marks.get(1)
            && end <= to
        {
            self.marks.pop_front();
        }
        if self.end <= to {
            self.marks.clear();
        }
    }

    /// When the next records become older than `expiry_ms`.
    pub(crate) fn next_expiry(&self, expiry_ms: u64) -> Option<Timestamp> {
        let (_, at) = self.groups().next()?;
        Some(at.plus_ms(expiry_ms))
    }

    /// The first record that isn't older than `expiry_ms`.
    pub(crate) fn expired_before(&self, now: Timestamp, expiry_ms: u64) -> Option<Offset> {
        self.groups()
            .take_while(|(_, at)| at.plus_ms(expiry_ms) <= now)
            .map(|(end, _)| end)
            .last()
    }

    /// When a record was appended, or somewhat before.
    pub(crate) fn of(&self, offset: Offset) -> Option<Timestamp> {
        let after = self.marks.partition_point(|&(first, _)| first <= offset);
        let (_, at) = self.marks.get(after.checked_sub(1)?)?;
        (offset < self.end).then_some(*at)
    }

    /// One after the last record.
    pub(crate) fn end(&self) -> Offset {
        self.end
    }

    /// For each stretch between marks: its end, and when its last record was appended at latest.
    fn groups(&self) -> impl Iterator<Item = (Offset, Timestamp)> {
        let last = (!self.marks.is_empty()).then_some((self.end, self.last));
        self.marks.iter().skip(1).copied().chain(last)
    }

    /// Drops every second mark when there are too many.
    fn thin_out(&mut self) {
        if self.marks.len() > MARKS_MAX {
            let mut keep = false;
            self.marks.retain(|_| {
                keep = !keep;
                keep
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_expire_no_sooner_than_their_time_and_at_most_one_distance_later() {
        let (mut times, mut gone) = (Times::default(), Offset::ZERO);
        let expiry_ms = 2_400;
        for offset in 0..2_000u64 {
            let now = Timestamp(i64::try_from(offset * 7).expect("small"));
            let end = Offset(offset + 1);
            times.note(Offset(offset), end, now, gone, Some(expiry_ms));
            if let Some(expired) = times.expired_before(now, expiry_ms) {
                gone = expired;
                times.forget_before(gone);
            }
            // Of those appended every 7 ms, so many are older, and so many by over a distance.
            let exact = (offset * 7 + 7).saturating_sub(expiry_ms) / 7;
            let late = (offset * 7).saturating_sub(expiry_ms + 110) / 7;
            assert!(gone.0 <= exact, "at {now}: {gone} of {exact}");
            assert!(gone.0 >= late, "at {now}: {gone} of {late}");
            let next = times.next_expiry(expiry_ms).expect("records are left");
            assert!(next > now);
        }
    }

    #[test]
    fn the_number_of_marks_is_bounded() {
        let mut times = Times::default();
        for offset in 0..10_000u64 {
            let at = Timestamp(i64::try_from(offset).expect("small") * 60_000);
            times.note(Offset(offset), Offset(offset + 1), at, Offset::ZERO, None);
            assert!(times.marks.len() <= MARKS_MAX);
        }
        assert_eq!(times.of(Offset::ZERO), Some(Timestamp(0)));
        times.forget_before(Offset(10_000));
        assert_eq!(
            times,
            Times {
                marks: VecDeque::new(),
                ..times.clone()
            }
        );
    }

    #[test]
    fn a_clock_set_back_does_not_make_later_records_older() {
        let mut times = Times::default();
        times.note(
            Offset(0),
            Offset(1),
            Timestamp(1_000_000),
            Offset::ZERO,
            None,
        );
        times.note(Offset(1), Offset(2), Timestamp(0), Offset::ZERO, None);
        assert_eq!(times.of(Offset(1)), Some(Timestamp(1_000_000)));
    }
}
