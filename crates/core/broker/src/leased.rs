//! Leased records with their content.

use std::collections::VecDeque;

use bytes::Bytes;
use smallvec::SmallVec;
use stele_base_types::{LogId, Offset, PartitionId, PartitionIndex};
use stele_core_engine::{LeasedRecord, LeasedRun, Run};
use stele_core_storage::{Slice, StoredBatch};
use stele_wire_batch::{Batch, Error, Place, Record, Records};

use tokio::sync::oneshot;

use crate::{
    Broker, Failure, Share,
    read::{Broken, records_of, resolve, resolve_blocking, unreadable},
    request::Request,
};

/// A run of leased records, and where its bytes are.
#[derive(Debug)]
pub struct LeasedBatch {
    pub(crate) run: LeasedRun,
    pub(crate) slices: Vec<Slice>,
}

/// A leased record with its content.
#[derive(Clone, Debug)]
pub struct LeasedMessage {
    /// The partition.
    pub partition: PartitionIndex,
    /// Its offset, lease and delivery count.
    pub lease: LeasedRecord,
    /// The record.
    pub record: Record,
}

/// The messages of leased records, which [`Broker::next_message`] reads one by one. A caller that
/// can't go on for a while releases the bytes with [`Broker::pause`]; they are then read again
/// later.
#[derive(Debug)]
pub struct LeasedMessages {
    partition: PartitionId,
    leases: SmallVec<[LeasedRecord; 1]>,
    /// The index of the first message not read yet.
    next: usize,
    /// Where the bytes are; `None` if released, because it keeps files from being removed.
    slices: Option<Vec<Slice>>,
    /// The size of the stored batches when last known.
    size_bytes_max: usize,
    stored: Option<Stored>,
}

/// The stored batches that messages are read from.
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

impl LeasedBatch {
    /// The leased records.
    pub fn run(&self) -> &LeasedRun {
        &self.run
    }

    /// Its messages, none of them read yet.
    pub fn messages(self, log: LogId) -> LeasedMessages {
        let sizes = self.slices.iter().map(Slice::size_bytes_max);
        LeasedMessages {
            partition: PartitionId::new(log, self.run.partition),
            leases: self.run.records,
            next: 0,
            size_bytes_max: sizes.fold(0, usize::saturating_add),
            slices: Some(self.slices),
            stored: None,
        }
    }

    /// The records with their content, in order, for a caller that may block. Fails if one of them
    /// can't be read.
    pub fn resolve_blocking(self) -> Result<Vec<LeasedMessage>, Failure> {
        let stored = resolve_blocking(&self.slices).map_err(unreadable)?;
        let records = &self.run.records;
        let Some((first, last)) = records.first().zip(records.last()) else {
            return Ok(Vec::new());
        };
        let held = records_of(stored, first.offset, last.offset);
        if let Some(broken) = held.broken.first() {
            return Err(unreadable(&broken.error));
        }
        let partition = self.run.partition;
        let leases = self.run.records.into_iter();
        let mut records = held.messages.into_iter().peekable();
        let messages = leases.filter_map(|lease| {
            while records.next_if(|it| it.offset < lease.offset).is_some() {}
            let record = records.next_if(|it| it.offset == lease.offset)?;
            Some(LeasedMessage {
                partition,
                lease,
                record,
            })
        });
        Ok(messages.collect())
    }
}

impl LeasedMessages {
    /// The leases of the messages not read yet.
    pub fn leases(&self) -> &[LeasedRecord] {
        &self.leases[self.next..]
    }

    /// Their partition.
    pub fn partition(&self) -> PartitionIndex {
        self.partition.index
    }

    /// Whether the stored bytes have been read.
    pub fn are_read(&self) -> bool {
        self.stored.is_some()
    }

    /// How many bytes the stored batches have at most, unless a single one is larger.
    pub fn size_bytes_max(&self) -> usize {
        self.size_bytes_max
    }

    /// Puts the last message back, so that it is read next again.
    pub fn put_back(&mut self) {
        self.next -= 1;
        let reading = self.stored.as_mut().and_then(|it| it.reading.as_mut());
        if let Some(reading) = reading
            && let (Some(records), Some(last)) = (&mut reading.records, reading.last)
        {
            records.go_to(last);
        }
    }

    /// Whether the last message is a copy from an opened batch. Others are slices of the stored
    /// batch.
    pub fn are_copied(&self) -> bool {
        let reading = self.stored.as_ref().and_then(|it| it.reading.as_ref());
        reading.is_some_and(|reading| reading.opened.is_some())
    }

