//! The list that makes up a snapshot. Little-endian:
//!
//! ```text
//!  0  8 "STELESNP"
//!  8  4 format           2
//! 12  4 shard
//! 16  8 next             the first block that isn't covered; also in the object's name
//! 24  8 list length      m
//! 32  8 state length     s; 0 from format 2 on
//! 40  4 checksum         CRC-32C of list and state
//! 44  4 header checksum  CRC-32C of bytes 0 to 44
//! 48  m list             in postcard's form
//!     s state            the whole of it, in format 1
//! ```
//!
//! In format 1 the list names segments, and the whole state follows it. From format 2 on it names
//! part files. A snapshot that covers no more than the one before has a generation in its name:
//! `S-G.snapshot`.

use std::path::Path;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use stele_base_types::{Offset, PartitionId, ShardId, Timestamp};

use crate::{
    BlockSequence, Error, SegmentStore,
    block::{u32_at, u64_at},
    segment::Segment,
};

/// The prefix of all names of snapshot objects.
pub(crate) const SNAPSHOTS: &str = "snapshot/";

const HEADER_SIZE_BYTES: usize = 48;
const MAGIC: [u8; 8] = *b"STELESNP";
const FORMAT_WHOLE: u32 = 1;
const FORMAT_PARTS: u32 = 2;
const HEADER_CHECKSUM_AT: usize = 44;

/// Identifies a snapshot: the first block that it doesn't cover, and its generation.
pub(crate) type Number = (BlockSequence, u32);

/// A snapshot as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) next: BlockSequence,
    pub(crate) generation: u32,
    pub(crate) state: StoredState,
}

/// The location of the state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum StoredState {
    /// In the snapshot itself, as in format 1.
    Whole {
        segments: Vec<Segment>,
        state: Bytes,
    },
    /// In these files, with the segments.
    Parts(Vec<StoredPartFile>),
}

/// A part file that a snapshot refers to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StoredPartFile {
    pub(crate) number: u64,
    pub(crate) size_bytes: u64,
    /// A bit for each record, from the lowest bit of the first byte on: set if another record
    /// replaced it, or the part no longer exists. Trailing zeroes are left out.
    pub(crate) dead: Vec<u8>,
}

impl StoredPartFile {
    /// Whether the record of this number is one of the snapshot's parts.
    pub(crate) fn is_alive(&self, ordinal: u32) -> bool {
        let byte = self.dead.get(ordinal as usize / 8);
        byte.is_none_or(|byte| byte & (1 << (ordinal % 8)) == 0)
    }
}

/// Segments as format 1 lists them.
#[derive(Deserialize)]
struct WholeList {
    segments: Vec<SegmentWithoutGeneration>,
    /// Format 1 continues with what its snapshot made superfluous. Everything that isn't listed is.
    _superfluous: Vec<Superfluous>,
}

#[derive(Deserialize)]
struct SegmentWithoutGeneration {
    partition: PartitionId,
    base_offset: Offset,
    next_offset: Offset,
    size_bytes: u64,
    index_entry_count: u32,
    max_timestamp: Timestamp,
}

#[derive(Deserialize)]
enum Superfluous {
    Segment(
        #[expect(dead_code, reason = "skipped")] PartitionId,
        #[expect(dead_code, reason = "skipped")] Offset,
    ),
    Partition(#[expect(dead_code, reason = "skipped")] PartitionId),
}

impl From<SegmentWithoutGeneration> for Segment {
    fn from(of: SegmentWithoutGeneration) -> Self {
        Self {
            partition: of.partition,
            base_offset: of.base_offset,
            next_offset: of.next_offset,
            size_bytes: of.size_bytes,
            index_entry_count: of.index_entry_count,
            max_timestamp: of.max_timestamp,
            generation: 0,
        }
    }
}

impl Stored {
    /// The object's bytes, in the latest format.
    pub(crate) fn encode(shard: ShardId, next: BlockSequence, files: &[StoredPartFile]) -> Vec<u8> {
        let list = postcard::to_stdvec(files).expect("a list holds nothing that postcard refuses");
        let mut bytes = Vec::with_capacity(HEADER_SIZE_BYTES + list.len());
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&FORMAT_PARTS.to_le_bytes());
        bytes.extend_from_slice(&u32::from(shard.0).to_le_bytes());
        bytes.extend_from_slice(&next.0.to_le_bytes());
        bytes.extend_from_slice(&(list.len() as u64).to_le_bytes());
        bytes.extend_from_slice(&0u64.to_le_bytes());
        bytes.extend_from_slice(&crc32c::crc32c(&list).to_le_bytes());
        let checksum = crc32c::crc32c(&bytes);
        bytes.extend_from_slice(&checksum.to_le_bytes());
        bytes.extend_from_slice(&list);
        bytes
    }

