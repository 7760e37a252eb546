//! A part file: parts of the state, as one checkpoint saved them. Little-endian:
//!
//! ```text
//!  0  8 "STELEPRT"
//!  8  4 format          1
//! 12  4 shard
//! 16  8 number          ascending; also the object's name
//! 24  4 checksum        CRC-32C of bytes 0 to 24
//! 28  4 zeroes
//! 32  records, back to back
//!       8 id            of the part
//!       4 length        n
//!       1 kind          of the part
//!       3 zeroes
//!       4 checksum      CRC-32C of the 16 bytes before, and of the part
//!       n the part      opaque
//! ```
//!
//! The snapshot says how long the file is and which records are live.

use std::path::PathBuf;

use bytes::Bytes;
use stele_base_types::ShardId;

use super::SNAPSHOTS;
use crate::{
    Error, PartKey, SegmentStore,
    block::{u32_at, u64_at},
};

pub(super) const HEADER_SIZE_BYTES: usize = 32;
pub(super) const RECORD_HEADER_SIZE_BYTES: usize = 20;

const MAGIC: [u8; 8] = *b"STELEPRT";
const FORMAT_VERSION: u32 = 1;
const CHECKSUM_AT: usize = 24;
const RECORD_CHECKSUM_AT: usize = 16;

/// The place of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PartPlace {
    /// The number of its file.
    pub(crate) file: u64,
    /// The number of the record in the file.
    pub(crate) ordinal: u32,
    /// Where the record starts.
    pub(crate) position: u64,
    /// The part's length.
    pub(crate) length: u32,
}

impl PartPlace {
    /// Size of the whole record.
    pub(super) fn record_size_bytes(&self) -> u64 {
        RECORD_HEADER_SIZE_BYTES as u64 + u64::from(self.length)
    }
}

/// A record that was read and is intact.
#[derive(Clone, Debug)]
pub(crate) struct PartRecord {
    pub(crate) key: PartKey,
    pub(crate) place: PartPlace,
    pub(crate) bytes: Bytes,
}

/// The name of the part file of this number.
pub(crate) fn part_file_name(number: u64) -> String {
    format!("{SNAPSHOTS}{number:020}.parts")
}

/// The number in the name of a part file.
pub(crate) fn part_file_number(name: &str) -> Option<u64> {
    let stem = name.rsplit('/').next()?.strip_suffix(".parts")?;
    stem.parse().ok()
}

/// A part file's header.
pub(super) fn header(shard: ShardId, number: u64) -> [u8; HEADER_SIZE_BYTES] {
    let mut header = [0; HEADER_SIZE_BYTES];
    header[..8].copy_from_slice(&MAGIC);
    header[8..12].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
    header[12..16].copy_from_slice(&u32::from(shard.0).to_le_bytes());
    header[16..24].copy_from_slice(&number.to_le_bytes());
    let checksum = crc32c::crc32c(&header[..CHECKSUM_AT]);
    header[CHECKSUM_AT..28].copy_from_slice(&checksum.to_le_bytes());
    header
}

/// The header of a part's record.
pub(super) fn record_header(key: PartKey, part: &[u8]) -> [u8; RECORD_HEADER_SIZE_BYTES] {
    let length = u32::try_from(part.len()).expect("the caller checked the length");
    let mut header = [0; RECORD_HEADER_SIZE_BYTES];
    header[..8].copy_from_slice(&key.id.to_le_bytes());
    header[8..12].copy_from_slice(&length.to_le_bytes());
    header[12] = key.kind;
    let checksum = crc32c::crc32c(&header[..RECORD_CHECKSUM_AT]);
    let checksum = crc32c::crc32c_append(checksum, part);
    header[RECORD_CHECKSUM_AT..].copy_from_slice(&checksum.to_le_bytes());
    header
}

/// Reads one part.
pub(super) fn read_part(
    store: &dyn SegmentStore,
    key: PartKey,
    place: &PartPlace,
) -> Result<Bytes, Error> {
    let name = part_file_name(place.file);
    let length = RECORD_HEADER_SIZE_BYTES + place.length as usize;
    let bytes = store.read(&name, place.position, length)?;
    let damaged = |what: &str| Error::damaged(&store.locate(&name), place.position, what);
    if bytes.len() < length {
        return Err(damaged("the part file ends too early"));
    }
    let part = bytes.slice(RECORD_HEADER_SIZE_BYTES..);
    if bytes[..RECORD_HEADER_SIZE_BYTES] != record_header(key, &part) {
        return Err(damaged("not the part that was written here"));
    }
    Ok(part)
}

/// Reads the records of a part file in order.
#[derive(Debug)]
pub(crate) struct PartRecords {
    path: PathBuf,
    number: u64,
    bytes: Bytes,
    position: usize,
    ordinal: u32,
}

impl PartRecords {
    /// Opens the part file of this number, which has this size.
    pub(crate) fn open(
        store: &dyn SegmentStore,
        shard: ShardId,
        number: u64,
        size_bytes: u64,
    ) -> Result<Self, Error> {
        let name = part_file_name(number);
        let path = store.locate(&name);
        let bytes = match store.read_whole(&name) {
            Err(Error::Gone { path }) => {
                let what = "the snapshot lists this file, but it is missing";
                return Err(Error::damaged(&path, 0, what));
            }
            read => read?,
        };
        if bytes.len() as u64 != size_bytes {
            let what = "the part file has the wrong length";
            return Err(Error::damaged(&path, bytes.len() as u64, what));
        }
        Self::new(path, shard, number, bytes)
    }

    /// The records in `bytes`, the contents of a part file that errors call `path`.
    pub(crate) fn new(
        path: PathBuf,
        shard: ShardId,
        number: u64,
        bytes: Bytes,
    ) -> Result<Self, Error> {
        if bytes.first_chunk() != Some(&header(shard, number)) {
            return Err(Error::damaged(&path, 0, "not the header of this part file"));
        }
        Ok(Self {
            path,
            number,
            bytes,
            position: HEADER_SIZE_BYTES,
            ordinal: 0,
        })
    }

    fn read(&mut self) -> Option<PartRecord> {
        let rest = &self.bytes[self.position..];
        let header: &[u8; RECORD_HEADER_SIZE_BYTES] = rest.first_chunk()?;
        let length = u32_at(header, 8);
        let key = PartKey {
            kind: header[12],
            id: u64_at(header, 0),
        };
        let start = self.position + RECORD_HEADER_SIZE_BYTES;
        let end = start.checked_add(length as usize)?;
        let part = self.bytes.get(start..end)?;
        if *header != record_header(key, part) {
            return None;
        }
        let record = PartRecord {
            key,
            place: PartPlace {
                file: self.number,
                ordinal: self.ordinal,
                position: self.position as u64,
                length,
            },
            bytes: self.bytes.slice(start..end),
        };
        self.position = end;
        self.ordinal += 1;
        Some(record)
    }
}

impl Iterator for PartRecords {
    type Item = Result<PartRecord, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let position = self.position;
        if position >= self.bytes.len() {
            return None;
        }
        let record = self.read().ok_or_else(|| {
            // After a bad record the next start is unknown.
            self.position = self.bytes.len();
            Error::damaged(
                &self.path,
                position as u64,
                "the checksum of a part doesn't match",
            )
        });
        Some(record)
    }
}
