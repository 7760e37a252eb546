//! The FORMAT file: the version of everything below the data directory, and the number of shards.
//!
//! ```text
//! stele storage 2
//! shards N
//! checksum X       CRC-32C of the lines before, in hexadecimal
//! ```
//!
//! Version 2 has salt in the journal's checksums, and uses journal files again. A directory keeps
//! the version that it was made with.

use std::path::Path;

use crate::Error;

const VERSION_LATEST: u32 = 2;

/// From this version on what clients sent can't pass for a block of the journal.
const VERSION_SALTED: u32 = 2;

/// What the file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Format {
    pub(crate) version: u32,
    pub(crate) shard_count: u16,
}

impl Format {
    /// Of a new directory.
    pub(crate) fn latest(shard_count: u16) -> Self {
        Self {
            version: VERSION_LATEST,
            shard_count,
        }
    }

    /// Whether the journal's checksums have salt, without which no file may be used again.
    pub(crate) fn is_salted(self) -> bool {
        self.version >= VERSION_SALTED
    }

    pub(crate) fn encode(self) -> String {
        let Self {
            version,
            shard_count,
        } = self;
        let body = format!("stele storage {version}\nshards {shard_count}\n");
        let checksum = crc32c::crc32c(body.as_bytes());
        format!("{body}checksum {checksum:08x}\n")
    }

    /// Reads the file at `path`, which holds `bytes`.
    pub(crate) fn decode(path: &Path, bytes: &[u8]) -> Result<Self, Error> {
        let text = str::from_utf8(bytes).unwrap_or_default();
        let mut lines = text.lines();
        let mut number_after =
            |prefix| -> Option<u32> { lines.next()?.strip_prefix(prefix)?.parse().ok() };
        let version = number_after("stele storage ");
        if let Some(version) = version
            && version > VERSION_LATEST
        {
            return Err(Error::Format {
                path: path.to_owned(),
                what: format!(
                    "format {version}, but this stele knows formats up to {VERSION_LATEST}"
                ),
                advice: "use the version of stele that wrote it, or a later one",
            });
        }
        let shards = number_after("shards ");
        let format = version.zip(shards).and_then(|(version, shards)| {
            let shard_count = u16::try_from(shards).ok()?;
            Some(Self {
                version,
                shard_count,
            })
        });
        match format {
            Some(format) if format.is_valid() && text == format.encode() => Ok(format),
            _ => Err(Error::damaged(
                path,
                0,
                "not a FORMAT file as stele writes it",
            )),
        }
    }

    fn is_valid(self) -> bool {
        self.version > 0 && self.shard_count > 0
    }
}
