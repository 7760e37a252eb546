//! The batch header, read in place; the layout is drawn in the crate's documentation.

use stele_base_types::{Offset, ProducerEpoch, ProducerId, Sequence, Timestamp};

use crate::{Compression, Error, builder::Producer};

/// Size of a batch header.
pub const HEADER_SIZE_BYTES: usize = 61;

/// The part of the header that the broker writes: base offset, length and leader epoch.
pub const PREFIX_SIZE_BYTES: usize = 16;

pub(crate) const LENGTH: usize = 8;
pub(crate) const LEADER_EPOCH: usize = 12;
pub(crate) const MAGIC: usize = 16;
pub(crate) const CHECKSUM: usize = 17;
/// Start of the bytes that the checksum covers.
pub(crate) const ATTRIBUTES: usize = 21;
pub(crate) const LAST_OFFSET_DELTA: usize = 23;
pub(crate) const BASE_TIMESTAMP: usize = 27;
pub(crate) const MAX_TIMESTAMP: usize = 35;
pub(crate) const PRODUCER_ID: usize = 43;
pub(crate) const PRODUCER_EPOCH: usize = 51;
pub(crate) const BASE_SEQUENCE: usize = 53;
pub(crate) const COUNT: usize = 57;

/// The only format that is written and read.
pub(crate) const MAGIC_2: i8 = 2;

/// What the length field doesn't count: the base offset and itself.
pub(crate) const LENGTH_EXCLUDES_BYTES: usize = 12;

const COMPRESSION_MASK: i16 = 0b111;
const LOG_APPEND_TIME: i16 = 1 << 3;
pub(crate) const TRANSACTIONAL: i16 = 1 << 4;
pub(crate) const CONTROL: i16 = 1 << 5;

/// The header of a batch whose fields are consistent with each other.
///
/// Holds no copy: each accessor reads its field from the bytes. The checksum isn't verified here
/// ([`BatchHeader::verify_checksum`] does that), since sometimes only the header is available.
#[derive(Clone, Copy, Debug)]
pub struct BatchHeader<'a> {
    bytes: &'a [u8; HEADER_SIZE_BYTES],
}

