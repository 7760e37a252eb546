//! A batch as a slice of the bytes it was received in.

use bytes::Bytes;
use stele_base_types::{Offset, Timestamp};

use crate::{
    Compression, Error, Records, Times,
    header::{
        BatchHeader, HEADER_SIZE_BYTES, set_base_offset, set_leader_epoch, set_max_timestamp,
    },
};

/// One whole batch with consistent header fields. Clones share the bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    bytes: Bytes,
}

impl Batch {
    /// Reads `bytes` as exactly one batch. Doesn't verify the checksum: use [`Batch::validate`] or
    /// [`Batch::verify_checksum`].
    pub fn new(mut bytes: Bytes) -> Result<Self, Error> {
        let batch = Self::split_from(&mut bytes)?;
        if !bytes.is_empty() {
            return Err(Error::Trailing(bytes.len()));
        }
        Ok(batch)
    }

    /// Splits the batch off the start of `bytes`, which advances past it. On error `bytes` is
    /// unchanged; [`Error::Truncated`] states how much the batch needs.
    pub fn split_from(bytes: &mut Bytes) -> Result<Self, Error> {
        let size_bytes = BatchHeader::parse(bytes)?.size_bytes();
        if bytes.len() < size_bytes {
            return Err(Error::Truncated {
                needed_bytes: size_bytes,
                available_bytes: bytes.len(),
            });
        }
        Ok(Self {
            bytes: bytes.split_to(size_bytes),
        })
    }

    /// For the builder, whose output needs no check.
    pub(crate) fn from_built(bytes: Bytes) -> Self {
        debug_assert!(BatchHeader::parse(&bytes).is_ok_and(|it| it.size_bytes() == bytes.len()));
        Self { bytes }
    }

    /// The header.
    pub fn header(&self) -> BatchHeader<'_> {
        BatchHeader::parse(&self.bytes).expect("checked when the batch was made")
    }

    /// The batch's bytes, header included.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The batch's bytes, header included.
    pub fn into_bytes(self) -> Bytes {
        self.bytes
    }

    /// Verifies that the batch is unchanged.
    pub fn verify_checksum(&self) -> Result<(), Error> {
        self.header().verify_checksum(&self.bytes)
    }

    /// Validates a batch from a client: its checksum, that it holds at least one record, that its
    /// offsets have no gaps and that each record can be read. At most `decompressed_size_bytes_max`
    /// bytes are decompressed. Returns the records' actual timestamps: those in the header are only
    /// the client's claim.
    pub fn validate(&self, decompressed_size_bytes_max: usize) -> Result<Option<Times>, Error> {
        self.verify_checksum()?;
        let header = self.header();
        if !header.is_dense() {
            return Err(Error::Count {
                count: header.record_count() as i32,
                last_offset_delta: header.last_offset_delta() as i32,
            });
        }
        header.compression().check_dense(
            &self.bytes[HEADER_SIZE_BYTES..],
            decompressed_size_bytes_max,
            header.record_count(),
            header.base_timestamp(),
        )
    }

    /// The batch with this as the latest timestamp of its records. Copied only if its header has
    /// another.
    pub fn with_max_timestamp(self, max_timestamp: Timestamp) -> Self {
        if self.header().max_timestamp() == max_timestamp {
            return self;
        }
        let mut bytes = bytes::BytesMut::from(self.bytes);
        set_max_timestamp(&mut bytes, max_timestamp);
        Self {
            bytes: bytes.freeze(),
        }
    }

    /// The records, in order. Compressed ones are decompressed at once, into at most
    /// `decompressed_size_bytes_max` bytes; others are slices of the batch.
    pub fn records(&self, decompressed_size_bytes_max: usize) -> Result<Records, Error> {
        Ok(self.records_in(self.open(decompressed_size_bytes_max)?))
    }

    /// Whether its records are compressed.
    pub fn is_compressed(&self) -> bool {
        self.header().compression() != Compression::None
    }

    /// The bytes of the records, decompressed into at most `decompressed_size_bytes_max` bytes;
    /// without compression they are a slice of the batch.
    pub fn open(&self, decompressed_size_bytes_max: usize) -> Result<Bytes, Error> {
        let body = self.bytes.slice(HEADER_SIZE_BYTES..);
        let compression = self.header().compression();
        compression.decompress(body, decompressed_size_bytes_max)
    }

    /// The records, in order, of a batch that has been decompressed by [`Batch::open`].
    pub fn records_in(&self, opened: Bytes) -> Records {
        Records::new(&self.header(), opened)
    }

    /// The batch with another base offset and leader epoch. Changes the bytes in place if nobody
    /// else holds them, and copies them otherwise.
    pub fn placed_at(self, base_offset: Offset, leader_epoch: i32) -> Self {
        let mut bytes = bytes::BytesMut::from(self.bytes);
        set_base_offset(&mut bytes, base_offset);
        set_leader_epoch(&mut bytes, leader_epoch);
        Self {
            bytes: bytes.freeze(),
        }
    }
}

/// The batches in a byte string, such as the records of a Produce request. Ends at the first error.
#[derive(Debug)]
pub struct Batches {
    rest: Bytes,
}

impl Batches {
    /// The consecutive batches in `bytes`. Each item is a slice of it.
    pub fn new(bytes: Bytes) -> Self {
        Self { rest: bytes }
    }

    /// The bytes not read yet. After an [`Error::Truncated`] the item before it was the last whole
    /// batch.
    pub fn into_rest(self) -> Bytes {
        self.rest
    }
}

impl Iterator for Batches {
    type Item = Result<Batch, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let batch = Batch::split_from(&mut self.rest);
        if batch.is_err() {
            self.rest.clear();
        }
        Some(batch)
    }
}
