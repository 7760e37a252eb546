//! An entry of a segment's index; drawn in the parent module.

use stele_base_types::{Offset, Timestamp};

use crate::block::{u32_at, u64_at};

pub(crate) const INDEX_ENTRY_SIZE_BYTES: usize = 40;

const CHECKSUM_AT: usize = 32;

/// The index entry of one interval of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct IndexEntry {
    pub(crate) base_offset: Offset,
    pub(crate) position: u64,
    pub(crate) max_timestamp: Timestamp,
    pub(crate) size_bytes: u32,
    pub(crate) checksum: u32,
}

impl IndexEntry {
    pub(crate) fn encode(&self) -> [u8; INDEX_ENTRY_SIZE_BYTES] {
        let mut bytes = [0; INDEX_ENTRY_SIZE_BYTES];
        bytes[..8].copy_from_slice(&self.base_offset.0.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.position.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.max_timestamp.0.to_le_bytes());
        bytes[24..28].copy_from_slice(&self.size_bytes.to_le_bytes());
        bytes[28..32].copy_from_slice(&self.checksum.to_le_bytes());
        let checksum = crc32c::crc32c(&bytes[..CHECKSUM_AT]);
        bytes[CHECKSUM_AT..36].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// Reads the entry at the start of `bytes`; `None` if it isn't intact.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; INDEX_ENTRY_SIZE_BYTES] = bytes.first_chunk()?;
        let entry = Self {
            base_offset: Offset(u64_at(bytes, 0)),
            position: u64_at(bytes, 8),
            max_timestamp: Timestamp(u64_at(bytes, 16).cast_signed()),
            size_bytes: u32_at(bytes, 24),
            checksum: u32_at(bytes, 28),
        };
        (entry.encode() == *bytes).then_some(entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENTRY: IndexEntry = IndexEntry {
        base_offset: Offset(70_000),
        position: 4100,
        max_timestamp: Timestamp(-1),
        size_bytes: 4096,
        checksum: 0xdead_beef,
    };

    #[test]
    fn an_entry_reads_back() {
        assert_eq!(IndexEntry::decode(&ENTRY.encode()), Some(ENTRY));
    }

    #[test]
    fn any_flipped_bit_is_noticed() {
        for bit in 0..INDEX_ENTRY_SIZE_BYTES * 8 {
            let mut bytes = ENTRY.encode();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(IndexEntry::decode(&bytes), None, "bit {bit}");
        }
    }
}
