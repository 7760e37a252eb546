//! Messages for tests in which only the value matters.

use stele_base_types::Timestamp;
use stele_wire_batch::{Batch, BatchBuilder, Body, HEADER_SIZE_BYTES, NewRecord};

/// A record with this value, without a key, with an old timestamp.
pub fn message(value: &str) -> Batch {
    let record = NewRecord {
        timestamp: Timestamp(1_700_000_000_000),
        key: None,
        value: Body::Whole(value.as_bytes()),
        headers: &[],
    };
    BatchBuilder::single(&record).expect("a record without headers can be written")
}

/// `batch` with a header that claims `count` records.
pub fn claiming(batch: &Batch, count: u32) -> Batch {
    let mut bytes = batch.bytes().to_vec();
    bytes[LAST_OFFSET_DELTA].copy_from_slice(&(count - 1).to_be_bytes());
    bytes[RECORD_COUNT].copy_from_slice(&count.to_be_bytes());
    Batch::new(bytes.into()).expect("its header is consistent")
}

/// An uncompressed batch that claims to be compressed.
pub fn unopenable(batch: &Batch) -> Batch {
    let mut bytes = batch.bytes().to_vec();
    bytes[ATTRIBUTES] |= ZSTD;
    Batch::new(bytes.into()).expect("its header is consistent")
}

/// The batch with its records compressed with zstd.
pub fn compressed(batch: &Batch) -> Batch {
    let (header, records) = batch.bytes().split_at(HEADER_SIZE_BYTES);
    let records = zstd::stream::encode_all(records, 3).expect("memory is written");
    let mut bytes = [header, &records].concat();
    let length = i32::try_from(bytes.len() - LENGTH_FIELD.end).expect("a batch's length is one");
    bytes[LENGTH_FIELD].copy_from_slice(&length.to_be_bytes());
    bytes[ATTRIBUTES] |= ZSTD;
    let checksum = crc32c::crc32c(&bytes[CHECKED_FROM..]);
    bytes[CHECKSUM].copy_from_slice(&checksum.to_be_bytes());
    Batch::new(bytes.into()).expect("its header is consistent")
}

/// The compression in a batch's attributes.
const ZSTD: u8 = 4;

/// The field that counts what follows it, and the checksum of what follows the checksum.
const LENGTH_FIELD: std::ops::Range<usize> = 8..12;
const CHECKSUM: std::ops::Range<usize> = 17..21;
const CHECKED_FROM: usize = 21;

/// The lower octet of a batch's attributes (RecordBatch v2), and the fields with the number of
/// records.
const ATTRIBUTES: usize = 22;
const LAST_OFFSET_DELTA: std::ops::Range<usize> = 23..27;
const RECORD_COUNT: std::ops::Range<usize> = 57..61;