impl<'a> BatchHeader<'a> {
    /// Reads the header at the start of `bytes`, which may extend beyond the batch or end before
    /// the batch does, but must hold at least a header.
    ///
    /// Refuses formats other than 2, and impossible lengths, counts and compressions.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        // Old formats have their magic byte at the same position but smaller headers, so it is
        // checked first.
        if let Some(&magic) = bytes.get(MAGIC)
            && magic as i8 != MAGIC_2
        {
            return Err(Error::Magic(magic as i8));
        }
        let Some(header) = bytes.first_chunk() else {
            return Err(Error::Truncated {
                needed_bytes: HEADER_SIZE_BYTES,
                available_bytes: bytes.len(),
            });
        };
        let header = Self { bytes: header };
        header.check_fields()?;
        Ok(header)
    }

    /// Size of the whole batch.
    pub fn size_bytes(&self) -> usize {
        self.length() as usize + LENGTH_EXCLUDES_BYTES
    }

    /// Offset of the first record; clients send 0.
    pub fn base_offset(&self) -> Offset {
        Offset(u64::from_be_bytes(self.field(0)))
    }

    /// The leader's epoch when the batch was appended; clients send -1.
    pub fn leader_epoch(&self) -> i32 {
        i32::from_be_bytes(self.field(LEADER_EPOCH))
    }

    /// The stored CRC-32C of everything from the attributes on.
    pub fn checksum(&self) -> u32 {
        u32::from_be_bytes(self.field(CHECKSUM))
    }

    /// The compression of the records.
    pub fn compression(&self) -> Compression {
        Compression::from_bits(self.compression_bits()).expect("parse refuses unknown compressions")
    }

    /// Whether every record's timestamp is the batch's maximum: the time of appending.
    pub fn is_log_append_time(&self) -> bool {
        self.attributes() & LOG_APPEND_TIME != 0
    }

    /// Whether the batch is part of a transaction.
    pub fn is_transactional(&self) -> bool {
        self.attributes() & TRANSACTIONAL != 0
    }

    /// Whether the batch holds a control record (a transaction's end) rather than data.
    pub fn is_control(&self) -> bool {
        self.attributes() & CONTROL != 0
    }

    /// The last record's offset relative to the base offset. Unchanged when compaction removes
    /// records.
    pub fn last_offset_delta(&self) -> u32 {
        u32::from_be_bytes(self.field(LAST_OFFSET_DELTA))
    }

    /// Offset of the last record.
    pub fn last_offset(&self) -> Offset {
        self.base_offset().plus(u64::from(self.last_offset_delta()))
    }

    /// The offset after the batch.
    pub fn next_offset(&self) -> Offset {
        self.last_offset().next()
    }

    /// The time that the records' timestamps are relative to.
    pub fn base_timestamp(&self) -> Timestamp {
        Timestamp(i64::from_be_bytes(self.field(BASE_TIMESTAMP)))
    }

    /// The latest timestamp of the batch's records, as stated by the batch's creator.
    pub fn max_timestamp(&self) -> Timestamp {
        Timestamp(i64::from_be_bytes(self.field(MAX_TIMESTAMP)))
    }

    /// The idempotent producer that wrote the batch, if one did.
    pub fn producer(&self) -> Option<Producer> {
        let id = i64::from_be_bytes(self.field(PRODUCER_ID));
        (id >= 0).then(|| Producer {
            id: ProducerId(id),
            epoch: ProducerEpoch(i16::from_be_bytes(self.field(PRODUCER_EPOCH))),
            base_sequence: Sequence(i32::from_be_bytes(self.field(BASE_SEQUENCE))),
        })
    }

    /// The number of records in the batch.
    pub fn record_count(&self) -> u32 {
        u32::from_be_bytes(self.field(COUNT))
    }

    /// Whether the records' offsets have no gaps, as required of clients.
    pub fn is_dense(&self) -> bool {
        self.record_count() == self.last_offset_delta() + 1
    }

    /// Compares the checksum with that of `batch`, the bytes of the whole batch.
    pub fn verify_checksum(&self, batch: &[u8]) -> Result<(), Error> {
        let covered = batch
            .get(ATTRIBUTES..self.size_bytes())
            .ok_or(Error::Truncated {
                needed_bytes: self.size_bytes(),
                available_bytes: batch.len(),
            })?;
        let (stored, computed) = (self.checksum(), crc32c::crc32c(covered));
        if stored != computed {
            return Err(Error::Checksum { stored, computed });
        }
        Ok(())
    }

    fn check_fields(&self) -> Result<(), Error> {
        if (self.length().max(0) as usize) < HEADER_SIZE_BYTES - LENGTH_EXCLUDES_BYTES {
            return Err(Error::Length(self.length()));
        }
        let base_offset = i64::from_be_bytes(self.field(0));
        if base_offset < 0 {
            return Err(Error::BaseOffset(base_offset));
        }
        let count = i32::from_be_bytes(self.field(COUNT));
        let last_offset_delta = i32::from_be_bytes(self.field(LAST_OFFSET_DELTA));
        if count < 0 || last_offset_delta < 0 || i64::from(count) > i64::from(last_offset_delta) + 1
        {
            return Err(Error::Count {
                count,
                last_offset_delta,
            });
        }
        let bits = self.compression_bits();
        Compression::from_bits(bits).ok_or(Error::CompressionUnknown(bits))?;
        Ok(())
    }

    fn length(&self) -> i32 {
        i32::from_be_bytes(self.field(LENGTH))
    }

    fn attributes(&self) -> i16 {
        i16::from_be_bytes(self.field(ATTRIBUTES))
    }

    fn compression_bits(&self) -> u8 {
        (self.attributes() & COMPRESSION_MASK) as u8
    }

    fn field<const N: usize>(&self, start: usize) -> [u8; N] {
        *self.bytes[start..]
            .first_chunk()
            .expect("every field lies in the header")
    }
}

/// Sets the offset of the first record in the batch at the start of `batch`. The checksum doesn't
/// cover it and stays valid.
///
/// Panics if `batch` is shorter than the field.
pub fn set_base_offset(batch: &mut [u8], base_offset: Offset) {
    batch[..LENGTH].copy_from_slice(&base_offset.0.to_be_bytes());
}

/// Sets the leader epoch in the batch at the start of `batch`. The checksum doesn't cover it.
///
/// Panics if `batch` is shorter than the prefix.
pub fn set_leader_epoch(batch: &mut [u8], leader_epoch: i32) {
    batch[LEADER_EPOCH..MAGIC].copy_from_slice(&leader_epoch.to_be_bytes());
}

/// Sets the latest timestamp in `batch`, which is exactly one batch, and recomputes its checksum.
///
/// Panics if `batch` is shorter than a header.
pub(crate) fn set_max_timestamp(batch: &mut [u8], max_timestamp: Timestamp) {
    batch[MAX_TIMESTAMP..PRODUCER_ID].copy_from_slice(&max_timestamp.0.to_be_bytes());
    let checksum = crc32c::crc32c(&batch[ATTRIBUTES..]);
    batch[CHECKSUM..ATTRIBUTES].copy_from_slice(&checksum.to_be_bytes());
}

/// The first bytes of a batch with `header`'s size and another base offset and leader epoch. A
/// writer that can't change the batch, because it is shared, writes these and then the batch from
/// [`PREFIX_SIZE_BYTES`] on.
pub fn prefix(
    header: &BatchHeader<'_>,
    base_offset: Offset,
    leader_epoch: i32,
) -> [u8; PREFIX_SIZE_BYTES] {
    let mut prefix = [0; PREFIX_SIZE_BYTES];
    set_base_offset(&mut prefix, base_offset);
    prefix[LENGTH..LEADER_EPOCH].copy_from_slice(&header.length().to_be_bytes());
    set_leader_epoch(&mut prefix, leader_epoch);
    prefix
}