    /// Takes over the memory of the stored batches, for a caller that keeps slices of them.
    pub fn take_room(&mut self) -> Share {
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
    /// Reads the stored bytes of leased records, with `room` taken for them. Reads those no longer
    /// in memory from disk, on a blocking thread; fails if the disk can't be read.
    pub async fn read_leased(
        &self,
        messages: &mut LeasedMessages,
        mut room: Share,
    ) -> Result<(), Failure> {
        let slices = match messages.slices.take() {
            Some(slices) => slices,
            None => self.locate(messages).await?,
        };
        let batches = VecDeque::from(resolve(slices).await?);
        let size_bytes: usize = batches.iter().map(|batch| batch.bytes.len()).sum();
        match size_bytes > room.bytes() {
            // The first batch is read whole, however large it is.
            true => room.grow(size_bytes - room.bytes()),
            false => room.shrink_to(size_bytes),
        }
        messages.stored = Some(Stored {
            batches,
            reading: None,
            room,
        });
        Ok(())
    }

    /// Returns the next message of leased records, in order. Records that turn out to be no
    /// messages (compacted away, or of a control batch) are skipped for good. So are unreadable
    /// records, up to the end of their batch: otherwise they would be delivered again, and the
    /// records behind them never.
    pub async fn next_message(
        &self,
        messages: &mut LeasedMessages,
    ) -> Result<Option<LeasedMessage>, Failure> {
        let partition = messages.partition;
        let mut absent = SmallVec::<[Run; 2]>::new();
        let mut found = None;
        while let Some(&lease) = messages.leases().first() {
            match self.record_at(messages, lease.offset).await? {
                Ok(Some(record)) => {
                    messages.next += 1;
                    found = Some(LeasedMessage {
                        partition: partition.index,
                        lease,
                        record,
                    });
                    break;
                }
                Ok(None) => {
                    messages.next += 1;
                    Run::push(&mut absent, partition.index, lease.offset);
                }
                Err(broken) => {
                    let left = messages.leases().iter();
                    messages.next += left.take_while(|it| it.offset < broken.end).count();
                    self.set_aside(partition, &broken).await;
                }
            }
        }
        for run in absent {
            self.skip(partition.log, run).await;
        }
        if found.is_none()
            && let Some(last) = messages.leases.last()
            && let Some(stored) = &mut messages.stored
            && let Some(reading) = stored.reading.take()
        {
            self.note(partition, reading, last.offset.next());
        }
        Ok(found)
    }

    /// Releases the bytes of the messages not read yet, until the caller continues.
    pub fn pause(&self, messages: &mut LeasedMessages) {
        messages.slices = None;
        let Some(next) = messages.leases().first().map(|lease| lease.offset) else {
            return;
        };
        if let Some(reading) = messages.stored.take().and_then(|stored| stored.reading) {
            self.note(messages.partition, reading, next);
        }
    }

    /// Where the bytes of the messages not read yet are now.
    async fn locate(&self, messages: &mut LeasedMessages) -> Result<Vec<Slice>, Failure> {
        let bounds = messages.leases().first().zip(messages.leases().last());
        let Some((first, last)) = bounds else {
            return Ok(Vec::new());
        };
        let (reply, answer) = oneshot::channel();
        let request = Request::Locate {
            partition: messages.partition,
            from: first.offset,
            until: last.offset.next(),
            reply,
        };
        self.send(self.shard_of(messages.partition.log), request)
            .await;
        let slices = answer.await.map_err(|_| Failure::Stopping)?;
        let sizes = slices.iter().map(Slice::size_bytes_max);
        messages.size_bytes_max = sizes.fold(0, usize::saturating_add);
        Ok(slices)
    }

    /// Returns all messages of leased records, whatever memory that takes.
    pub async fn messages(
        &self,
        log: LogId,
        batch: LeasedBatch,
    ) -> Result<Vec<LeasedMessage>, Failure> {
        let mut left = batch.messages(log);
        self.read_leased(&mut left, Share::NONE).await?;
        let mut messages = Vec::new();
        while let Some(message) = self.next_message(&mut left).await? {
            messages.push(message);
        }
        Ok(messages)
    }

    async fn record_at(
        &self,
        messages: &mut LeasedMessages,
        offset: Offset,
    ) -> Result<Result<Option<Record>, Broken>, Failure> {
        let partition = messages.partition;
        let Some(stored) = &mut messages.stored else {
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
        let opened = self.opening();
        let opened = match opened.open(partition, base_offset, &batch, wanted).await? {
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
