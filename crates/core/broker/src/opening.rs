//! Opens (decompresses) compressed batches within the available memory.
//!
//! The size of an opened batch is known only once it is opened: a few kilobytes may become a
//! hundred megabytes. So a batch is first opened with a small limit, and then with larger ones if
//! that was too little; at most a third of the work is wasted. This is done on threads where it
//! delays nobody.
//!
//! A batch that is read piece by piece, as the messages of a queue are, is opened once and kept
//! until it has been read to its end or others need the memory. Nothing that leaves this module
//! refers to an opened batch, so whoever waits for the memory waits for work only, never for a
//! client.

use std::{collections::VecDeque, sync::Arc};

use bytes::Bytes;
use parking_lot::Mutex;
use stele_base_types::{Offset, PartitionId, murmur2};
use stele_core_engine::{Columns, Schedule};
use stele_wire_batch::{Batch, DECOMPRESSED_SIZE_BYTES_MAX, Error, Place, Record, Times};

use crate::{Broker, Failure, Kind, Memory, Share, charged};

/// A batch that opens to no more than this is examined on the calling thread, in well under a
/// millisecond. It is also the first limit tried elsewhere.
const FIRST_LIMIT_BYTES: usize = 128 * 1024;

/// The estimated ratio of opened to stored size, and the factor between one limit and the next.
const GROWTH: usize = 4;

/// Opened batches that are kept while they are being read.
const BEGUN_MAX: usize = 64;

impl Broker {
    /// Validates a batch from a client, as [`Batch::validate`] does. Large batches are validated on
    /// a thread where that delays nobody.
    pub async fn validate(&self, batch: &Batch) -> Result<Result<Option<Times>, Error>, Failure> {
        self.look_into(batch, Batch::validate).await
    }

    /// The keys of a batch's records, for a log that hands out records by key.
    pub async fn keys_of(&self, batch: &Batch) -> Result<Result<Columns, Error>, Failure> {
        self.look_into(batch, keys_of).await
    }

    /// The same with the sizes of their bodies, for a log that limits how many bytes are ready.
    pub async fn sizes_of(&self, batch: &Batch) -> Result<Result<Columns, Error>, Failure> {
        self.look_into(batch, sizes_of).await
    }

    async fn look_into<T: Send + 'static>(
        &self,
        batch: &Batch,
        look: fn(&Batch, usize) -> Result<T, Error>,
    ) -> Result<Result<T, Error>, Failure> {
        match look(batch, FIRST_LIMIT_BYTES) {
            Err(Error::DecompressedTooLarge { .. }) => {}
            seen => return Ok(seen),
        }
        let looked_into = batch.clone();
        let look = move |limit| or_more(look(&looked_into, limit), limit);
        let seen = self.opening().run(self.memory(), batch.bytes().len(), look);
        let seen = seen.await;
        seen.map(|(seen, _)| seen)
    }
}

fn keys_of(batch: &Batch, limit_bytes: usize) -> Result<Columns, Error> {
    let records = batch.records(limit_bytes)?;
    let schedules = records.map(|record| {
        let key = record?.key;
        Ok(Schedule {
            key: key.map(|key| murmur2(&key)),
            ..Schedule::default()
        })
    });
    let schedules: Vec<_> = schedules.collect::<Result<_, Error>>()?;
    Ok(Columns::of(schedules))
}

fn sizes_of(batch: &Batch, limit_bytes: usize) -> Result<Columns, Error> {
    let records = batch.records(limit_bytes)?;
    let schedules = records.map(|record| {
        let record = record?;
        Ok(Schedule {
            key: record.key.as_deref().map(murmur2),
            body_bytes: Some(size_of_body(&record)),
            ..Schedule::default()
        })
    });
    let schedules: Vec<_> = schedules.collect::<Result<_, Error>>()?;
    Ok(Columns::of(schedules))
}

/// The sizes of the bodies in a batch that isn't compressed.
pub(crate) fn sizes_in(batch: &Bytes) -> Option<Vec<u32>> {
    let batch = Batch::new(batch.clone()).ok()?;
    if batch.is_compressed() {
        return None;
    }
    let records = batch.records(usize::MAX).ok()?;
    let sizes = records.map(|record| record.map(|record| size_of_body(&record)));
    sizes.collect::<Result<_, Error>>().ok()
}

/// The size of a record's body.
pub(crate) fn size_of_body(record: &Record) -> u32 {
    let bytes = record.value.as_ref().map_or(0, Bytes::len);
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

/// `None` if the limit was too small and there is a larger one.
fn or_more<T>(result: Result<T, Error>, limit: usize) -> Option<Result<T, Error>> {
    match result {
        Err(Error::DecompressedTooLarge { .. }) if limit < DECOMPRESSED_SIZE_BYTES_MAX => None,
        result => Some(result),
    }
}

/// Opens batches, and keeps those that are being read.
#[derive(Debug)]
pub(crate) struct Opening {
    memory: Memory,
    /// Sorted by use, the last one being the most recent.
    begun: Mutex<VecDeque<Begun>>,
    /// Prevents two tasks from opening the same batch at once.
    gates: [tokio::sync::Mutex<()>; 8],
}

/// How far a batch has been read.
#[derive(Clone, Debug)]
struct Begun {
    partition: PartitionId,
    base_offset: Offset,
    /// The opened batch, if it was compressed.
    opened: Option<Bytes>,
    /// The first record not read yet, and its place.
    reached: (Offset, Place),
}

/// A readable batch.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) bytes: Bytes,
    /// Where to begin reading for the record wanted; the batch's start if `None`.
    pub(crate) place: Option<Place>,
}

