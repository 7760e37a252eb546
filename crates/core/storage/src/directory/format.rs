//! The FORMAT file: the version of everything below the data directory, and the number of shards.
//!
//! ```text
//! stele storage 3
//! shards N
//! checksum X       CRC-32C of the lines before, in hexadecimal
//! ```
//!
//! Version 2 has salt in the journal's checksums, and reuses journal files. Version 3 has snapshots
//! in parts, and segments with generations.
//!
//! Recovery upgrades a directory of an earlier version to the latest, after all of a shard was read
//! and found intact, and before anything new is written. From then on a program that doesn't know
//! the latest version refuses the directory.

use std::{
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use stele_base_env::Disk;

use crate::{Error, error::AtPath};

const VERSION_LATEST: u32 = 3;

/// The FORMAT file of an open directory.
#[derive(Debug)]
pub(crate) struct FormatFile {
    path: PathBuf,
    format: Mutex<Format>,
}

impl FormatFile {
    /// The file at `path`, with this content.
    pub(super) fn new(path: PathBuf, format: Format) -> Self {
        Self {
            path,
            format: Mutex::new(format),
        }
    }

    pub(super) fn shard_count(&self) -> u16 {
        let format = self.format.lock();
        format.unwrap_or_else(PoisonError::into_inner).shard_count
    }

    /// Upgrades the file to the latest version, if needed. On return that is on disk, and features
    /// of that version may be written.
    pub(crate) fn upgrade(&self, disk: &dyn Disk) -> Result<(), Error> {
        let mut format = self.format.lock().unwrap_or_else(PoisonError::into_inner);
        let latest = Format::latest(format.shard_count);
        if *format != latest {
            let encoded = latest.encode();
            disk.write_whole(&self.path, encoded.as_bytes())
                .at("write", &self.path)?;
            *format = latest;
        }
        Ok(())
    }
}

/// The content of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Format {
    pub(crate) version: u32,
    pub(crate) shard_count: u16,
}

impl Format {
    /// The content for a new directory.
    pub(crate) fn latest(shard_count: u16) -> Self {
        Self {
            version: VERSION_LATEST,
            shard_count,
        }
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

    /// Decodes `bytes`, the content of the file at `path`.
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
            _ => Err(Error::damaged(path, 0, "not a valid FORMAT file")),
        }
    }

    fn is_valid(self) -> bool {
        self.version > 0 && self.shard_count > 0
    }
}
