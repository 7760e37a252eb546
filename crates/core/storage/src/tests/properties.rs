//! Random lives of a shard, compared with a simple model.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use proptest::prelude::*;
use stele_base_env::Disk;
use stele_base_types::{Offset, PartitionId, ShardId};
use stele_test_disk::{Loss, MemoryDisk};

use super::harness::{Shard, batch, partition};
use crate::{
    BlockSequence, Error, Words,
    block::{HEADER_SIZE_BYTES, Header, Salt, padded},
    dump,
    journal::FileHeader,
};

/// A step of a life.
#[derive(Clone, Debug)]
enum Step {
    Control(u8),
    /// A batch of some records to the first partition and possibly to others.
    Append {
        first: u32,
        others: u32,
        count: usize,
        size_bytes: usize,
    },
    Write,
    Commit,
    /// Moves the partition's floor this many eighths of the way to its synced end.
    Floor(u32, u64),
    Checkpoint,
    CheckpointAll,
    Restart,
    Crash(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => any::<u8>().prop_map(Step::Control),
        8 => (0..4u32, 0..3u32, 1..4usize, 0..1200usize).prop_map(
            |(first, others, count, size_bytes)| Step::Append { first, others, count, size_bytes }
        ),
        2 => Just(Step::Write),
        4 => Just(Step::Commit),
        1 => (0..4u32, 0..=8u64).prop_map(|(of, parts)| Step::Floor(of, parts)),
        1 => Just(Step::Checkpoint),
        1 => Just(Step::CheckpointAll),
        1 => Just(Step::Restart),
        1 => any::<u64>().prop_map(Step::Crash),
    ]
}

/// What must be readable.
#[derive(Default)]
struct Model {
    values: BTreeMap<PartitionId, Vec<Vec<u8>>>,
    controls: Vec<Vec<u8>>,
    floors: BTreeMap<PartitionId, u64>,
    /// How many of them were acknowledged.
    synced_values: BTreeMap<PartitionId, usize>,
    synced_controls: usize,
    bodies: u64,
}

impl Model {
    fn append(&mut self, shard: &mut Shard, step: &Step) {
        let Step::Append {
            first,
            others,
            count,
            size_bytes,
        } = step
        else {
            return;
        };
        let partitions: Vec<_> = (0..=*others)
            .map(|at| partition(7, (first + at) % 4))
            .collect();
        let values: Vec<Vec<u8>> = (0..*count)
            .map(|_| {
                self.bodies += 1;
                let mut value = self.bodies.to_le_bytes().to_vec();
                value.resize(8 + size_bytes, self.bodies as u8);
                value
            })
            .collect();
        let slices: Vec<&[u8]> = values.iter().map(Vec::as_slice).collect();
        shard.append(&partitions, &batch(&slices));
        for partition in partitions {
            self.values
                .entry(partition)
                .or_default()
                .extend_from_slice(&values);
        }
    }

    fn synced(&mut self) {
        self.synced_controls = self.controls.len();
        let lengths = self.values.iter().map(|(id, values)| (*id, values.len()));
        self.synced_values = lengths.collect();
    }

    fn move_floor(&mut self, shard: &mut Shard, of: u32, parts: u64) {
        let id = partition(7, of);
        let end = self.synced_values.get(&id).map_or(0, |end| *end as u64);
        let floor = self.floors.entry(id).or_default();
        *floor += end.saturating_sub(*floor) * parts / 8;
        shard.floors.insert(id, Offset(*floor));
        shard.parts.index.advance_start(id, Offset(*floor));
    }

    /// Removes what wasn't acknowledged and is no longer there.
    fn recovered(&mut self, shard: &mut Shard) {
        let found = &shard.state.controls;
        assert!(
            found.len() >= self.synced_controls,
            "an acknowledged record is lost"
        );
        self.controls.truncate(found.len());
        assert_eq!(*found, self.controls);
        for (id, values) in &mut self.values {
            let next = shard.state.next.get(id).map_or(0, |next| next.0 as usize);
            assert!(
                next >= self.synced_values.get(id).copied().unwrap_or(0),
                "{id}"
            );
            values.truncate(next);
        }
        for (id, floor) in &self.floors {
            shard.floors.insert(*id, Offset(*floor));
            shard.parts.index.advance_start(*id, Offset(*floor));
        }
        self.synced();
    }

