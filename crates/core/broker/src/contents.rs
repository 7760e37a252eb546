//! The stored batches of some records of a partition, from which the records are read one by one.

use std::collections::VecDeque;

use bytes::Bytes;
use stele_base_types::{Offset, PartitionId};
use stele_core_storage::{Slice, StoredBatch};
use stele_wire_batch::{Batch, Error, Place, Record, Records};

use crate::{
    Broker, Failure, Share,
    read::{Broken, resolve},
};

/// The stored batches of some records. A caller that can't go on for a while releases them with
/// [`Broker::release_contents`].
#[derive(Debug)]
pub(crate) struct Contents {
    partition: PartitionId,
    /// Where the bytes are; `None` if released, because it keeps files from being removed.
    slices: Option<Vec<Slice>>,
    /// The size of the stored batches when last known.
    size_bytes_max: usize,
    stored: Option<Stored>,
}

/// The stored batches that records are read from.
#[derive(Debug)]
struct Stored {
    batches: VecDeque<StoredBatch>,
    /// The first of them, opened.
    reading: Option<Reading>,
    /// The memory they take.
    room: Share,
}

/// A batch that is being read.
#[derive(Debug)]
struct Reading {
    base_offset: Offset,
    /// The base offset in its header, which may be that of another partition.
    base_in_header: Offset,
    end: Offset,
    /// `None` for a control batch, which has no messages.
    records: Option<Records>,
    /// The place of the record that was read last.
    last: Option<Place>,
    opened: Option<Bytes>,
}

impl Contents {
    /// The batches at these places, none of them read yet.
    pub(crate) fn at(partition: PartitionId, slices: Vec<Slice>) -> Self {
        let mut contents = Self {
            partition,
            slices: None,
            size_bytes_max: 0,
            stored: None,
        };
        contents.found_at(slices);
        contents
    }

    /// Where the batches are now, after they were released.
    pub(crate) fn found_at(&mut self, slices: Vec<Slice>) {
        let sizes = slices.iter().map(Slice::size_bytes_max);
        self.size_bytes_max = sizes.fold(0, usize::saturating_add);
        self.slices = Some(slices);
    }

    pub(crate) fn partition(&self) -> PartitionId {
        self.partition
    }

    /// Whether it is known where the bytes are.
    pub(crate) fn are_located(&self) -> bool {
        self.slices.is_some()
    }

    /// Whether the stored bytes have been read.
    pub(crate) fn are_read(&self) -> bool {
        self.stored.is_some()
    }

    /// How many bytes the stored batches have at most, unless a single one is larger.
    pub(crate) fn size_bytes_max(&self) -> usize {
        self.size_bytes_max
    }

    /// The offset after the last batch read.
    pub(crate) fn end(&self) -> Offset {
        let stored = self.stored.as_ref();
        let last = stored.and_then(|stored| stored.batches.back());
        last.map_or(Offset::ZERO, StoredBatch::next_offset)
    }

    /// Puts the last record back, so that it is read next again.
    pub(crate) fn put_back(&mut self) {
        let reading = self.stored.as_mut().and_then(|it| it.reading.as_mut());
        if let Some(reading) = reading
            && let (Some(records), Some(last)) = (&mut reading.records, reading.last)
        {
            records.go_to(last);
        }
    }

    /// Whether the last record is a copy from an opened batch. Others are slices of the stored
    /// batch.
    pub(crate) fn are_copied(&self) -> bool {
        let reading = self.stored.as_ref().and_then(|it| it.reading.as_ref());
        reading.is_some_and(|reading| reading.opened.is_some())
    }

    /// Takes over the memory of the stored batches, for a caller that keeps slices of them.
    pub(crate) fn take_room(&mut self) -> Share {
        let stored = self.stored.as_mut();
        stored.map_or(Share::NONE, |it| std::mem::take(&mut it.room))
    }
}

impl Reading {
    /// The record at `offset`, if there is one.
    fn record(&mut self, offset: Offset) -> Result<Option<Record>, Error> {
        let Some(records) = &mut self.records else {
            return Ok(None);
        };
        let wanted = self.base_in_header.plus(offset.since(self.base_offset));
        records.skip_to(wanted)?;
        let place = records.place();
        let Some(record) = records.next().transpose()? else {
            return Ok(None);
        };
        if record.offset != wanted {
            // It is behind a gap, and may belong to the next lease.
            records.go_to(place);
            return Ok(None);
        }
        self.last = Some(place);
        let record = Record { offset, ..record };
        Ok(Some(match self.opened {
            // A record is small compared to its opened batch, so it is copied.
            Some(_) => record.detached(),
            None => record,
        }))
    }
}

