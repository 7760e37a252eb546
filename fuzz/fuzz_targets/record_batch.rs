//! Record batches with corrected checksums, so that the code behind the checksum is reached:
//! nothing panics, nothing decompresses beyond its limit, and a batch that passes validation can be
//! read to its last record.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use stele_wire_batch::{Batch, Batches, HEADER_SIZE_BYTES};

const LIMIT_BYTES: usize = 1 << 20;

fuzz_target!(|bytes: &[u8]| {
    for batch in Batches::new(Bytes::copy_from_slice(bytes)).flatten() {
        read(&batch);
        read(&resealed(&batch));
    }
});

/// The batch with its checksum corrected.
fn resealed(batch: &Batch) -> Batch {
    let mut bytes = batch.bytes().to_vec();
    let checksum = crc32c::crc32c(&bytes[21..]);
    bytes[17..21].copy_from_slice(&checksum.to_be_bytes());
    Batch::new(Bytes::from(bytes)).expect("only the checksum has changed")
}

fn read(batch: &Batch) {
    let header = batch.header();
    assert!(header.size_bytes() >= HEADER_SIZE_BYTES);
    let is_valid = batch.validate(LIMIT_BYTES).is_ok();
    let Ok(records) = batch.records(LIMIT_BYTES) else {
        return;
    };
    let mut count = 0;
    for record in records {
        match record {
            Ok(record) => {
                record.headers.iter().for_each(drop);
                count += 1;
            }
            Err(error) => {
                assert!(!is_valid, "{error}");
                return;
            }
        }
    }
    assert!(!is_valid || count == header.record_count());
}
