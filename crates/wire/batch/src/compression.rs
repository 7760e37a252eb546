//! Opening compressed records. Batches are stored as they came; this runs only when a protocol
//! other than Kafka's reads them, or an index needs to look inside.

use std::{
    fmt,
    io::{self, Read},
};

use bytes::Bytes;

use crate::{
    Error,
    limits::{DECOMPRESSED_RATIO_GUESS, ZSTD_WINDOW_LOG_MAX},
};

mod snappy;

/// How a batch's records are compressed: the lowest three bits of its attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Compression {
    /// Not at all.
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

    /// Opens `block`. Without compression that is `block` itself.
    pub(crate) fn decompress(self, block: Bytes, limit_bytes: usize) -> Result<Bytes, Error> {
        let opened = match self {
            Self::None => return Ok(block),
            Self::Gzip => read_bounded(
                flate2::bufread::MultiGzDecoder::new(&*block),
                &block,
                limit_bytes,
            ),
            Self::Snappy => snappy::decompress(&block, limit_bytes),
            Self::Lz4 => read_bounded(
                lz4_flex::frame::FrameDecoder::new(&*block),
                &block,
                limit_bytes,
            ),
            Self::Zstd => decompress_zstd(&block, limit_bytes),
        };
        opened.map(Bytes::from).map_err(|fault| match fault {
            Fault::TooLarge => Error::DecompressedTooLarge { limit_bytes },
            Fault::Damaged(reason) => Error::Decompression {
                compression: self,
                reason,
            },
        })
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

/// Why a block can't be opened.
enum Fault {
    TooLarge,
    Damaged(String),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Damaged(error.to_string())
    }
}

fn decompress_zstd(block: &[u8], limit_bytes: usize) -> Result<Vec<u8>, Fault> {
    let mut decoder = zstd::stream::read::Decoder::with_buffer(block)?;
    decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
    read_bounded(decoder, block, limit_bytes)
}

/// Reads all that `decoder` gives, which must not exceed `limit_bytes`.
fn read_bounded(decoder: impl Read, block: &[u8], limit_bytes: usize) -> Result<Vec<u8>, Fault> {
    let guess = block.len().saturating_mul(DECOMPRESSED_RATIO_GUESS);
    let mut opened = Vec::with_capacity(guess.min(limit_bytes));
    // One byte more than allowed tells "too large" from "just fits".
    let read = decoder
        .take((limit_bytes as u64).saturating_add(1))
        .read_to_end(&mut opened)?;
    if read > limit_bytes {
        return Err(Fault::TooLarge);
    }
    Ok(opened)
}
