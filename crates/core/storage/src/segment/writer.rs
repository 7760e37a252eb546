//! Appends to a segment, for settling.

use std::{path::PathBuf, sync::Arc};

use stele_base_env::{DiskFile, OpenMode};
use stele_wire_batch::{BatchHeader, set_base_offset};

use super::{INDEX_ENTRY_SIZE_BYTES, IndexEntry, Segment};
use crate::{
    Error, ShardDirectory, StoredBatch,
    error::AtPath,
    limits::{INDEX_INTERVAL_BYTES, UNSYNCED_SIZE_BYTES_MAX},
};

/// Writes one segment's log and index from where they end.
#[derive(Debug)]
pub(crate) struct SegmentWriter {
    segment: Segment,
    log: Output,
    index: Output,
    /// The interval that is being filled.
    interval: Option<IndexEntry>,
}

impl SegmentWriter {
    /// Opens `segment`'s files, making them where they don't exist, and cuts off what a settling
    /// left there that didn't come to its end. The partition's directory exists.
    pub(crate) fn open(directory: &ShardDirectory, segment: Segment) -> Result<Self, Error> {
        let Segment {
            partition,
            base_offset,
            ..
        } = segment;
        let log_path = directory.segment(partition, base_offset);
        let index_path = directory.segment_index(partition, base_offset);
        let index_size_bytes = u64::from(segment.index_entry_count) * INDEX_ENTRY_SIZE_BYTES as u64;
        Ok(Self {
            segment,
            log: Output::open(directory, log_path, segment.size_bytes)?,
            index: Output::open(directory, index_path, index_size_bytes)?,
            interval: None,
        })
    }

    /// Appends a batch, with its base offset put into its header.
    pub(crate) fn append(&mut self, batch: &StoredBatch) -> Result<(), Error> {
        let header = BatchHeader::parse(&batch.bytes)?;
        let count = u64::from(header.last_offset_delta()) + 1;
        assert_eq!(
            batch.base_offset, self.segment.next_offset,
            "offsets are dense in a segment"
        );
        let max_timestamp = self.segment.max_timestamp.max(header.max_timestamp());
        let start = self.log.buffer.len();
        self.log.buffer.extend_from_slice(&batch.bytes);
        set_base_offset(&mut self.log.buffer[start..], batch.base_offset);

        let interval = self.interval.get_or_insert(IndexEntry {
            base_offset: batch.base_offset,
            position: self.segment.size_bytes,
            max_timestamp,
            size_bytes: 0,
            checksum: 0,
        });
        interval.max_timestamp = max_timestamp;
        interval.checksum = crc32c::crc32c_append(interval.checksum, &self.log.buffer[start..]);
        interval.size_bytes = interval
            .size_bytes
            .checked_add(u32::try_from(batch.bytes.len()).expect("a batch's length is an i32"))
            .expect("an interval ends before a second large batch");
        let is_whole = interval.size_bytes >= INDEX_INTERVAL_BYTES;

        self.segment.size_bytes += batch.bytes.len() as u64;
        self.segment.next_offset = batch.base_offset.plus(count);
        self.segment.max_timestamp = max_timestamp;
        if is_whole {
            self.end_interval();
        }
        if self.log.buffer.len() >= UNSYNCED_SIZE_BYTES_MAX {
            self.log.flush()?;
            self.log.sync()?;
        }
        Ok(())
    }

    /// The segment with what was appended so far.
    pub(crate) fn segment(&self) -> &Segment {
        &self.segment
    }

    /// Writes all of it, and gives the files that are to be synced, with their paths.
    pub(crate) fn finish(mut self) -> Result<(Segment, [WrittenFile; 2]), Error> {
        self.end_interval();
        let files = [self.log.finish()?, self.index.finish()?];
        Ok((self.segment, files))
    }

    fn end_interval(&mut self) {
        if let Some(entry) = self.interval.take() {
            self.index.buffer.extend_from_slice(&entry.encode());
            self.segment.index_entry_count += 1;
        }
    }
}

/// A segment as it would be after `batch`, for telling whether it becomes too large.
pub(crate) fn would_exceed(segment: &Segment, batch: &StoredBatch, size_bytes_max: u64) -> bool {
    segment.next_offset > segment.base_offset
        && segment.size_bytes + batch.bytes.len() as u64 > size_bytes_max
}

/// A file that was written to and isn't synced yet.
#[derive(Debug)]
pub(crate) struct WrittenFile {
    pub(crate) path: PathBuf,
    pub(crate) file: Arc<dyn DiskFile>,
}

/// A file that is appended to through a buffer.
#[derive(Debug)]
struct Output {
    path: PathBuf,
    file: Arc<dyn DiskFile>,
    /// Where the buffer goes.
    position: u64,
    buffer: Vec<u8>,
}

impl Output {
    fn open(directory: &ShardDirectory, path: PathBuf, size_bytes: u64) -> Result<Self, Error> {
        let disk = &directory.disk;
        let file = disk
            .open(&path, OpenMode::CreateOrWrite)
            .at("open", &path)?;
        let found = file.size_bytes().at("measure", &path)?;
        if found < size_bytes {
            return Err(Error::damaged(&path, found, "the file ends too early"));
        }
        file.truncate(size_bytes).at("cut", &path)?;
        Ok(Self {
            path,
            file,
            position: size_bytes,
            buffer: Vec::new(),
        })
    }

    fn flush(&mut self) -> Result<(), Error> {
        self.file
            .write_at(self.position, &self.buffer)
            .at("write", &self.path)?;
        self.position += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    fn sync(&self) -> Result<(), Error> {
        self.file.sync_data().at("sync", &self.path)
    }

    fn finish(mut self) -> Result<WrittenFile, Error> {
        self.flush()?;
        Ok(WrittenFile {
            path: self.path,
            file: self.file,
        })
    }
}
