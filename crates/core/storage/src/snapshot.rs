//! A snapshot: the caller's state and the list of segments after some block of the journal.
//! Little-endian:
//!
//! ```text
//!  0  8 "STELESNP"
//!  8  4 format           1
//! 12  4 shard
//! 16  8 next             the first block that isn't covered; also the file's name
//! 24  8 manifest length  m
//! 32  8 state length     s
//! 40  4 checksum         CRC-32C of manifest and state
//! 44  4 header checksum  CRC-32C of bytes 0 to 44
//! 48  m manifest         segments, and files to remove, in postcard's form
//!     s state            opaque
//! ```
//!
//! Invariants: a snapshot appears under its name whole or not at all. It covers whole journal
//! files. Whatever it lists is on disk when it appears.

use std::path::Path;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use stele_base_types::{Offset, PartitionId, ShardId};

use crate::{
    BlockSequence, Error, ShardDirectory,
    block::{u32_at, u64_at},
    directory::numbered_files,
    error::AtPath,
    segment::Segment,
};

const HEADER_SIZE_BYTES: usize = 48;
const MAGIC: [u8; 8] = *b"STELESNP";
const FORMAT_VERSION: u32 = 1;
const HEADER_CHECKSUM_AT: usize = 44;

/// What storage itself keeps in a snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    /// All segments, by partition and offset.
    pub(crate) segments: Vec<Segment>,
    /// What this snapshot made superfluous. A crash may have come before its removal.
    pub(crate) superfluous: Vec<Superfluous>,
}

/// Files that nothing refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Superfluous {
    /// A segment below its partition's floor.
    Segment(PartitionId, Offset),
    /// Everything of a partition that was deleted.
    Partition(PartitionId),
}

/// A snapshot in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Snapshot {
    /// The first block that it doesn't cover.
    pub(crate) next: BlockSequence,
    pub(crate) manifest: Manifest,
    /// The caller's state; `None` where there is none yet.
    pub(crate) state: Option<Bytes>,
}

impl Snapshot {
    /// What a shard without a snapshot starts from.
    pub(crate) fn empty() -> Self {
        Self {
            next: BlockSequence(0),
            manifest: Manifest::default(),
            state: None,
        }
    }

    /// Puts the snapshot in place, such that it survives a crash.
    pub(crate) fn write(&self, directory: &ShardDirectory) -> Result<(), Error> {
        let path = directory.snapshot(self.next);
        let bytes = self.encode(directory.shard);
        directory.disk.write_whole(&path, &bytes).at("write", &path)
    }

    fn encode(&self, shard: ShardId) -> Vec<u8> {
        let manifest = postcard::to_stdvec(&self.manifest)
            .expect("a manifest holds nothing that postcard refuses");
        let state = self.state.as_deref().unwrap_or_default();
        let mut bytes = Vec::with_capacity(HEADER_SIZE_BYTES + manifest.len() + state.len());
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&FORMAT_VERSION.to_le_bytes());
        bytes.extend_from_slice(&u32::from(shard.0).to_le_bytes());
        bytes.extend_from_slice(&self.next.0.to_le_bytes());
        bytes.extend_from_slice(&(manifest.len() as u64).to_le_bytes());
        bytes.extend_from_slice(&(state.len() as u64).to_le_bytes());
        let checksum = crc32c::crc32c_append(crc32c::crc32c(&manifest), state);
        bytes.extend_from_slice(&checksum.to_le_bytes());
        let checksum = crc32c::crc32c(&bytes);
        bytes.extend_from_slice(&checksum.to_le_bytes());
        bytes.extend_from_slice(&manifest);
        bytes.extend_from_slice(state);
        bytes
    }

    /// Reads the snapshot of this name, or says where and what is wrong with it.
    pub(crate) fn read(directory: &ShardDirectory, next: BlockSequence) -> Result<Self, Error> {
        let path = directory.snapshot(next);
        let bytes = directory.disk.read(&path).at("read", &path)?;
        Self::decode(&path, bytes, directory.shard, next)
    }

    pub(crate) fn decode(
        path: &Path,
        bytes: Bytes,
        shard: ShardId,
        next: BlockSequence,
    ) -> Result<Self, Error> {
        let damaged = |position: usize, what: &str| Error::damaged(path, position as u64, what);
        let header = bytes.first_chunk::<HEADER_SIZE_BYTES>();
        let header = header.ok_or_else(|| damaged(bytes.len(), "the snapshot ends too early"))?;
        let checksum = crc32c::crc32c(&header[..HEADER_CHECKSUM_AT]);
        if header[..8] != MAGIC || checksum != u32_at(header, HEADER_CHECKSUM_AT) {
            return Err(damaged(0, "not the header of a snapshot"));
        }
        check_version(path, u32_at(header, 8))?;
        if u32_at(header, 12) != u32::from(shard.0) || u64_at(header, 16) != next.0 {
            return Err(damaged(12, "the snapshot is of another shard or block"));
        }
        let body = bytes.slice(HEADER_SIZE_BYTES..);
        let expected = u64_at(header, 24).checked_add(u64_at(header, 32));
        if expected != Some(body.len() as u64) {
            return Err(damaged(
                bytes.len(),
                "the snapshot isn't as long as it says",
            ));
        }
        if crc32c::crc32c(&body) != u32_at(header, 40) {
            return Err(damaged(HEADER_SIZE_BYTES, "the checksum doesn't match"));
        }
        let manifest_size_bytes =
            usize::try_from(u64_at(header, 24)).expect("it is at most the body's length");
        let manifest = postcard::from_bytes(&body[..manifest_size_bytes])
            .map_err(|error| damaged(HEADER_SIZE_BYTES, &error.to_string()))?;
        Ok(Self {
            next,
            manifest,
            state: Some(body.slice(manifest_size_bytes..)),
        })
    }
}

/// The newest snapshot that is intact, and what was found wrong with newer ones.
#[derive(Debug)]
pub(crate) struct Newest {
    pub(crate) snapshot: Snapshot,
    /// The newest one that isn't intact, if any is newer.
    pub(crate) damage: Option<Error>,
}

impl Newest {
    /// Looks through the shard's snapshots.
    pub(crate) fn find(directory: &ShardDirectory) -> Result<Self, Error> {
        let names = numbered_files(&*directory.disk, &directory.snapshots(), "snapshot")?;
        let mut damage = None;
        for next in names.into_iter().rev() {
            match Snapshot::read(directory, BlockSequence(next)) {
                Ok(snapshot) => return Ok(Self { snapshot, damage }),
                Err(error @ Error::Damaged { .. }) => {
                    damage.get_or_insert(error);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(Self {
            snapshot: Snapshot::empty(),
            damage,
        })
    }
}

fn check_version(path: &Path, version: u32) -> Result<(), Error> {
    if version == FORMAT_VERSION {
        return Ok(());
    }
    Err(Error::Format {
        path: path.to_owned(),
        what: format!("snapshot format {version}, but this stele knows format {FORMAT_VERSION}"),
        advice: "use the version of stele that wrote it",
    })
}
