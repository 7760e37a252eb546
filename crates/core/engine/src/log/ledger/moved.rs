//! Moved records as another log gets them.
//!
//! What the records of a run share is listed once, which is most of it for records that died
//! together:
//!
//! ```text
//!  record      0   1   2   3   4
//!  headers     a   a   a   b   b      (3, a) (2, b)
//! ```

use serde::{Deserialize, Serialize};
use stele_base_types::{LogId, Offset, PartitionIndex, Timestamp};

use super::Run;
use crate::{
    Append, AppendTarget, Columns, LedgerId, MoveError, Schedule,
    limits::{MOVE_HEADERS_BYTES_MAX, RUN_RECORDS_MAX},
    stored::stored_fields,
};

/// Consecutive records as another log gets them: a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MovedRun {
    /// The number of records, at least 1.
    pub count: u32,
    /// The size of the batch.
    pub size_bytes: u32,
    /// The largest timestamp in it. Records keep their timestamps.
    pub timestamp: Timestamp,
    /// What the engine needs to know of each record there.
    pub schedules: PerRecord<Schedule>,
    /// The changes to each record's headers, in order.
    pub headers: PerRecord<Vec<HeaderChange>>,
    /// Whether each record that wasn't moved before gets a header that says where it is from. The
    /// batch has it already; it is added again if the batch has to be made again.
    pub is_marked: bool,
    /// The other logs that get it, on the same shard.
    pub also: Vec<LogId>,
}

stored_fields! {
    MovedRun {
        SizeBytes size_bytes: u32,
        Timestamp timestamp: Timestamp,
        Schedule schedules = Schedule,
        Changes headers = Vec<HeaderChange>,
        Also also: Vec<LogId>,
        Count count: u32,
        Schedules schedules: PerRecord<Schedule>,
        Headers headers: PerRecord<Vec<HeaderChange>>,
        IsMarked is_marked: bool,
    }
}

/// A value for each record of a run. Records after the last listed ones have the default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PerRecord<T>(Vec<(u32, T)>);

/// A change to the headers of a moved record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeaderChange {
    /// The key. All headers with this key are removed.
    pub key: Box<[u8]>,
    /// The new value, added after all other headers; `None` to only remove.
    pub value: Option<Box<[u8]>>,
}

/// Where the first of the moved records comes from. Unique.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The log.
    pub log: LogId,
    /// The ledger that handed it out.
    pub ledger: LedgerId,
    /// The partition.
    pub partition: PartitionIndex,
    /// The record.
    pub offset: Offset,
}

/// Records that are being moved to a log of another shard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MovingRun {
    /// Where the first of them is until it has arrived.
    pub from: Origin,
    /// The log to move them to.
    pub to: LogId,
    /// The records as it gets them.
    pub run: MovedRun,
}

/// What became of records that were sent to another shard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MoveEnd {
    /// Where the first of them is from.
    pub from: Origin,
    /// How many there are.
    pub count: u32,
    /// Who has them.
    pub taken: TakenBy,
}

/// The logs that have accepted moved records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TakenBy {
    /// All that exist.
    All,
    /// None.
    None,
    /// These, while others have refused them.
    Some(Vec<LogId>),
}

impl MovedRun {
    /// The schedules of its records.
    pub fn schedules(&self) -> impl Iterator<Item = Schedule> {
        let rest = std::iter::repeat_with(Schedule::default);
        let all = self.schedules.iter().copied().chain(rest);
        all.take(self.count as usize)
    }

    /// The changes to the headers of its records.
    pub fn headers(&self) -> impl Iterator<Item = &[HeaderChange]> {
        let all = self.headers.iter().map(Vec::as_slice);
        let all = all.chain(std::iter::repeat_n(&[][..], self.count as usize));
        all.take(self.count as usize)
    }

    /// The first `count` of its records, in a batch of this size and timestamp.
    #[must_use]
    pub fn first(&self, count: u32, size_bytes: u32, timestamp: Timestamp) -> Self {
        Self {
            count,
            size_bytes,
            timestamp,
            schedules: self.schedules.first(count),
            headers: self.headers.first(count),
            ..self.clone()
        }
    }

    pub(super) fn check(&self) -> Result<(), MoveError> {
        if !(1..=RUN_RECORDS_MAX).contains(&self.count) {
            return Err(MoveError::Count(self.count));
        }
        let changes = self.headers.0.iter().flat_map(|(_, changes)| changes);
        let size_bytes = changes.map(HeaderChange::size_bytes).sum();
        if size_bytes > MOVE_HEADERS_BYTES_MAX {
            return Err(MoveError::Headers {
                size_bytes,
                size_bytes_max: MOVE_HEADERS_BYTES_MAX,
            });
        }
        Ok(())
    }

    pub(super) fn append(&self, to: LogId, now: Timestamp) -> Append {
        let targets = std::iter::once(&to).chain(&self.also);
        Append {
            targets: targets
                .map(|log| AppendTarget::any_partition(*log))
                .collect(),
            count: self.count,
            size_bytes: self.size_bytes,
            timestamp: self.timestamp,
            producer: None,
            columns: Columns::of(self.schedules().map(|schedule| schedule.at(now))),
        }
    }
}

