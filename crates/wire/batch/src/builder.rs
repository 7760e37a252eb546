//! Building batches.

use bytes::{BufMut, Bytes, BytesMut};
use stele_base_types::{ProducerEpoch, ProducerId, Sequence, Timestamp};

use crate::{
    Batch, Error, RecordHeader,
    header::{
        ATTRIBUTES, BASE_SEQUENCE, BASE_TIMESTAMP, CHECKSUM, CONTROL, COUNT, HEADER_SIZE_BYTES,
        LAST_OFFSET_DELTA, LENGTH, LENGTH_EXCLUDES_BYTES, MAGIC, MAGIC_2, MAX_TIMESTAMP,
        PRODUCER_EPOCH, PRODUCER_ID, TRANSACTIONAL, set_leader_epoch,
    },
    limits::BATCH_SIZE_BYTES_MAX,
    varint,
};

/// The idempotent producer's fields of a batch (KIP-98).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Producer {
    /// The producer's id.
    pub id: ProducerId,
    /// Its epoch.
    pub epoch: ProducerEpoch,
    /// The sequence number of the batch's first record.
    pub base_sequence: Sequence,
}

/// A record to be written.
#[derive(Clone, Copy, Debug)]
pub struct NewRecord<'a> {
    /// When it was created.
    pub timestamp: Timestamp,
    /// The key, if any.
    pub key: Option<&'a [u8]>,
    /// The body.
    pub value: Body<'a>,
    /// The headers.
    pub headers: &'a [RecordHeader<'a>],
}

/// A record's body in memory.
#[derive(Clone, Copy, Debug)]
pub enum Body<'a> {
    /// A tombstone.
    Null,
    /// In one piece.
    Whole(&'a [u8]),
    /// In several pieces, such as the frames of an AMQP message, written one after the other.
    Parts(&'a [Bytes]),
}

/// Builds one uncompressed batch. Each record is written once, directly into the batch's bytes.
///
/// The base offset is 0 and the leader epoch -1, as in batches from clients; they are set when the
/// batch is appended.
#[derive(Debug)]
pub struct BatchBuilder {
    buffer: BytesMut,
    count: u32,
    attributes: i16,
    base_timestamp: Timestamp,
    max_timestamp: Timestamp,
    producer: Option<Producer>,
}

impl BatchBuilder {
    /// An empty batch.
    pub fn new() -> Self {
        Self::with_capacity(0)
    }

    /// An empty batch with room for `records_size_bytes` of encoded records.
    pub fn with_capacity(records_size_bytes: usize) -> Self {
        let mut buffer = BytesMut::with_capacity(HEADER_SIZE_BYTES + records_size_bytes);
        buffer.put_bytes(0, HEADER_SIZE_BYTES);
        Self {
            buffer,
            count: 0,
            attributes: 0,
            base_timestamp: Timestamp(0),
            max_timestamp: Timestamp(0),
            producer: None,
        }
    }

    /// A batch of one record, in one allocation of the right size.
    pub fn single(record: &NewRecord<'_>) -> Result<Batch, Error> {
        // Both deltas of a batch's first record are 0.
        let content_size_bytes = content_size_bytes(record, 0, 0);
        let mut builder = Self::with_capacity(framed_size_bytes(content_size_bytes));
        builder.push_sized(record, content_size_bytes)?;
        Ok(builder.finish())
    }

    /// Marks the batch as an idempotent producer's.
    #[must_use]
    pub fn producer(mut self, producer: Producer) -> Self {
        self.producer = Some(producer);
        self
    }

    /// Marks the batch as part of a transaction.
    #[must_use]
    pub fn transactional(mut self) -> Self {
        self.attributes |= TRANSACTIONAL;
        self
    }

    /// Marks the batch as a control batch, which consumers don't return.
    #[must_use]
    pub fn control(mut self) -> Self {
        self.attributes |= CONTROL;
        self
    }

    /// Appends a record. On error the batch is unchanged.
    pub fn push(&mut self, record: &NewRecord<'_>) -> Result<(), Error> {
        let timestamp_delta = self.timestamp_delta(record);
        let content = content_size_bytes(record, timestamp_delta, self.count);
        self.push_sized(record, content)
    }

    /// The number of records.
    pub fn len(&self) -> usize {
        self.count as usize
    }

    /// Whether there are no records.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Current size of the batch.
    pub fn size_bytes(&self) -> usize {
        self.buffer.len()
    }

    /// Writes the header.
    ///
    /// Panics if there is no record: an empty batch has no offset of its own.
    pub fn finish(mut self) -> Batch {
        assert!(self.count > 0, "a batch holds at least one record");
        self.write_header();
        Batch::from_built(self.buffer.freeze())
    }

    fn push_sized(&mut self, record: &NewRecord<'_>, content: usize) -> Result<(), Error> {
        let size_bytes = self.buffer.len().saturating_add(framed_size_bytes(content));
        if size_bytes > BATCH_SIZE_BYTES_MAX {
            return Err(Error::TooLarge(size_bytes));
        }
        let timestamp_delta = self.timestamp_delta(record);
        if self.count == 0 {
            self.base_timestamp = record.timestamp;
            self.max_timestamp = record.timestamp;
        }
        self.max_timestamp = self.max_timestamp.max(record.timestamp);
        self.buffer.reserve(size_bytes - self.buffer.len());
        varint::put(&mut self.buffer, content as i64);
        self.put_content(record, timestamp_delta);
        debug_assert_eq!(self.buffer.len(), size_bytes);
        self.count += 1;
        Ok(())
    }

    fn timestamp_delta(&self, record: &NewRecord<'_>) -> i64 {
        match self.count {
            0 => 0,
            _ => record.timestamp.0.wrapping_sub(self.base_timestamp.0),
        }
    }

    fn put_content(&mut self, record: &NewRecord<'_>, timestamp_delta: i64) {
        let buffer = &mut self.buffer;
        buffer.put_u8(0);
        varint::put(buffer, timestamp_delta);
        varint::put(buffer, i64::from(self.count));
        put_nullable(buffer, record.key);
        put_body(buffer, record.value);
        varint::put(buffer, record.headers.len() as i64);
        for header in record.headers {
            put_nullable(buffer, Some(header.key));
            put_nullable(buffer, header.value);
        }
    }

    fn write_header(&mut self) {
        let length = (self.buffer.len() - LENGTH_EXCLUDES_BYTES) as i32;
        let producer = self.producer.unwrap_or(Producer {
            id: ProducerId(-1),
            epoch: ProducerEpoch(-1),
            base_sequence: Sequence(-1),
        });
        let header = &mut self.buffer[..HEADER_SIZE_BYTES];
        set(header, LENGTH, length.to_be_bytes());
        set_leader_epoch(header, -1);
        set(header, MAGIC, MAGIC_2.to_be_bytes());
        set(header, ATTRIBUTES, self.attributes.to_be_bytes());
        set(header, LAST_OFFSET_DELTA, (self.count - 1).to_be_bytes());
        set(header, BASE_TIMESTAMP, self.base_timestamp.0.to_be_bytes());
        set(header, MAX_TIMESTAMP, self.max_timestamp.0.to_be_bytes());
        set(header, PRODUCER_ID, producer.id.0.to_be_bytes());
        set(header, PRODUCER_EPOCH, producer.epoch.0.to_be_bytes());
        set(
            header,
            BASE_SEQUENCE,
            producer.base_sequence.0.to_be_bytes(),
        );
        set(header, COUNT, self.count.to_be_bytes());
        let checksum = crc32c::crc32c(&self.buffer[ATTRIBUTES..]);
        set(&mut self.buffer, CHECKSUM, checksum.to_be_bytes());
    }
}

impl Default for BatchBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl Body<'_> {
    /// Size of the body; `None` for null.
    pub fn size_bytes(&self) -> Option<usize> {
        match self {
            Self::Null => None,
            Self::Whole(bytes) => Some(bytes.len()),
            Self::Parts(parts) => Some(parts.iter().map(Bytes::len).sum()),
        }
    }
}

