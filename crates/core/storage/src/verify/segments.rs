//! Checks the segments that a snapshot lists.

use bytes::Bytes;
use stele_base_types::{Offset, Timestamp};
use stele_wire_batch::BatchHeader;

use super::{Nexts, Verification};
use crate::{
    Error, ShardDirectory,
    segment::{INDEX_ENTRY_SIZE_BYTES, IndexEntry, Segment},
    snapshot::Snapshot,
};

impl Verification<'_> {
    /// Checks all segments; returns the offset at which each partition continues in the journal.
    pub(super) fn segments(
        &mut self,
        directory: &ShardDirectory,
        snapshot: &Snapshot,
    ) -> Result<Nexts, Error> {
        let mut nexts = Nexts::new();
        for segment in snapshot.segments.values().flatten() {
            self.verified.segments += 1;
            if let Err(error) = self.segment(directory, segment) {
                self.failed(error)?;
            }
            let expected = nexts.insert(segment.partition, segment.next_offset);
            if let Some(expected) = expected
                && expected != segment.base_offset
            {
                let path = directory.store.locate(&segment.log_name());
                self.damage(&path, 0, format!("the segment should start at {expected}"));
            }
        }
        Ok(nexts)
    }

    fn segment(&mut self, directory: &ShardDirectory, segment: &Segment) -> Result<(), Error> {
        let store = &*directory.store;
        let index_path = store.locate(&segment.index_name());
        let index = listed(store.read_whole(&segment.index_name()))?;
        let log_name = segment.log_name();
        let log_path = store.locate(&log_name);
        let mut state = Walked {
            position: 0,
            next: segment.base_offset,
            max_timestamp: Timestamp(i64::MIN),
        };
        for at in 0..segment.index_entry_count as usize {
            let position = at * INDEX_ENTRY_SIZE_BYTES;
            let entry = index.get(position..).and_then(IndexEntry::decode);
            let Some(entry) = entry else {
                let what = "an index entry is missing or doesn't match its checksum";
                return Err(Error::damaged(&index_path, position as u64, what));
            };
            if entry.position != state.position || entry.base_offset != state.next {
                let what = "an index entry doesn't start where the one before ends";
                return Err(Error::damaged(&index_path, position as u64, what));
            }
            let interval = store.read(&log_name, entry.position, entry.size_bytes as usize);
            let interval = listed(interval)?;
            let damaged = |what: String| Error::damaged(&log_path, entry.position, what);
            if crc32c::crc32c(&interval) != entry.checksum {
                return Err(damaged(
                    "the interval doesn't match its checksum".to_owned(),
                ));
            }
            self.verified.batches += walk(&interval, &mut state).map_err(damaged)?;
            self.verified.size_bytes += interval.len() as u64;
            if state.max_timestamp != entry.max_timestamp {
                let what = "the latest timestamp isn't that of the log";
                return Err(Error::damaged(&index_path, position as u64, what));
            }
        }
        if state.position != segment.size_bytes || state.next != segment.next_offset {
            let what = format!(
                "ends at offset {} instead of {}",
                state.next, segment.next_offset
            );
            return Err(Error::damaged(&log_path, state.position, what));
        }
        Ok(())
    }
}

/// The progress through a segment.
struct Walked {
    position: u64,
    next: Offset,
    max_timestamp: Timestamp,
}

/// Checks the batches of an interval, and counts them.
fn walk(interval: &[u8], state: &mut Walked) -> Result<u64, String> {
    let mut rest = interval;
    let mut count = 0;
    while !rest.is_empty() {
        let header = BatchHeader::parse(rest).map_err(|error| error.to_string())?;
        let checked = header.verify_checksum(rest);
        checked.map_err(|error| error.to_string())?;
        let found = header.base_offset();
        if found != state.next {
            return Err(format!("offset {found} where {} should be", state.next));
        }
        state.next = header.next_offset();
        state.max_timestamp = state.max_timestamp.max(header.max_timestamp());
        rest = &rest[header.size_bytes()..];
        count += 1;
    }
    state.position += interval.len() as u64;
    Ok(count)
}

/// Reports an object as damage if the snapshot lists it but it is missing.
fn listed(read: Result<Bytes, Error>) -> Result<Bytes, Error> {
    match read {
        Err(Error::Gone { path }) => {
            let what = "the snapshot lists this file, but it is missing";
            Err(Error::damaged(&path, 0, what))
        }
        read => read,
    }
}