impl Broker {
    /// Reads the stored bytes, with `room` taken for them. Reads those no longer in memory from
    /// disk, on a blocking thread; fails if the disk can't be read.
    pub(crate) async fn read_contents(
        &self,
        contents: &mut Contents,
        mut room: Share,
    ) -> Result<(), Failure> {
        let slices = contents.slices.take().unwrap_or_default();
        let batches = VecDeque::from(resolve(slices).await?);
        let size_bytes: usize = batches.iter().map(|batch| batch.bytes.len()).sum();
        match size_bytes > room.bytes() {
            // The first batch is read whole, however large it is.
            true => room.grow(size_bytes - room.bytes()),
            false => room.shrink_to(size_bytes),
        }
        contents.stored = Some(Stored {
            batches,
            reading: None,
            room,
        });
        Ok(())
    }

    /// Releases the bytes. The reader will continue at `next`; `None` if it won't.
    pub(crate) fn release_contents(&self, contents: &mut Contents, next: Option<Offset>) {
        contents.slices = None;
        let reading = contents.stored.take().and_then(|stored| stored.reading);
        if let Some((reading, next)) = reading.zip(next) {
            self.note(contents.partition, reading, next);
        }
    }

    /// Notes that the batches have been read up to `next`, for the reader that continues there.
    pub(crate) fn contents_end(&self, contents: &mut Contents, next: Offset) {
        let stored = contents.stored.as_mut();
        if let Some(reading) = stored.and_then(|stored| stored.reading.take()) {
            self.note(contents.partition, reading, next);
        }
    }

    /// The record at this offset, which must not be before those read already.
    pub(crate) async fn record_at(
        &self,
        contents: &mut Contents,
        offset: Offset,
    ) -> Result<Result<Option<Record>, Broken>, Failure> {
        let partition = contents.partition;
        let Some(stored) = &mut contents.stored else {
            return Ok(Ok(None));
        };
        while let Some(first) = stored.batches.front()
            && first.next_offset() <= offset
            && let Some(passed) = stored.batches.pop_front()
        {
            let is_one = passed.next_offset() == passed.base_offset.next();
            if stored.reading.take().is_some() && !is_one {
                self.opening().forget(partition, passed.base_offset);
            }
        }
        let Some(batch) = stored.batches.front() else {
            return Ok(Ok(None));
        };
        if offset < batch.base_offset {
            return Ok(Ok(None));
        }
        let broken = |error| Broken {
            first: offset,
            end: batch.next_offset(),
            error,
        };
        let reading = match &mut stored.reading {
            Some(reading) => reading,
            none => match self.open(partition, batch, offset).await? {
                Ok(reading) => none.insert(reading),
                Err(error) => return Ok(Err(broken(error))),
            },
        };
        Ok(reading.record(offset).map_err(broken))
    }

    /// Notes how far a batch was read, for the reader that continues at `next`.
    fn note(&self, partition: PartitionId, reading: Reading, next: Offset) {
        let opening = self.opening();
        match reading.records {
            Some(records) if next < reading.end => {
                let reached = (next, records.place());
                opening.note(partition, reading.base_offset, reading.opened, reached);
            }
            _ => opening.forget(partition, reading.base_offset),
        }
    }

    async fn open(
        &self,
        partition: PartitionId,
        stored: &StoredBatch,
        wanted: Offset,
    ) -> Result<Result<Reading, Error>, Failure> {
        let batch = match Batch::new(stored.bytes.clone()) {
            Ok(batch) => batch,
            Err(error) => return Ok(Err(error)),
        };
        let base_offset = stored.base_offset;
        let mut reading = Reading {
            base_offset,
            base_in_header: batch.header().base_offset(),
            end: stored.next_offset(),
            records: None,
            last: None,
            opened: None,
        };
        if batch.header().is_control() {
            return Ok(Ok(reading));
        }
        let place = (partition, base_offset);
        let opened = self.opening();
        let opened = opened.open(self.memory(), place, &batch, wanted);
        let opened = match opened.await? {
            Ok(opened) => opened,
            Err(error) => return Ok(Err(error)),
        };
        let mut records = batch.records_in(opened.bytes.clone());
        if let Some(place) = opened.place {
            records.go_to(place);
        }
        reading.records = Some(records);
        reading.opened = batch.is_compressed().then_some(opened.bytes);
        Ok(Ok(reading))
    }
}