fn set<const N: usize>(header: &mut [u8], start: usize, field: [u8; N]) {
    header[start..start + N].copy_from_slice(&field);
}

fn put_nullable(buffer: &mut BytesMut, part: Option<&[u8]>) {
    put_length(buffer, part.map(<[u8]>::len));
    buffer.put_slice(part.unwrap_or_default());
}

fn put_body(buffer: &mut BytesMut, body: Body<'_>) {
    put_length(buffer, body.size_bytes());
    match body {
        Body::Null => {}
        Body::Whole(bytes) => buffer.put_slice(bytes),
        Body::Parts(parts) => parts.iter().for_each(|part| buffer.put_slice(part)),
    }
}

fn put_length(buffer: &mut BytesMut, length: Option<usize>) {
    varint::put(buffer, length.map_or(-1, |it| it as i64));
}

/// Size of a record without its length field.
fn content_size_bytes(record: &NewRecord<'_>, timestamp_delta: i64, offset_delta: u32) -> usize {
    let headers = record.headers.iter().map(|header| {
        nullable_size_bytes(Some(header.key.len()))
            + nullable_size_bytes(header.value.map(<[u8]>::len))
    });
    1 + varint::size_bytes(timestamp_delta)
        + varint::size_bytes(i64::from(offset_delta))
        + nullable_size_bytes(record.key.map(<[u8]>::len))
        + nullable_size_bytes(record.value.size_bytes())
        + varint::size_bytes(record.headers.len() as i64)
        + headers.sum::<usize>()
}

fn nullable_size_bytes(length: Option<usize>) -> usize {
    length.map_or(1, |it| varint::size_bytes(it as i64) + it)
}

/// Size of a record with its length field.
fn framed_size_bytes(content: usize) -> usize {
    varint::size_bytes(content as i64) + content
}
