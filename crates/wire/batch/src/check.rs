//! Checks the records of a client's batch as a stream: nothing is kept, so that a compressed batch
//! costs no more memory than its decoder, whatever size it claims.

use std::io::{self, BufRead};

use stele_base_types::Timestamp;

use crate::{RecordFault, varint};

/// The range of the timestamps of a batch's records, ignoring records without one (-1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// The earliest.
    pub earliest: Timestamp,
    /// The latest.
    pub latest: Timestamp,
}

/// The timestamp of a record without one.
const NO_TIMESTAMP: Timestamp = Timestamp(-1);

impl Times {
    /// The value of Kafka's `maxTimestamp` for a batch with these timestamps.
    pub fn max_timestamp(of: Option<Self>) -> Timestamp {
        of.map_or(NO_TIMESTAMP, |times| times.latest.max(NO_TIMESTAMP))
    }

    fn note(times: &mut Option<Self>, timestamp: Timestamp) {
        if timestamp != NO_TIMESTAMP {
            let known = times.get_or_insert(Self {
                earliest: timestamp,
                latest: timestamp,
            });
            known.earliest = known.earliest.min(timestamp);
            known.latest = known.latest.max(timestamp);
        }
    }
}

/// Why records can't be read.
#[derive(Debug)]
pub(crate) enum Fault {
    Record {
        index: u32,
        fault: RecordFault,
    },
    /// The decoder's message.
    Unreadable(io::Error),
}

/// What ends the reading of one record.
enum Stop {
    Record(RecordFault),
    Unreadable(io::Error),
}

impl From<RecordFault> for Stop {
    fn from(fault: RecordFault) -> Self {
        Self::Record(fault)
    }
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Unreadable(error)
    }
}

impl Stop {
    fn at(self, index: u32) -> Fault {
        match self {
            Self::Record(fault) => Fault::Record { index, fault },
            Self::Unreadable(error) => Fault::Unreadable(error),
        }
    }
}

/// Checks that `records` contains exactly `count` readable records at offset deltas 0, 1, 2, ...
pub(crate) fn check_dense(
    records: &mut impl BufRead,
    count: u32,
    base_timestamp: Timestamp,
) -> Result<Option<Times>, Fault> {
    let mut times = None;
    for index in 0..count {
        let delta = check_record(records, index).map_err(|stop| stop.at(index))?;
        let timestamp = Timestamp(base_timestamp.0.wrapping_add(delta));
        Times::note(&mut times, timestamp);
    }
    match rest(records).map_err(Fault::Unreadable)? {
        0 => Ok(times),
        rest => Err(Fault::Record {
            index: count,
            fault: RecordFault::BytesAfterLast(rest),
        }),
    }
}

/// Checks one record; returns its timestamp delta.
fn check_record(records: &mut impl BufRead, index: u32) -> Result<i64, Stop> {
    let mut fields = Fields {
        records,
        left: usize::MAX,
    };
    let size = fields.varint()?;
    fields.left = usize::try_from(size).map_err(|_| RecordFault::Length(size))?;
    // The attributes: no bit is used.
    fields.byte()?;
    let timestamp_delta = fields.varlong()?;
    let offset_delta = fields.varint()?;
    if i64::from(offset_delta) != i64::from(index) {
        return Err(RecordFault::OffsetDelta(offset_delta).into());
    }
    fields.skip_nullable()?;
    fields.skip_nullable()?;
    fields.skip_headers()?;
    match fields.left {
        0 => Ok(timestamp_delta),
        rest => {
            fields.skip(rest)?;
            Err(RecordFault::Trailing(rest).into())
        }
    }
}

/// The fields of one record.
struct Fields<'a, R> {
    records: &'a mut R,
    /// How many bytes of the record haven't been read.
    left: usize,
}

impl<R: BufRead> Fields<'_, R> {
    fn byte(&mut self) -> Result<u8, Stop> {
        let next = self.records.fill_buf()?.first().copied();
        let byte = next
            .filter(|_| self.left > 0)
            .ok_or(RecordFault::Truncated)?;
        self.records.consume(1);
        self.left -= 1;
        Ok(byte)
    }

    fn varint(&mut self) -> Result<i32, Stop> {
        varint::varint(|| self.byte())
    }

    fn varlong(&mut self) -> Result<i64, Stop> {
        varint::varlong(|| self.byte())
    }

    /// Skips a length, -1 for null, and that many bytes.
    fn skip_nullable(&mut self) -> Result<(), Stop> {
        match self.varint()? {
            -1 => Ok(()),
            length => self.skip_part(length),
        }
    }

    fn skip_headers(&mut self) -> Result<(), Stop> {
        let count = self.varint()?;
        // A header takes at least two bytes: absurd counts are refused before looping over them.
        let fits = usize::try_from(count).is_ok_and(|count| count <= self.left / 2);
        if !fits {
            return Err(RecordFault::HeaderCount(count).into());
        }
        for _ in 0..count {
            let key_length = self.varint()?;
            self.skip_part(key_length)?;
            self.skip_nullable()?;
        }
        Ok(())
    }

    fn skip_part(&mut self, length: i32) -> Result<(), Stop> {
        let size = usize::try_from(length).ok().filter(|it| *it <= self.left);
        self.skip(size.ok_or(RecordFault::Length(length))?)
    }

    /// Skips bytes of the record.
    fn skip(&mut self, mut size: usize) -> Result<(), Stop> {
        while size > 0 {
            let step = self.records.fill_buf()?.len().min(size);
            if step == 0 {
                return Err(RecordFault::Truncated.into());
            }
            self.records.consume(step);
            self.left -= step;
            size -= step;
        }
        Ok(())
    }
}

/// The number of bytes left.
fn rest(records: &mut impl BufRead) -> io::Result<usize> {
    let mut rest = 0;
    loop {
        let step = records.fill_buf()?.len();
        if step == 0 {
            return Ok(rest);
        }
        records.consume(step);
        rest += step;
    }
}
