//! A shard's storage with a state that remembers everything, for comparison.

use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
    path::Path,
    sync::Arc,
};

use bytes::Bytes;
use stele_base_env::Disk;
use stele_base_types::{LogId, Offset, PartitionId, PartitionIndex, ShardId, Timestamp};
use stele_test_disk::Random;
use stele_wire_batch::{BatchBuilder, BatchHeader, Body, NewRecord};

use crate::*;

/// The model of a record's place is the partition's next offset. The records are one part, the
/// partitions of each log another.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub(crate) struct State {
    pub(crate) controls: Vec<Vec<u8>>,
    pub(crate) next: BTreeMap<PartitionId, Offset>,
    #[serde(skip)]
    changed: BTreeSet<PartKey>,
}

impl PartialEq for State {
    fn eq(&self, other: &Self) -> bool {
        self.controls == other.controls && self.next == other.next
    }
}

impl Eq for State {}

const CONTROLS: PartKey = PartKey { kind: 0, id: 0 };

fn part_of(log: LogId) -> PartKey {
    let LogId(id) = log;
    PartKey { kind: 1, id }
}

impl Replay for State {
    fn load_whole(&mut self, state: &[u8]) -> Result<(), ReplayError> {
        *self = postcard::from_bytes(state)?;
        let logs = self.next.keys().map(|partition| part_of(partition.log));
        self.changed = logs.chain([CONTROLS]).collect();
        Ok(())
    }

    fn load(&mut self, key: PartKey, bytes: &[u8]) -> Result<(), ReplayError> {
        if key == CONTROLS {
            self.controls = postcard::from_bytes(bytes)?;
        } else {
            let next: Vec<(PartitionId, Offset)> = postcard::from_bytes(bytes)?;
            self.next.extend(next);
        }
        Ok(())
    }

    fn parts_of(&self, _: &[u8]) -> Result<Parts, ReplayError> {
        Ok(Parts::one(CONTROLS))
    }

    fn control(&mut self, record: &[u8]) -> Result<(), ReplayError> {
        self.controls.push(record.to_owned());
        self.changed.insert(CONTROLS);
        Ok(())
    }

    fn parts_of_append(&self, targets: &[Target]) -> Result<Parts, ReplayError> {
        let keys = targets.iter().map(|target| part_of(target.partition.log));
        Ok(Parts {
            keys: keys.collect(),
            kinds: Vec::new(),
        })
    }

    fn append(&mut self, targets: &[Target], header: &BatchHeader<'_>) -> Result<(), ReplayError> {
        for target in targets {
            let count = u64::from(header.last_offset_delta()) + 1;
            self.next
                .insert(target.partition, target.base_offset.plus(count));
            self.changed.insert(part_of(target.partition.log));
        }
        Ok(())
    }

    fn take_changed(&mut self) -> Vec<PartKey> {
        mem::take(&mut self.changed).into_iter().collect()
    }

    fn save(&self, key: PartKey) -> Result<Option<Vec<u8>>, ReplayError> {
        if key == CONTROLS {
            return Ok(Some(postcard::to_stdvec(&self.controls)?));
        }
        let of_log = self.next.iter().filter(|(it, _)| part_of(it.log) == key);
        let of_log: Vec<_> = of_log.collect();
        Ok(Some(postcard::to_stdvec(&of_log)?))
    }
}

/// Sizes so small that a test crosses every boundary.
pub(crate) const SMALL: Options = Options {
    journal_file_size_bytes_max: 4 << 10,
    journal_size_bytes_max: 8 << 10,
    journal_age_ms_max: 1000,
    segment_size_bytes_max: 6 << 10,
    cache_size_bytes_max: 2 << 10,
};

pub(crate) const NOW: Timestamp = Timestamp(1_000_000);

pub(crate) fn partition(log: u64, index: u32) -> PartitionId {
    PartitionId::new(LogId(log), PartitionIndex(index))
}

/// A batch of records with these values, at these times.
pub(crate) fn batch_at(values: &[&[u8]], timestamps: &[i64]) -> Bytes {
    let mut builder = BatchBuilder::new();
    for (value, timestamp) in values.iter().zip(timestamps) {
        let record = NewRecord {
            timestamp: Timestamp(*timestamp),
            key: None,
            value: Body::Whole(value),
            headers: &[],
        };
        builder.push(&record).unwrap();
    }
    builder.finish().into_bytes()
}

pub(crate) fn batch(values: &[&[u8]]) -> Bytes {
    batch_at(values, &vec![NOW.0; values.len()])
}

/// One shard on `disk`, driven step by step.
#[derive(Debug)]
pub(crate) struct Shard {
    pub(crate) directory: ShardDirectory,
    pub(crate) parts: Recovered,
    pub(crate) state: State,
    /// The blocks reported as synced.
    pub(crate) synced: BlockSequence,
    pub(crate) floors: BTreeMap<PartitionId, Offset>,
}

impl Shard {
    pub(crate) fn open(disk: &Arc<dyn Disk>, path: &Path) -> Result<Self, Error> {
        Self::open_with(disk, path, &SMALL)
    }

