//! A record and its headers, as slices of their batch.

use bytes::{Bytes, BytesMut};
use stele_base_types::{Offset, Timestamp};

use crate::varint::Reader;

/// One record. Its parts share the batch's memory, or that of its decompressed block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its offset in the partition.
    pub offset: Offset,
    /// Its timestamp: when it was created or appended, depending on its batch.
    pub timestamp: Timestamp,
    /// The key; determines the partition, and what compaction keeps.
    pub key: Option<Bytes>,
    /// The body; `None` is a tombstone.
    pub value: Option<Bytes>,
    /// The headers.
    pub headers: Headers,
}

/// The headers of a record, in order; a key may occur more than once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers {
    /// As encoded in the batch, after the count.
    encoded: Bytes,
    count: u32,
}

impl Record {
    /// The total size of its parts.
    pub fn size_bytes(&self) -> usize {
        let part = |part: &Option<Bytes>| part.as_ref().map_or(0, Bytes::len);
        part(&self.key) + part(&self.value) + self.headers.encoded.len()
    }

    /// A copy of the record in its own memory, so that it doesn't keep the whole batch in memory.
    #[must_use]
    pub fn detached(self) -> Self {
        let mut copied = BytesMut::with_capacity(self.size_bytes());
        let mut copy = |part: &Bytes| {
            copied.extend_from_slice(part);
            copied.split().freeze()
        };
        Self {
            key: self.key.as_ref().map(&mut copy),
            value: self.value.as_ref().map(&mut copy),
            headers: Headers {
                encoded: copy(&self.headers.encoded),
                ..self.headers
            },
            ..self
        }
    }
}

/// One header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordHeader<'a> {
    /// UTF-8 in Kafka's protocol, which doesn't enforce it.
    pub key: &'a [u8],
    /// Any bytes, or null.
    pub value: Option<&'a [u8]>,
}

impl Headers {
    /// Takes `encoded`, which holds exactly `count` headers: the record's reader has checked that.
    pub(crate) fn from_checked(encoded: Bytes, count: u32) -> Self {
        Self { encoded, count }
    }

    /// The number of headers.
    pub fn len(&self) -> usize {
        self.count as usize
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The headers, in order.
    pub fn iter(&self) -> impl Iterator<Item = RecordHeader<'_>> {
        let mut reader = Reader::new(&self.encoded);
        (0..self.count).map_while(move |_| read_header(&mut reader).ok())
    }

    /// The value of the last header named `key`, the one that Kafka's clients return: `None` if
    /// there is none or it is null.
    pub fn last(&self, key: &str) -> Option<&[u8]> {
        self.iter()
            .filter(|header| header.key == key.as_bytes())
            .last()
            .and_then(|header| header.value)
    }

    /// `part`, a slice from [`Headers::iter`] or [`Headers::last`], as shared bytes instead of a
    /// borrow.
    ///
    /// Panics if `part` is from elsewhere.
    pub fn share(&self, part: &[u8]) -> Bytes {
        self.encoded.slice_ref(part)
    }
}

impl<'a> RecordHeader<'a> {
    /// A header with a value.
    pub fn new(key: &'a str, value: &'a [u8]) -> Self {
        Self {
            key: key.as_bytes(),
            value: Some(value),
        }
    }
}

/// Reads one header.
pub(crate) fn read_header<'a>(
    reader: &mut Reader<'a>,
) -> Result<RecordHeader<'a>, crate::RecordFault> {
    Ok(RecordHeader {
        key: reader.required()?,
        value: reader.nullable()?,
    })
}
