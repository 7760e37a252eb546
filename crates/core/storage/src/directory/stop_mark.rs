//! The mark of a graceful stop: up to which block a shard's journal was on disk. It lies beside the
//! shard's directory, as text:
//!
//! ```text
//! stele stop 1
//! shard N
//! next S           the block after the last
//! checksum X       CRC-32C of the lines before, in hexadecimal
//! ```
//!
//! Without it a truncated or missing last file looks like the result of a crash: the journal ends
//! sooner. A mark stays true, since a journal only grows: it never has to be withdrawn, and after a
//! later crash the journal is still at least as long.

use std::path::{Path, PathBuf};

use stele_base_types::ShardId;

use super::ShardDirectory;
use crate::{BlockSequence, Error, error::AtPath};

const ADVICE: &str = "restore the data directory from a backup; or, to start without what is \
                      missing, remove the file of the shard that ends in .stopped";

/// The mark of a shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StopMark {
    pub(crate) shard: ShardId,
    /// Every block before this one was on disk.
    pub(crate) next: BlockSequence,
}

impl StopMark {
    /// The path of a shard's mark.
    pub(crate) fn path(directory: &ShardDirectory) -> PathBuf {
        directory.path.with_extension("stopped")
    }

    /// Writes the mark, replacing an earlier one: on return it survives a crash.
    pub(crate) fn leave(directory: &ShardDirectory, next: BlockSequence) -> Result<(), Error> {
        let shard = directory.shard;
        let path = Self::path(directory);
        let encoded = Self { shard, next }.encode();
        let written = directory.disk.write_whole(&path, encoded.as_bytes());
        written.at("write", &path)
    }

    /// Fails if the journal ends at `found`, before the block that the mark states. `end` is where
    /// it ends: a file, if there is any, and the position in it.
    pub(crate) fn check(
        directory: &ShardDirectory,
        found: BlockSequence,
        end: Option<(&Path, u64)>,
    ) -> Result<(), Error> {
        let path = Self::path(directory);
        let disk = &directory.disk;
        if !disk.exists(&path).at("look for", &path)? {
            return Ok(());
        }
        let mark = Self::decode(&path, &disk.read(&path).at("read", &path)?)?;
        if mark.shard != directory.shard {
            let what = format!("the mark of shard {}", mark.shard);
            return Err(damaged(&path, 0, what));
        }
        if found >= mark.next {
            return Ok(());
        }
        let (next, mark) = (mark.next, path.display());
        Err(match end {
            Some((file, position)) => {
                let what = format!(
                    "the journal ends here, before block {found}, though {mark} says that \
                     all blocks before {next} were on disk at a stop"
                );
                damaged(file, position, what)
            }
            None => {
                let what = format!(
                    "all blocks before {next} were on disk at a stop, but there is no journal"
                );
                damaged(&path, 0, what)
            }
        })
    }

    /// Decodes `bytes`, the content of the mark at `path`.
    pub(crate) fn decode(path: &Path, bytes: &[u8]) -> Result<Self, Error> {
        let text = str::from_utf8(bytes).unwrap_or_default();
        let mut lines = text.lines().skip(1);
        let mut number_after =
            |prefix| -> Option<u64> { lines.next()?.strip_prefix(prefix)?.parse().ok() };
        let shard = number_after("shard ").and_then(|shard| u16::try_from(shard).ok());
        let mark = shard.zip(number_after("next ")).map(|(shard, next)| Self {
            shard: ShardId(shard),
            next: BlockSequence(next),
        });
        let intact = mark.filter(|mark| text == mark.encode());
        intact.ok_or_else(|| damaged(path, 0, "not a valid stop mark"))
    }

    fn encode(self) -> String {
        let Self { shard, next } = self;
        let body = format!("stele stop 1\nshard {shard}\nnext {next}\n");
        let checksum = crc32c::crc32c(body.as_bytes());
        format!("{body}checksum {checksum:08x}\n")
    }
}

fn damaged(path: &Path, position: u64, what: impl Into<String>) -> Error {
    Error::Damaged {
        path: path.to_owned(),
        position,
        what: what.into(),
        advice: ADVICE,
    }
}
