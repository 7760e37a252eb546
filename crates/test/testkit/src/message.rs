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