impl Opening {
    pub(crate) fn new(memory: Memory) -> Self {
        Self {
            memory,
            begun: Mutex::default(),
            gates: Default::default(),
        }
    }

    /// Runs `open` with a decompression limit, in `memory` that it takes for that. `open` returns
    /// `None` if the limit is too small. The batch's stored size is `size_bytes`.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        memory: &Memory,
        size_bytes: usize,
        open: impl Fn(usize) -> Option<T> + Send + Sync + 'static,
    ) -> Result<(T, Share), Failure> {
        let open = Arc::new(open);
        let guess = size_bytes.saturating_mul(GROWTH);
        let mut limit = guess.clamp(FIRST_LIMIT_BYTES, DECOMPRESSED_SIZE_BYTES_MAX);
        loop {
            let room = self.room(memory, limit).await;
            let open = Arc::clone(&open);
            let opened = tokio::task::spawn_blocking(move || open(limit)).await;
            match opened.map_err(|_| Failure::Stopping)? {
                Some(opened) => return Ok((opened, room)),
                None if limit == DECOMPRESSED_SIZE_BYTES_MAX => {
                    let limit_bytes = limit;
                    return Err(crate::read::unreadable(Error::DecompressedTooLarge {
                        limit_bytes,
                    }));
                }
                None => limit = (limit * GROWTH).min(DECOMPRESSED_SIZE_BYTES_MAX),
            }
        }
    }

    /// Opens a batch of a partition, which is at `base_offset` there, to read the record at
    /// `wanted`.
    pub(crate) async fn open(
        &self,
        memory: &Memory,
        (partition, base_offset): (PartitionId, Offset),
        batch: &Batch,
        wanted: Offset,
    ) -> Result<Result<Opened, Error>, Failure> {
        if !batch.is_compressed() {
            // Most batches are read from their start.
            let begun = (wanted > base_offset).then(|| self.find(partition, base_offset, wanted));
            let place = begun.flatten().and_then(|(_, place)| place);
            let opened = batch.open(usize::MAX);
            return Ok(opened.map(|bytes| Opened { bytes, place }));
        }
        let gate = (base_offset.0 ^ partition.log.0) as usize % self.gates.len();
        let _gate = self.gates[gate].lock().await;
        if let Some((Some(bytes), place)) = self.find(partition, base_offset, wanted) {
            return Ok(Ok(Opened { bytes, place }));
        }
        let to_open = batch.clone();
        let open = move |limit| or_more(to_open.open(limit), limit);
        let (opened, mut room) = self.run(memory, batch.bytes().len(), open).await?;
        Ok(opened.map(|bytes| {
            room.shrink_to(bytes.len());
            Opened {
                bytes: charged(bytes, room),
                place: None,
            }
        }))
    }

    /// Notes how far a batch was read, so that the next reader continues there.
    pub(crate) fn note(
        &self,
        partition: PartitionId,
        base_offset: Offset,
        opened: Option<Bytes>,
        reached: (Offset, Place),
    ) {
        self.forget(partition, base_offset);
        let mut begun = self.begun.lock();
        if begun.len() == BEGUN_MAX {
            begun.pop_front();
        }
        begun.push_back(Begun {
            partition,
            base_offset,
            opened: opened.filter(|_| !self.memory.is_short(Kind::Opened)),
            reached,
        });
    }

    /// Drops a batch that has been read to its end.
    pub(crate) fn forget(&self, partition: PartitionId, base_offset: Offset) {
        let is_it = |it: &Begun| it.partition == partition && it.base_offset == base_offset;
        self.begun.lock().retain(|begun| !is_it(begun));
    }

    /// What is known of a batch for reading the record at `wanted`.
    fn find(
        &self,
        partition: PartitionId,
        base_offset: Offset,
        wanted: Offset,
    ) -> Option<(Option<Bytes>, Option<Place>)> {
        let begun = self.begun.lock();
        let mut known = begun.iter();
        let known = known.find(|it| it.partition == partition && it.base_offset == base_offset)?;
        let (reached, place) = known.reached;
        let place = (reached <= wanted).then_some(place);
        Some((known.opened.clone(), place))
    }

    /// Takes memory to open a batch to this size, dropping batches that are only kept.
    async fn room(&self, memory: &Memory, bytes: usize) -> Share {
        loop {
            if let Some(room) = memory.try_take(Kind::Opened, bytes) {
                return room;
            }
            let kept = self.begun.lock().pop_front();
            if kept.is_none() {
                return memory.take(Kind::Opened, bytes).await;
            }
        }
    }
}