    fn assert_read(&self, shard: &Shard) {
        let index = &shard.parts.index;
        let counted = index.counted_segments_size_bytes();
        assert_eq!(index.read_segments_size_bytes(), counted);
        let [kept, counted] = index.read_runs_size_bytes();
        assert_eq!(kept, counted);
        for (id, values) in &self.values {
            let floor = self.floors.get(id).copied().unwrap_or(0);
            let read = shard.values(*id);
            let after = read.partition_point(|(offset, _)| *offset < floor);
            let expected = (floor..).zip(values.iter().skip(floor as usize).cloned());
            assert_eq!(read[after..], expected.collect::<Vec<_>>(), "{id}");
            for (offset, value) in &read[..after] {
                assert_eq!(*value, values[*offset as usize], "{id}");
            }
        }
    }
}

fn run(steps: &[Step]) {
    let path = Path::new("/data");
    let mut disk = MemoryDisk::default();
    let open = |disk: &MemoryDisk| {
        let shared: Arc<dyn Disk> = Arc::new(disk.clone());
        Shard::open(&shared, path).unwrap()
    };
    let mut shard = open(&disk);
    let mut model = Model::default();
    for step in steps {
        match step {
            Step::Control(record) => {
                shard.control(&[*record]);
                model.controls.push(vec![*record]);
            }
            Step::Append { .. } => model.append(&mut shard, step),
            Step::Write => shard.write().unwrap(),
            Step::Commit => {
                shard.commit().unwrap();
                model.synced();
            }
            Step::Floor(of, parts) => model.move_floor(&mut shard, *of, *parts),
            Step::Checkpoint | Step::CheckpointAll => {
                // Floors depend on synced records.
                shard.commit().unwrap();
                model.synced();
                match step {
                    Step::Checkpoint => shard.checkpoint().unwrap(),
                    _ => shard.checkpoint_all().unwrap(),
                }
            }
            Step::Restart | Step::Crash(_) => {
                let loss = match step {
                    Step::Crash(seed) => Loss::Some(*seed),
                    _ => Loss::Nothing,
                };
                drop(shard);
                disk = disk.after(loss);
                shard = open(&disk);
                model.recovered(&mut shard);
            }
        }
        if !matches!(step, Step::Control(_) | Step::Append { .. }) && shard.parts.builder.is_empty()
        {
            model.assert_read(&shard);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn every_life_reads_what_the_model_holds(steps in prop::collection::vec(step(), 1..80)) {
        run(&steps);
    }
}

/// A journal file of one block with this content, with valid checksums.
fn journal_of(content: &[u8]) -> Vec<u8> {
    let mut body = content.to_vec();
    body.resize(
        padded(HEADER_SIZE_BYTES + content.len()) - HEADER_SIZE_BYTES,
        0,
    );
    let header = Header {
        sequence: BlockSequence(0),
        synced: BlockSequence(0),
        content_size_bytes: content.len() as u32,
        entry_count: 1,
        checksum: crc32c::crc32c(&body),
    };
    let file_header = FileHeader {
        format: 2,
        shard: ShardId(0),
        first: BlockSequence(0),
        salt: Salt::NONE,
    };
    let mut file = file_header.encode();
    file.extend_from_slice(&header.encode(Salt::NONE));
    file.extend_from_slice(&body);
    file
}

proptest! {
    #[test]
    fn any_content_of_a_block_is_shown_or_refused(
        kind in 0..4u8,
        length in 0..80u32,
        targets in 0..4u32,
        rest in prop::collection::vec(any::<u8>(), 0..120),
    ) {
        let mut content = length.to_le_bytes().to_vec();
        content.push(kind);
        content.extend_from_slice(&targets.to_le_bytes());
        content.extend_from_slice(&rest);
        let disk = MemoryDisk::default();
        drop(Shard::open(&(Arc::new(disk.clone()) as _), Path::new("/data")).unwrap());
        let path = disk.files().into_iter().find(|path| path.ends_with("00000000000000000000.journal"));
        let path = path.unwrap();
        disk.edit(&path, |bytes| *bytes = journal_of(&content));
        let mut lines = 0;
        let shared: Arc<dyn Disk> = Arc::new(disk.clone());
        dump(&shared, &path, &Words::NONE, &mut |_| lines += 1).unwrap();
        prop_assert!(lines >= 3 && lines <= content.len() + 4);
        // A start accepts it, or refuses it with the position.
        if let Err(error) = Shard::open(&shared, Path::new("/data")) {
            let told = matches!(error, Error::Damaged { .. });
            prop_assert!(told, "{error}");
        }
    }
}
