//! Leased records with their content.

use smallvec::SmallVec;
use stele_base_types::{LogId, PartitionId, PartitionIndex};
use stele_core_engine::{LeasedRecord, LeasedRun, Run};
use stele_core_storage::Slice;
use stele_wire_batch::Record;

use tokio::sync::oneshot;

use crate::{
    Broker, Failure, Share,
    contents::Contents,
    read::{records_of, resolve_blocking, unreadable},
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
    leases: SmallVec<[LeasedRecord; 1]>,
    /// The index of the first message not read yet.
    next: usize,
    contents: Contents,
}

impl LeasedBatch {
    /// The leased records.
    pub fn run(&self) -> &LeasedRun {
        &self.run
    }

    /// Its messages, none of them read yet.
    pub fn messages(self, log: LogId) -> LeasedMessages {
        let partition = PartitionId::new(log, self.run.partition);
        LeasedMessages {
            leases: self.run.records,
            next: 0,
            contents: Contents::at(partition, self.slices),
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
        self.contents.partition().index
    }

    /// Whether the stored bytes have been read.
    pub fn are_read(&self) -> bool {
        self.contents.are_read()
    }

    /// How many bytes the stored batches have at most, unless a single one is larger.
    pub fn size_bytes_max(&self) -> usize {
        self.contents.size_bytes_max()
    }

    /// Puts the last message back, so that it is read next again.
    pub fn put_back(&mut self) {
        self.next -= 1;
        self.contents.put_back();
    }

    /// Whether the last message is a copy from an opened batch. Others are slices of the stored
    /// batch.
    pub fn are_copied(&self) -> bool {
        self.contents.are_copied()
    }

    /// Takes over the memory of the stored batches, for a caller that keeps slices of them.
    pub fn take_room(&mut self) -> Share {
        self.contents.take_room()
    }
}

impl Broker {
    /// Reads the stored bytes of leased records, with `room` taken for them. Reads those no longer
    /// in memory from disk, on a blocking thread; fails if the disk can't be read.
    pub async fn read_leased(
        &self,
        messages: &mut LeasedMessages,
        room: Share,
    ) -> Result<(), Failure> {
        if !messages.contents.are_located() {
            self.locate(messages).await?;
        }
        self.read_contents(&mut messages.contents, room).await
    }

    /// Returns the next message of leased records, in order. Records that turn out to be no
    /// messages (compacted away, or of a control batch) are skipped for good. So are unreadable
    /// records, up to the end of their batch: otherwise they would be delivered again, and the
    /// records behind them never.
    pub async fn next_message(
        &self,
        messages: &mut LeasedMessages,
    ) -> Result<Option<LeasedMessage>, Failure> {
        let partition = messages.contents.partition();
        let mut absent = SmallVec::<[Run; 2]>::new();
        let mut found = None;
        while let Some(&lease) = messages.leases().first() {
            match self.record_at(&mut messages.contents, lease.offset).await? {
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
        {
            self.contents_end(&mut messages.contents, last.offset.next());
        }
        Ok(found)
    }

    /// Releases the bytes of the messages not read yet, until the caller continues.
    pub fn pause(&self, messages: &mut LeasedMessages) {
        let next = messages.leases().first().map(|lease| lease.offset);
        self.release_contents(&mut messages.contents, next);
    }

    /// Finds where the bytes of the messages not read yet are now.
    async fn locate(&self, messages: &mut LeasedMessages) -> Result<(), Failure> {
        let bounds = messages.leases().first().zip(messages.leases().last());
        let Some((first, last)) = bounds else {
            messages.contents.found_at(Vec::new());
            return Ok(());
        };
        let partition = messages.contents.partition();
        let (reply, answer) = oneshot::channel();
        let request = Request::Locate {
            partition,
            from: first.offset,
            until: last.offset.next(),
            reply,
        };
        self.send(self.shard_of(partition.log), request).await;
        let slices = answer.await.map_err(|_| Failure::Stopping)?;
        messages.contents.found_at(slices);
        Ok(())
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
}
