//! What is published where only its value matters.

use stele_base_types::Timestamp;
use stele_wire_batch::{Batch, BatchBuilder, Body, NewRecord};

/// A record with this value, without a key, from a time long past.
pub fn message(value: &str) -> Batch {
    let record = NewRecord {
        timestamp: Timestamp(1_700_000_000_000),
        key: None,
        value: Body::Whole(value.as_bytes()),
        headers: &[],
    };
    BatchBuilder::single(&record).expect("a record without headers can be written")
}

/// A batch that says that it holds `count` records, and holds those of `batch`.
pub fn claiming(batch: &Batch, count: u32) -> Batch {
    let mut bytes = batch.bytes().to_vec();
    bytes[LAST_OFFSET_DELTA].copy_from_slice(&(count - 1).to_be_bytes());
    bytes[RECORD_COUNT].copy_from_slice(&count.to_be_bytes());
    Batch::new(bytes.into()).expect("its header is consistent")
}

/// A batch that says that it is compressed, and isn't.
pub fn unopenable(batch: &Batch) -> Batch {
    const ZSTD: u8 = 4;
    let mut bytes = batch.bytes().to_vec();
    bytes[ATTRIBUTES] |= ZSTD;
    Batch::new(bytes.into()).expect("its header is consistent")
}

/// The lower octet of a batch's attributes (RecordBatch v2), and the fields that say how many
/// records there are.
const ATTRIBUTES: usize = 22;
const LAST_OFFSET_DELTA: std::ops::Range<usize> = 23..27;
const RECORD_COUNT: std::ops::Range<usize> = 57..61;
