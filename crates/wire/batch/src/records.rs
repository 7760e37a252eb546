//! Reading the records of a batch in order.

use bytes::Bytes;
use stele_base_types::{Offset, Timestamp};

use crate::{
    Error, RecordFault,
    header::BatchHeader,
    record::{Headers, Record, read_header},
    varint::Reader,
};

/// The records of a batch, in order. Ends at the first error, since what follows a damaged record
/// can't be found.
#[derive(Clone, Debug)]
pub struct Records {
    /// The decompressed records.
    body: Bytes,
    position: usize,
    index: u32,
    count: u32,
    base_offset: Offset,
    /// The smallest offset delta that the next record may have.
    offset_delta_min: i32,
    last_offset_delta: u32,
    base_timestamp: Timestamp,
    /// Set if the timestamp of every record is the batch's append time.
    append_timestamp: Option<Timestamp>,
}

impl Records {
    pub(crate) fn new(header: &BatchHeader<'_>, body: Bytes) -> Self {
        Self {
            body,
            position: 0,
            index: 0,
            count: header.record_count(),
            base_offset: header.base_offset(),
            offset_delta_min: 0,
            last_offset_delta: header.last_offset_delta(),
            base_timestamp: header.base_timestamp(),
            append_timestamp: header.is_log_append_time().then(|| header.max_timestamp()),
        }
    }

    /// The number of records left.
    pub fn remaining(&self) -> usize {
        (self.count - self.index) as usize
    }

    /// The current position.
    pub fn place(&self) -> Place {
        Place {
            position: self.position,
            index: self.index,
            offset_delta_min: self.offset_delta_min,
        }
    }

    /// Continues at the position of another reader of the same batch.
    pub fn go_to(&mut self, place: Place) {
        self.position = place.position.min(self.body.len());
        self.index = place.index.min(self.count);
        self.offset_delta_min = place.offset_delta_min;
    }

    /// Skips to the first record at or after `offset` without reading those before it.
    pub fn skip_to(&mut self, offset: Offset) -> Result<(), Error> {
        while self.index < self.count {
            let frame = self.frame()?;
            let delta = frame.fields.offset_delta;
            if self.base_offset.plus(delta as u64) >= offset {
                return Ok(());
            }
            self.advance(frame.end, delta);
        }
        Ok(())
    }

    fn read(&mut self) -> Result<Record, Error> {
        let frame = self.frame()?;
        let record = self.record(&frame).map_err(|fault| self.fault(fault))?;
        self.advance(frame.end, frame.fields.offset_delta);
        Ok(record)
    }

    /// The bounds and leading fields of the next record.
    fn frame(&self) -> Result<Frame, Error> {
        let frame = Frame::read(&self.body, self.position).map_err(|fault| self.fault(fault))?;
        let delta = frame.fields.offset_delta;
        if delta < self.offset_delta_min || delta as u32 > self.last_offset_delta {
            return Err(self.fault(RecordFault::OffsetDelta(delta)));
        }
        Ok(frame)
    }

    fn record(&self, frame: &Frame) -> Result<Record, RecordFault> {
        let rest = &self.body[frame.rest..frame.end];
        let mut reader = Reader::new(rest);
        let key = reader.nullable()?;
        let value = reader.nullable()?;
        let count = header_count(&mut reader)?;
        let headers_start = reader.position();
        check_headers(&mut reader, count)?;
        let share = |part: &[u8]| self.body.slice_ref(part);
        Ok(Record {
            offset: self.base_offset.plus(frame.fields.offset_delta as u64),
            timestamp: self.timestamp(frame.fields.timestamp_delta),
            key: key.map(share),
            value: value.map(share),
            headers: Headers::from_checked(share(&rest[headers_start..]), count),
        })
    }

    fn timestamp(&self, delta: i64) -> Timestamp {
        self.append_timestamp
            .unwrap_or(Timestamp(self.base_timestamp.0.wrapping_add(delta)))
    }

    fn advance(&mut self, position: usize, offset_delta: i32) {
        self.position = position;
        self.index += 1;
        self.offset_delta_min = offset_delta.saturating_add(1);
    }

    fn fault(&self, fault: RecordFault) -> Error {
        Error::Record {
            index: self.index,
            fault,
        }
    }
}

/// A position among the records of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    position: usize,
    index: u32,
    offset_delta_min: i32,
}

impl Iterator for Records {
    type Item = Result<Record, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.index >= self.count {
            return None;
        }
        let record = self.read();
        if record.is_err() {
            self.index = self.count;
        }
        Some(record)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(self.remaining()))
    }
}

/// A record's extent in the records' bytes, and its fields before the key.
struct Frame {
    fields: LeadingFields,
    /// The start of the key's length.
    rest: usize,
    /// The start of the next record.
    end: usize,
}

struct LeadingFields {
    timestamp_delta: i64,
    offset_delta: i32,
}

impl Frame {
    fn read(body: &[u8], position: usize) -> Result<Self, RecordFault> {
        let mut reader = Reader::new(&body[position..]);
        let size = reader.varint()?;
        let size_bytes = usize::try_from(size).map_err(|_| RecordFault::Length(size))?;
        if size_bytes > reader.remaining() {
            return Err(RecordFault::Truncated);
        }
        let start = position + reader.position();
        let end = start + size_bytes;
        let mut reader = Reader::new(&body[start..end]);
        // The attributes: no bit is used.
        reader.byte()?;
        let fields = LeadingFields {
            timestamp_delta: reader.varlong()?,
            offset_delta: reader.varint()?,
        };
        Ok(Self {
            fields,
            rest: start + reader.position(),
            end,
        })
    }
}

fn header_count(reader: &mut Reader<'_>) -> Result<u32, RecordFault> {
    let count = reader.varint()?;
    u32::try_from(count).map_err(|_| RecordFault::HeaderCount(count))
}

/// Reads `count` headers, which must end where the record does.
fn check_headers(reader: &mut Reader<'_>, count: u32) -> Result<(), RecordFault> {
    // A header takes at least two bytes: absurd counts are refused before looping over them.
    if count as usize > reader.remaining() / 2 {
        return Err(RecordFault::HeaderCount(count as i32));
    }
    for _ in 0..count {
        read_header(reader)?;
    }
    match reader.remaining() {
        0 => Ok(()),
        rest => Err(RecordFault::Trailing(rest)),
    }
}
