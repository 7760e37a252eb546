//! Reading by offset.

use bytes::Bytes;
use stele_base_types::{Offset, PartitionId};

use super::{
    ReadIndex,
    partition::{PartitionReads, Run},
    plan::{Collected, Piece, ReadPlan, Slice, Source, Wanted},
};
use crate::block::{Entries, Entry, Place};

impl ReadIndex {
    /// Reads `partition` from `from` on: whole batches, the first of which may start before `from`,
    /// and none of which starts at `until` (a high watermark) or later. Together they take at most
    /// `size_bytes_max`, except that at least one batch is returned if there is one.
    ///
    /// The slices follow each other without a gap. They may end early, where the data changes from
    /// disk to memory: the caller continues from the end of the last batch. If the remaining data
    /// starts after `from`, so does the first batch. Never waits for the disk.
    pub fn read(
        &self,
        partition: PartitionId,
        from: Offset,
        until: Offset,
        size_bytes_max: usize,
    ) -> Vec<Slice> {
        let Some(reads) = self.partitions.get(&partition) else {
            return Vec::new();
        };
        let extent = reads.extent();
        let wanted = Wanted {
            partition,
            from: from.max(extent.start),
            until: until.min(extent.next),
            size_bytes_max,
        };
        if wanted.from >= wanted.until {
            return Vec::new();
        }
        let in_journal = reads
            .run(0)
            .is_some_and(|run| run.base_offset <= wanted.from);
        if !in_journal && let Some(segment) = reads.segment_at(wanted.from) {
            let source = Source::Segment {
                files: self.segment_files.clone(),
                segment: *segment,
            };
            return vec![Slice::Disk(self.plan(wanted, source))];
        }
        self.read_journal(reads, &wanted)
    }

    fn read_journal(&self, reads: &PartitionReads, wanted: &Wanted) -> Vec<Slice> {
        let first = reads.run_at(wanted.from);
        match reads.run(first) {
            None => Vec::new(),
            Some(run) if self.cache.get(run.sequence).is_some() => {
                self.read_memory(reads, first, wanted)
            }
            Some(_) => self
                .plan_journal(reads, first, wanted)
                .into_iter()
                .collect(),
        }
    }

    fn read_memory(&self, reads: &PartitionReads, first: usize, wanted: &Wanted) -> Vec<Slice> {
        let mut batches = Collected::new(wanted);
        for (at, run) in (first..).zip(reads.runs().range(first..)) {
            // Cached blocks are the newest, so the cache has all that follow as well.
            let Some(block) = self.cache.get(run.sequence) else {
                break;
            };
            if run.place.is_batch_alone {
                collect_batch(block, run, reads.run_end(at), &mut batches);
            } else {
                collect_run(block, run, wanted.partition, &mut batches);
            }
            if batches.is_full {
                break;
            }
        }
        batches.batches.into_iter().map(Slice::Memory).collect()
    }

    /// A plan for the runs from `first` on that are in one file and not in memory.
    pub(super) fn plan_journal(
        &self,
        reads: &PartitionReads,
        first: usize,
        wanted: &Wanted,
    ) -> Option<Slice> {
        let first_run = reads.run(first)?;
        let (file, _) = self.journal.find(first_run.sequence)?;
        let mut pieces = Vec::new();
        let mut size_bytes = 0;
        for (at, run) in reads.runs().range(first..).enumerate() {
            let Some((run_file, block_position)) = self.journal.find(run.sequence) else {
                break;
            };
            let is_elsewhere =
                run_file.first != file.first || self.cache.get(run.sequence).is_some();
            if is_elsewhere
                || run.base_offset >= wanted.until
                || size_bytes >= wanted.size_bytes_max
            {
                break;
            }
            size_bytes += run.size_bytes as usize;
            pieces.push(Piece {
                position: block_position + u64::from(run.place.start),
                size_bytes: run.place.end - run.place.start,
                is_batch_alone: run.place.is_batch_alone,
                base_offset: run.base_offset,
                next_offset: reads.run_end(first + at),
            });
        }
        let source = Source::Journal {
            file: file.clone(),
            pieces,
        };
        Some(Slice::Disk(self.plan(*wanted, source)))
    }

    fn plan(&self, wanted: Wanted, source: Source) -> ReadPlan {
        ReadPlan {
            wanted,
            source,
            begun: self.begun.clone(),
        }
    }
}

/// Takes the batch of a run that has only one.
fn collect_batch(block: &Bytes, run: &Run, next_offset: Offset, batches: &mut Collected<'_>) {
    let Place { start, end, .. } = run.place;
    batches.offer(
        run.base_offset,
        next_offset,
        run.size_bytes as usize,
        || block.slice(start as usize..end as usize),
    );
}

/// Takes the wanted batches of one run of a cached block.
fn collect_run(block: &Bytes, run: &Run, partition: PartitionId, batches: &mut Collected<'_>) {
    let start = run.place.start as usize;
    for entry in Entries::new(&block[start..run.place.end as usize]) {
        let entry = entry.expect("a block that was built here reads back");
        let Entry::Append(append) = entry else {
            continue;
        };
        let Some(base_offset) = append.base_offset_in(partition) else {
            continue;
        };
        let next_offset = base_offset.plus(append.offset_count());
        batches.offer(base_offset, next_offset, append.batch.len(), || {
            block.slice(start + append.batch.start..start + append.batch.end)
        });
        if batches.is_full {
            return;
        }
    }
}