impl Default for MovedRun {
    /// One record.
    fn default() -> Self {
        Self {
            count: 1,
            size_bytes: 0,
            timestamp: Timestamp::default(),
            schedules: PerRecord::default(),
            headers: PerRecord::default(),
            is_marked: false,
            also: Vec::new(),
        }
    }
}

impl<T> PerRecord<T> {
    /// The listed values, record by record.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        let each = self.0.iter();
        each.flat_map(|(count, value)| std::iter::repeat_n(value, *count as usize))
    }
}

impl<T: PartialEq> PerRecord<T> {
    /// Adds the next record's value.
    pub fn push(&mut self, value: T) {
        match self.0.last_mut() {
            Some((count, last)) if *last == value => *count += 1,
            _ => self.0.push((1, value)),
        }
    }

    /// Whether the next record's value would be listed by itself, since it differs from the last.
    pub fn is_new(&self, value: &T) -> bool {
        self.0.last().is_none_or(|(_, last)| last != value)
    }
}

impl<T: Clone> PerRecord<T> {
    fn first(&self, mut count: u32) -> Self {
        let mut first = Vec::new();
        for (of, value) in &self.0 {
            let taken = count.min(*of);
            if taken == 0 {
                break;
            }
            first.push((taken, value.clone()));
            count -= taken;
        }
        Self(first)
    }
}

impl<T> Default for PerRecord<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> From<T> for PerRecord<T> {
    /// The value of a single record.
    fn from(value: T) -> Self {
        Self(vec![(1, value)])
    }
}

impl<T: PartialEq> FromIterator<T> for PerRecord<T> {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        let mut all = Self::default();
        for value in values {
            all.push(value);
        }
        all
    }
}

impl HeaderChange {
    /// Its size, as it is limited by [`MOVE_HEADERS_BYTES_MAX`].
    pub fn size_bytes(&self) -> usize {
        self.key.len() + self.value.as_ref().map_or(0, |value| value.len())
    }
}

impl MoveEnd {
    /// The end of the move of a single record.
    pub(crate) fn of_one(from: Origin, taken: TakenBy) -> Self {
        let count = 1;
        Self { from, count, taken }
    }
}

impl Origin {
    /// The records from here on.
    pub fn run(&self, count: u32) -> Run {
        Run {
            partition: self.partition,
            first: self.offset,
            count,
        }
    }

    /// Where a later record of the same run comes from.
    #[must_use]
    pub fn plus(self, count: u32) -> Self {
        Self {
            offset: self.offset.plus(u64::from(count)),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(key: &str) -> HeaderChange {
        let value = Some(b"value".as_slice().into());
        let key = key.as_bytes().into();
        HeaderChange { key, value }
    }

    #[test]
    fn a_record_is_read_as_it_was_stored_before_there_were_runs() {
        #[derive(Serialize)]
        enum Former {
            SizeBytes(u32),
            Timestamp(Timestamp),
            Schedule(Schedule),
            Headers(Vec<HeaderChange>),
            Also(Vec<LogId>),
        }
        let schedule = Schedule {
            priority: Some(3),
            ..Schedule::default()
        };
        let former = [
            Former::SizeBytes(7),
            Former::Timestamp(Timestamp(9)),
            Former::Schedule(schedule),
            Former::Headers(vec![change("a"), change("b")]),
            Former::Also(vec![LogId(5)]),
        ];
        let bytes = postcard::to_stdvec(&former.as_slice()).expect("it encodes");
        let read: MovedRun = postcard::from_bytes(&bytes).expect("it decodes");
        let expected = MovedRun {
            count: 1,
            size_bytes: 7,
            timestamp: Timestamp(9),
            schedules: schedule.into(),
            headers: vec![change("a"), change("b")].into(),
            is_marked: false,
            also: vec![LogId(5)],
        };
        assert_eq!(read, expected);
        assert_eq!(read.schedules().collect::<Vec<_>>(), [schedule]);
    }

    #[test]
    fn what_records_share_is_stored_once() {
        let changes = vec![change(&"long ".repeat(50))];
        let of = |count: u32| MovedRun {
            count,
            schedules: (0..count).map(|_| Schedule::default()).collect(),
            headers: (0..count).map(|_| changes.clone()).collect(),
            ..MovedRun::default()
        };
        let stored = |run: &MovedRun| postcard::to_stdvec(run).expect("it encodes");
        let many = of(200);
        assert!(stored(&many).len() < stored(&of(1)).len() + 10);
        let read: MovedRun = postcard::from_bytes(&stored(&many)).expect("it decodes");
        assert_eq!(read, many);
        assert_eq!(read.headers().count(), 200);
        assert!(read.headers().all(|its| *its == changes[..]));
        let first = read.first(3, 5, Timestamp(1));
        assert_eq!(
            first,
            MovedRun {
                size_bytes: 5,
                timestamp: Timestamp(1),
                ..of(3)
            }
        );
    }
}
