//! Snappy, in both formats that clients send.
//!
//! librdkafka and Go clients send one raw snappy block. The Java client sends the stream format of
//! the snappy-java library (xerial), which Kafka has used from the beginning:
//!
//! ```text
//! ┌───────────────────┬───────────┬────────────┬──────────┬───────┬──────────┬───────
//! │ 82 'SNAPPY' 00    │ version   │ compatible │ size     │ raw   │ size     │ ...
//! │ (8 bytes)         │ (4 bytes) │ (4 bytes)  │ (4 bytes)│ block │ (4 bytes)│
//! └───────────────────┴───────────┴────────────┴──────────┴───────┴──────────┴───────
//! ```

use super::Fault;

const XERIAL_MAGIC: &[u8; 8] = b"\x82SNAPPY\0";
const XERIAL_HEADER_SIZE_BYTES: usize = 16;

pub(super) fn decompress(block: &[u8], limit_bytes: usize) -> Result<Vec<u8>, Fault> {
    let mut opened = Vec::new();
    if !block.starts_with(XERIAL_MAGIC) {
        append(&mut opened, block, limit_bytes)?;
        return Ok(opened);
    }
    let mut rest = block
        .get(XERIAL_HEADER_SIZE_BYTES..)
        .ok_or_else(|| damaged("the stream header is cut"))?;
    while !rest.is_empty() {
        let (size, behind) = rest
            .split_first_chunk()
            .ok_or_else(|| damaged("a block's size is cut"))?;
        let size_bytes = u32::from_be_bytes(*size) as usize;
        if size_bytes > behind.len() {
            return Err(damaged("a block is cut"));
        }
        let (raw, next) = behind.split_at(size_bytes);
        append(&mut opened, raw, limit_bytes)?;
        rest = next;
    }
    Ok(opened)
}

/// Decompresses one raw block onto the end of `opened`.
fn append(opened: &mut Vec<u8>, raw: &[u8], limit_bytes: usize) -> Result<(), Fault> {
    let size_bytes = snap::raw::decompress_len(raw).map_err(|error| damaged(&error.to_string()))?;
    let start = opened.len();
    // The claimed size is checked before memory is allocated for it.
    if size_bytes > limit_bytes - start {
        return Err(Fault::TooLarge);
    }
    opened.resize(start + size_bytes, 0);
    snap::raw::Decoder::new()
        .decompress(raw, &mut opened[start..])
        .map_err(|error| damaged(&error.to_string()))?;
    Ok(())
}

fn damaged(reason: &str) -> Fault {
    Fault::Damaged(reason.to_owned())
}
