//! The start value of the checksums of a journal's blocks. Without knowing it nobody can forge a
//! block.

use std::fmt;

use stele_base_env::Rng;

use super::u32_at;

/// Two secret numbers, different for header and content, so that both have to be guessed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Salt {
    header: u32,
    content: u32,
}

impl Salt {
    /// No salt, as in format 1: plain CRC-32C.
    pub(crate) const NONE: Self = Self {
        header: 0,
        content: 0,
    };

    /// Size of the stored form.
    pub(crate) const SIZE_BYTES: usize = 8;

    /// A new random salt.
    pub(crate) fn random(rng: &mut dyn Rng) -> Self {
        Self::decode(&rng.next_u64().to_le_bytes())
    }

    /// Reads a salt from the start of `bytes`, which are at least [`Salt::SIZE_BYTES`] long.
    pub(crate) fn decode(bytes: &[u8]) -> Self {
        Self {
            header: u32_at(bytes, 0),
            content: u32_at(bytes, 4),
        }
    }

    /// The stored form.
    pub(crate) fn encode(self) -> [u8; Self::SIZE_BYTES] {
        let both = u64::from(self.header) | u64::from(self.content) << 32;
        both.to_le_bytes()
    }

    /// The checksum of a block's header.
    pub(crate) fn header_checksum(self, bytes: &[u8]) -> u32 {
        crc32c::crc32c_append(self.header, bytes)
    }

    /// The checksum of a block's entries and padding.
    pub(crate) fn content_checksum(self, bytes: &[u8]) -> u32 {
        crc32c::crc32c_append(self.content, bytes)
    }
}

impl fmt::Debug for Salt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // It is a secret.
        f.debug_struct("Salt").finish_non_exhaustive()
    }
}