    /// Reads the bytes of the snapshot `path`, or reports what is wrong and where.
    pub(crate) fn decode(
        path: &Path,
        bytes: &Bytes,
        shard: ShardId,
        number: Number,
    ) -> Result<Self, Error> {
        let (next, generation) = number;
        let damaged = |position: usize, what: &str| Error::damaged(path, position as u64, what);
        let header = bytes.first_chunk::<HEADER_SIZE_BYTES>();
        let header = header.ok_or_else(|| damaged(bytes.len(), "the snapshot ends too early"))?;
        let checksum = crc32c::crc32c(&header[..HEADER_CHECKSUM_AT]);
        if header[..8] != MAGIC || checksum != u32_at(header, HEADER_CHECKSUM_AT) {
            return Err(damaged(0, "not the header of a snapshot"));
        }
        let format = u32_at(header, 8);
        if ![FORMAT_WHOLE, FORMAT_PARTS].contains(&format) {
            return Err(format_unknown(path, format));
        }
        if u32_at(header, 12) != u32::from(shard.0) || u64_at(header, 16) != next.0 {
            return Err(damaged(12, "the snapshot is of another shard or block"));
        }
        let body = bytes.slice(HEADER_SIZE_BYTES..);
        let expected = u64_at(header, 24).checked_add(u64_at(header, 32));
        if expected != Some(body.len() as u64) {
            let what = "the snapshot has the wrong length";
            return Err(damaged(bytes.len(), what));
        }
        if crc32c::crc32c(&body) != u32_at(header, 40) {
            return Err(damaged(HEADER_SIZE_BYTES, "the checksum doesn't match"));
        }
        let list_size_bytes =
            usize::try_from(u64_at(header, 24)).expect("it is at most the body's length");
        let (list, state) = (body.slice(..list_size_bytes), body.slice(list_size_bytes..));
        let state = decode_state(format, &list, state)
            .map_err(|error| damaged(HEADER_SIZE_BYTES, &error.to_string()))?;
        Ok(Self {
            next,
            generation,
            state,
        })
    }
}

fn decode_state(format: u32, list: &[u8], state: Bytes) -> Result<StoredState, postcard::Error> {
    if format == FORMAT_PARTS {
        return postcard::from_bytes(list).map(StoredState::Parts);
    }
    let list: WholeList = postcard::from_bytes(list)?;
    Ok(StoredState::Whole {
        segments: list.segments.into_iter().map(Segment::from).collect(),
        state,
    })
}

/// The newest intact snapshot, and the damage found in newer ones.
#[derive(Debug)]
pub(crate) struct Newest {
    /// `None` if there is none.
    pub(crate) stored: Option<Stored>,
    /// The damage of the newest of the snapshots that are newer and not intact.
    pub(crate) damage: Option<Error>,
}

impl Newest {
    /// Searches the shard's snapshots.
    pub(crate) fn find(store: &dyn SegmentStore, shard: ShardId) -> Result<Self, Error> {
        let mut damage = None;
        for (number, name) in names(store)?.into_iter().rev() {
            match read(store, shard, &name, number) {
                Ok(stored) => {
                    let stored = Some(stored);
                    return Ok(Self { stored, damage });
                }
                Err(error @ Error::Damaged { .. }) => {
                    damage.get_or_insert(error);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(Self {
            stored: None,
            damage,
        })
    }
}

/// Reads a snapshot's list.
pub(crate) fn read(
    store: &dyn SegmentStore,
    shard: ShardId,
    name: &str,
    number: Number,
) -> Result<Stored, Error> {
    let bytes = store.read_whole(name)?;
    Stored::decode(&store.locate(name), &bytes, shard, number)
}

/// The existing snapshots, oldest first, each with its name.
pub(crate) fn names(store: &dyn SegmentStore) -> Result<Vec<(Number, String)>, Error> {
    let listed = store.list(SNAPSHOTS)?.into_iter();
    let mut names: Vec<_> = listed
        .filter_map(|name| Some((number_of(&name)?, name)))
        .collect();
    names.sort_unstable();
    Ok(names)
}

/// The name of the snapshot of this number.
pub(crate) fn name(next: BlockSequence, generation: u32) -> String {
    match generation {
        0 => format!("{SNAPSHOTS}{:020}.snapshot", next.0),
        _ => format!("{SNAPSHOTS}{:020}-{generation:010}.snapshot", next.0),
    }
}

/// The number in the name of a snapshot.
pub(crate) fn number_of(name: &str) -> Option<Number> {
    let stem = name.rsplit('/').next()?.strip_suffix(".snapshot")?;
    let (next, generation) = stem.split_once('-').unwrap_or((stem, "0"));
    Some((BlockSequence(next.parse().ok()?), generation.parse().ok()?))
}

fn format_unknown(path: &Path, format: u32) -> Error {
    Error::Format {
        path: path.to_owned(),
        what: format!(
            "snapshot format {format}, but this stele knows formats up to {FORMAT_PARTS}"
        ),
        advice: "use the version of stele that wrote it",
    }
}
