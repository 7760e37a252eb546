//! Reads a journal file and passes its contents to a read index and a state: the common part of
//! recovery and checkpoints.

use std::path::Path;

use stele_base_types::PartitionId;
use stele_wire_batch::BatchHeader;

use crate::{
    BlockSequence, Error, ReadIndex, ReplayError, Target,
    block::{self, Append, Appended, Entries, Entry, Place},
    journal::{ScannedBlock, Scanner},
    segment::Segment,
};

/// Receives the entries.
pub(crate) trait Sink {
    /// Takes a control record.
    fn control(&mut self, record: &[u8]) -> Result<(), ReplayError>;

    /// Takes an append.
    fn append(&mut self, targets: &[Target], header: &BatchHeader<'_>) -> Result<(), ReplayError>;

    /// The segments before a partition's first append.
    fn segments_of(&self, partition: PartitionId) -> Option<&Vec<Segment>>;
}

/// Replays every block that `scanner` finds, to the end of its file. The file was added to `index`
/// before.
pub(crate) fn replay_file(
    path: &Path,
    scanner: &mut Scanner,
    index: &mut ReadIndex,
    sink: &mut dyn Sink,
) -> Result<(), Error> {
    let mut targets = Vec::new();
    while let Some(block) = scanner.next_block()? {
        replay_block(path, &block, index, sink, &mut targets)?;
    }
    Ok(())
}

/// Replays one block.
pub(crate) fn replay_block(
    path: &Path,
    block: &ScannedBlock,
    index: &mut ReadIndex,
    sink: &mut dyn Sink,
    targets: &mut Vec<Target>,
) -> Result<(), Error> {
    index.add_journal_block(block.position, block.bytes.len() as u64);
    let mut entries = Entries::new(block.entries());
    let mut count = 0;
    let mut start = 0;
    while let Some(entry) = entries.next() {
        let position = block.position + (block::HEADER_SIZE_BYTES + start) as u64;
        let entry = entry.map_err(|error| Error::damaged(path, position, error.to_string()))?;
        let end = entries.position();
        let replayed = match entry {
            Entry::Control(record) => sink.control(record),
            Entry::Append(append) => {
                targets.clear();
                targets.extend(append.targets());
                note_segments(index, sink, targets);
                check_dense(index, targets).map_err(|what| Error::damaged(path, position, what))?;
                note_appends(index, block.header.sequence, &append, targets, start);
                sink.append(targets, &append.header)
            }
        };
        replayed.map_err(|source| Error::Replay {
            path: path.to_owned(),
            position,
            source,
        })?;
        start = end;
        count += 1;
    }
    if count != block.header.entry_count {
        let what = format!("{count} entries instead of {}", block.header.entry_count);
        return Err(Error::damaged(path, block.position, what));
    }
    Ok(())
}

fn note_appends(
    index: &mut ReadIndex,
    sequence: BlockSequence,
    append: &Append<'_>,
    targets: &[Target],
    entry_start: usize,
) {
    let in_block = |at: usize| block::HEADER_SIZE_BYTES + at;
    let batch = in_block(append.batch.start)..in_block(append.batch.end);
    let place = Place::of_append(targets.len(), in_block(entry_start), batch);
    for target in targets {
        let appended = Appended {
            target: *target,
            next_offset: target.base_offset.plus(append.offset_count()),
            place,
            batch_size_bytes: u32::try_from(append.batch.len())
                .expect("a block's limit fits 32 bits"),
            max_timestamp: append.header.max_timestamp(),
        };
        index.note_append(sequence, &appended);
    }
}

/// Adds the segments of partitions that the index doesn't know yet.
fn note_segments(index: &mut ReadIndex, sink: &dyn Sink, targets: &[Target]) {
    for target in targets {
        if index.extent(target.partition).is_none()
            && let Some(segments) = sink.segments_of(target.partition)
        {
            index.add_segments(target.partition, segments.clone());
        }
    }
}

/// Checks that the offsets of a partition are consecutive, from the first one known on.
fn check_dense(index: &ReadIndex, targets: &[Target]) -> Result<(), String> {
    for target in targets {
        let Some(extent) = index.extent(target.partition) else {
            continue;
        };
        if extent.next != target.base_offset {
            return Err(format!(
                "offset {} of {} where {} should be",
                target.base_offset, target.partition, extent.next
            ));
        }
    }
    Ok(())
}
