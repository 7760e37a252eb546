//! Decompression of records. Batches are stored as received; this runs when a producer's batch is
//! checked, when a protocol other than Kafka's reads it, or when a lookup needs its records.

use std::{
    fmt,
    io::{self, BufReader, Read},
};

use bytes::Bytes;
use stele_base_types::Timestamp;

use crate::{
    Error,
    check::{self, Times},
    limits::{CHECKED_SIZE_BYTES, DECOMPRESSED_RATIO_GUESS, ZSTD_WINDOW_LOG_MAX},
};

mod snappy;

/// The compression of a batch's records: the lowest three bits of its attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Compression {
    /// No compression.
    None,
    /// RFC 1952.
    Gzip,
    /// Raw snappy, or framed in blocks as the Java client does.
    Snappy,
    /// The LZ4 frame format.
    Lz4,
    /// RFC 8878.
    Zstd,
}

impl Compression {
    pub(crate) fn from_bits(bits: u8) -> Option<Self> {
        Some(match bits {
            0 => Self::None,
            1 => Self::Gzip,
            2 => Self::Snappy,
            3 => Self::Lz4,
            4 => Self::Zstd,
            _ => return None,
        })
    }

    /// Decompresses `block`. Without compression the result is `block` itself.
    pub(crate) fn decompress(self, block: Bytes, limit_bytes: usize) -> Result<Bytes, Error> {
        let opened = match self {
            Self::None => return Ok(block),
            Self::Snappy => snappy::decompress(&block, limit_bytes),
            Self::Gzip | Self::Lz4 | Self::Zstd => self
                .open(&block, limit_bytes)
                .and_then(|opened| read_bounded(opened, &block, limit_bytes)),
        };
        opened
            .map(Bytes::from)
            .map_err(|fault| self.error(fault, limit_bytes))
    }

    /// Checks that `block` decompresses to exactly `count` readable records without gaps. Works
    /// piece by piece; only snappy's formats need a whole block in memory.
    pub(crate) fn check_dense(
        self,
        block: &[u8],
        limit_bytes: usize,
        count: u32,
        base_timestamp: Timestamp,
    ) -> Result<Option<Times>, Error> {
        if self == Self::None {
            let mut plain = block;
            return check::check_dense(&mut plain, count, base_timestamp)
                .map_err(|fault| self.unreadable(fault));
        }
        let opened = self
            .open(block, limit_bytes)
            .map_err(|fault| self.error(fault, limit_bytes))?;
        // One byte more than allowed distinguishes "too large" from "just fits".
        let bounded = opened.take((limit_bytes as u64).saturating_add(1));
        let mut records = BufReader::with_capacity(CHECKED_SIZE_BYTES, bounded);
        let checked = check::check_dense(&mut records, count, base_timestamp);
        if records.get_ref().limit() == 0 {
            return Err(Error::DecompressedTooLarge { limit_bytes });
        }
        checked.map_err(|fault| self.unreadable(fault))
    }

    /// A reader of the decompressed `block`.
    fn open(self, block: &[u8], limit_bytes: usize) -> Result<Box<dyn Read + '_>, Fault> {
        Ok(match self {
            Self::None => Box::new(block),
            Self::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(block)),
            Self::Snappy => Box::new(io::Cursor::new(snappy::decompress(block, limit_bytes)?)),
            Self::Lz4 => Box::new(lz4_flex::frame::FrameDecoder::new(block)),
            Self::Zstd => {
                let mut decoder = zstd::stream::read::Decoder::with_buffer(block)?;
                decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
                Box::new(decoder)
            }
        })
    }

    fn error(self, fault: Fault, limit_bytes: usize) -> Error {
        match fault {
            Fault::TooLarge => Error::DecompressedTooLarge { limit_bytes },
            Fault::Damaged(reason) => Error::Decompression {
                compression: self,
                reason,
            },
        }
    }

    fn unreadable(self, fault: check::Fault) -> Error {
        match fault {
            check::Fault::Record { index, fault } => Error::Record { index, fault },
            check::Fault::Unreadable(error) => Error::Decompression {
                compression: self,
                reason: error.to_string(),
            },
        }
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        })
    }
}

/// Why a block can't be decompressed.
enum Fault {
    TooLarge,
    Damaged(String),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Damaged(error.to_string())
    }
}

/// Reads all of `decoder`'s output, which must not exceed `limit_bytes`.
fn read_bounded(decoder: impl Read, block: &[u8], limit_bytes: usize) -> Result<Vec<u8>, Fault> {
    let guess = block.len().saturating_mul(DECOMPRESSED_RATIO_GUESS);
    let mut opened = Vec::with_capacity(guess.min(limit_bytes));
    // One byte more than allowed distinguishes "too large" from "just fits".
    let read = decoder
        .take((limit_bytes as u64).saturating_add(1))
        .read_to_end(&mut opened)?;
    if read > limit_bytes {
        return Err(Fault::TooLarge);
    }
    Ok(opened)
}