    pub(crate) fn open_with(
        disk: &Arc<dyn Disk>,
        path: &Path,
        options: &Options,
    ) -> Result<Self, Error> {
        let data = DataDirectory::open(disk.clone(), path, 1)?;
        let directory = data.shard(ShardId(0));
        let mut state = State::default();
        let parts = recover(&directory, options, &mut state, &mut Random::new(7), NOW)?;
        let floors = state.next.keys().map(|it| (*it, Offset(0))).collect();
        Ok(Self {
            synced: parts.builder.sequence(),
            directory,
            parts,
            state,
            floors,
        })
    }

    pub(crate) fn control(&mut self, record: &[u8]) {
        self.parts.builder.push_control(record).unwrap();
        self.state.control(record).unwrap();
    }

    /// Appends to each partition at its next offset; returns the first one's.
    pub(crate) fn append(&mut self, partitions: &[PartitionId], batch: &Bytes) -> Offset {
        let targets: Vec<_> = partitions
            .iter()
            .map(|partition| Target {
                partition: *partition,
                base_offset: self.next(*partition),
            })
            .collect();
        let parts = std::slice::from_ref(batch);
        self.parts.builder.push_append(&targets, -1, parts).unwrap();
        let header = BatchHeader::parse(batch).unwrap();
        self.state.append(&targets, &header).unwrap();
        for partition in partitions {
            self.floors.entry(*partition).or_default();
        }
        targets[0].base_offset
    }

    pub(crate) fn next(&self, partition: PartitionId) -> Offset {
        self.state.next.get(&partition).copied().unwrap_or_default()
    }

    /// Finishes and writes the block.
    pub(crate) fn write(&mut self) -> Result<(), Error> {
        let block = self.parts.builder.finish(self.synced);
        self.parts.index.install(&block);
        let written = self.parts.writer.append(&block)?;
        self.parts.index.written(&written, NOW);
        Ok(())
    }

    pub(crate) fn commit(&mut self) -> Result<(), Error> {
        self.write()?;
        self.synced = self.parts.writer.sync()?;
        Ok(())
    }

    /// Stops as a broker does.
    pub(crate) fn stop(mut self) {
        self.commit().unwrap();
        self.parts.writer.mark_end().unwrap();
    }

    pub(crate) fn floors(&self) -> Floors {
        Floors {
            as_of: self.parts.builder.sequence(),
            complete_before: self.parts.builder.sequence(),
            starts: self
                .floors
                .iter()
                .map(|(of, start)| (*of, *start))
                .collect(),
        }
    }

    /// Checkpoints everything that is closed.
    pub(crate) fn checkpoint(&mut self) -> Result<(), Error> {
        let checkpoint = self.checkpoint_above(self.floors())?;
        self.install(checkpoint).release()
    }

    /// Checkpoints everything that is closed, without installing the result.
    pub(crate) fn checkpoint_above(&mut self, floors: Floors) -> Result<Checkpoint, Error> {
        let late = NOW.plus_ms(SMALL.journal_age_ms_max + 1);
        let plan = self.parts.index.plan_checkpoint(floors, late);
        self.parts
            .checkpointer
            .checkpoint(&plan, &mut State::default())
    }

    /// Installs a checkpoint, a partition at a time.
    pub(crate) fn install(&mut self, mut checkpoint: Checkpoint) -> Retired {
        loop {
            if let Some(retired) = self.parts.index.install_checkpoint(&mut checkpoint, 1) {
                return retired;
            }
        }
    }

    /// Closes the current file and checkpoints it too.
    pub(crate) fn checkpoint_all(&mut self) -> Result<(), Error> {
        self.parts.writer.seal()?;
        // The index learns of the new file by its first block.
        self.commit()?;
        self.checkpoint()
    }

    /// Everything that a reader gets from `from` on, with small reads.
    pub(crate) fn read_all(&self, partition: PartitionId, from: Offset) -> Vec<StoredBatch> {
        let mut batches: Vec<StoredBatch> = Vec::new();
        let mut from = from;
        loop {
            let index = &self.parts.index;
            let slices = index.read(partition, from, Offset(u64::MAX), 1500);
            if slices.is_empty() {
                return batches;
            }
            for slice in slices {
                let read = slice.resolve().unwrap();
                assert!(!read.is_empty(), "a slice holds something");
                batches.extend(read);
            }
            from = next_offset(batches.last().unwrap());
        }
    }

    /// The values of everything that a reader gets, by offset.
    pub(crate) fn values(&self, partition: PartitionId) -> Vec<(u64, Vec<u8>)> {
        let batches = self.read_all(partition, Offset(0));
        batches.iter().flat_map(values).collect()
    }
}

pub(crate) fn next_offset(batch: &StoredBatch) -> Offset {
    let header = BatchHeader::parse(&batch.bytes).unwrap();
    let count = u64::from(header.last_offset_delta()) + 1;
    batch.base_offset.plus(count)
}

/// The values of a batch's records, by offset.
pub(crate) fn values(stored: &StoredBatch) -> Vec<(u64, Vec<u8>)> {
    let batch = stele_wire_batch::Batch::new(stored.bytes.clone()).unwrap();
    batch.verify_checksum().unwrap();
    let records = batch.records(1 << 20).unwrap();
    let values = records.map(|record| record.unwrap().value.unwrap().to_vec());
    (stored.base_offset.0..).zip(values).collect()
}
