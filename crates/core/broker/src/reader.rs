//! Reading without taking: follows a partition from an offset, record by record.
//!
//! ```text
//!            ┌─────────── the batches are used up, or released ──────────┐
//!            ▼                                                           │
//!  locate_next ─ found ─► read_next, with memory for them ─► next_record ┘
//!            └ at the end: Event::Readable follows when there is more
//! ```
//!
//! A reader leases nothing and changes nothing, so that any number of them read the same records,
//! each from where it likes, as long as the log keeps them.

use std::sync::{Arc, Weak};

use stele_base_types::{ConsumerId, Offset, PartitionId};
use stele_wire_batch::Record;

use crate::{
    Broker, Error, Failure, Share,
    contents::Contents,
    mailbox::{Event, Mailbox},
    read::{Read, ReadError},
    request::Request,
    turns::{Turn, Turns, Whose},
};

/// A session's reader of a partition.
#[derive(Debug)]
pub struct Reader {
    partition: PartitionId,
    /// The record to read next.
    next: Offset,
    /// The batches found.
    found: Option<Contents>,
    wake: Arc<Wake>,
    /// Its place in line, if it reads in turn with others.
    turn: Option<Turn>,
    /// Whether it is woken when the log is gone, wherever it reads.
    follows_end: bool,
}

/// Tells a session that its reader can go on.
#[derive(Debug)]
pub struct Wake {
    mailbox: Arc<Mailbox>,
    consumer: ConsumerId,
}

impl Wake {
    pub(crate) fn new(mailbox: Arc<Mailbox>, consumer: ConsumerId) -> Self {
        Self { mailbox, consumer }
    }

    pub(crate) fn wake(&self) {
        let consumer = self.consumer;
        self.mailbox.push(Event::Readable { consumer });
    }
}

impl Reader {
    pub(crate) fn new(partition: PartitionId, next: Offset, wake: Wake) -> Self {
        Self {
            partition,
            next,
            found: None,
            wake: Arc::new(wake),
            turn: None,
            follows_end: false,
        }
    }

    /// Makes it wait until the readers that are in line before it have ended.
    pub(crate) fn wait_in(&mut self, turns: &Arc<Turns>) {
        self.turn = Some(turns.join(self.partition, &self.wake));
    }

    /// Ends a reader, of whose records those from `unsettled` on haven't been dealt with. If it
    /// reads in turn with others, the next one continues there.
    pub fn end(mut self, unsettled: Option<Offset>) {
        if let Some(turn) = &mut self.turn
            && turn.stopped_at.is_some()
        {
            turn.stopped_at = Some(unsettled.unwrap_or(self.next));
        }
    }

    /// Whether it may read. From its first turn on, it continues where the one before it stopped.
    fn has_turn(&mut self) -> bool {
        let Some(turn) = &mut self.turn else {
            return true;
        };
        if turn.stopped_at.is_none() {
            match turn.whose() {
                Whose::Own(resume) => self.next = resume.unwrap_or(self.next),
                Whose::Others => return false,
            }
        }
        turn.stopped_at = Some(self.next);
        true
    }

    /// The partition that it reads.
    pub fn partition(&self) -> PartitionId {
        self.partition
    }

    /// Whether batches have been found that aren't used up.
    pub fn has_found(&self) -> bool {
        self.found.is_some()
    }

    /// Whether their bytes have been read.
    pub fn are_read(&self) -> bool {
        self.found.as_ref().is_some_and(Contents::are_read)
    }

    /// How many bytes they have at most, unless a single one is larger.
    pub fn size_bytes_max(&self) -> usize {
        self.found.as_ref().map_or(0, Contents::size_bytes_max)
    }

    /// Puts the last record back, so that it is read next again.
    pub fn put_back(&mut self) {
        if let Some(contents) = &mut self.found {
            self.next = Offset(self.next.0 - 1);
            contents.put_back();
        }
    }

    /// Whether the last record is a copy from an opened batch. Others are slices of the stored
    /// batch.
    pub fn are_copied(&self) -> bool {
        self.found.as_ref().is_some_and(Contents::are_copied)
    }

    /// Takes over the memory of the batches, for a caller that keeps slices of them.
    pub fn take_room(&mut self) -> Share {
        let found = self.found.as_mut();
        found.map_or(Share::NONE, Contents::take_room)
    }

    /// Has the session get an [`Event::Readable`] now.
    pub fn wake(&self) {
        self.wake.wake();
    }
}

impl Broker {
    /// Finds the next batches, of up to `bytes_max` bytes or a single one. `false` if there are
    /// none yet, or if it isn't the reader's turn: then the session gets an [`Event::Readable`]
    /// later. From the first call on, it also gets one when the log is gone. Records that the log
    /// no longer keeps are passed over.
    pub async fn locate_next(
        &self,
        reader: &mut Reader,
        bytes_max: usize,
    ) -> Result<bool, Error<ReadError>> {
        if !reader.follows_end {
            reader.follows_end = true;
            self.follow(reader, Offset(u64::MAX)).await;
        }
        if !reader.has_turn() {
            return Ok(false);
        }
        loop {
            let read = Read {
                partition: reader.partition,
                from: reader.next,
                bytes_max,
            };
            let reply = match self.read(read).await {
                Err(Error::Refused(ReadError::OffsetOutOfRange { start, .. }))
                    if reader.next < start =>
                {
                    reader.next = start;
                    continue;
                }
                // Its records are still to come.
                Err(Error::Refused(ReadError::OffsetOutOfRange { .. })) => None,
                reply => Some(reply?),
            };
            let Some(reply) = reply.filter(|reply| !reply.is_empty()) else {
                self.follow(reader, reader.next).await;
                return Ok(false);
            };
            reader.found = Some(Contents::at(reader.partition, reply.slices));
            return Ok(true);
        }
    }

    /// Reads the bytes of the batches found, with `room` taken for them. Fails if the disk can't be
    /// read.
    pub async fn read_next(&self, reader: &mut Reader, room: Share) -> Result<(), Failure> {
        match &mut reader.found {
            Some(contents) => self.read_contents(contents, room).await,
            None => Ok(()),
        }
    }

    /// The next record of the batches read; `None` once they are used up. Records that can't be
    /// read are passed over, up to the end of their batch, and so are offsets without a record.
    pub async fn next_record(&self, reader: &mut Reader) -> Result<Option<Record>, Failure> {
        let Some(contents) = &mut reader.found else {
            return Ok(None);
        };
        while reader.next < contents.end() {
            match self.record_at(contents, reader.next).await? {
                Ok(record) => {
                    reader.next = reader.next.next();
                    if record.is_some() {
                        return Ok(record);
                    }
                }
                Err(broken) => {
                    self.note_broken(reader.partition, &broken);
                    reader.next = broken.end;
                }
            }
        }
        self.contents_end(contents, reader.next);
        reader.found = None;
        Ok(None)
    }

    /// Releases the bytes until the caller continues.
    pub fn pause_reader(&self, reader: &mut Reader) {
        if let Some(mut contents) = reader.found.take() {
            self.release_contents(&mut contents, Some(reader.next));
        }
    }

    /// Whether the log that it reads still exists.
    pub async fn has_log_of(&self, reader: &Reader) -> bool {
        let bounds = self.read(Read {
            partition: reader.partition,
            from: Offset::ZERO,
            bytes_max: 0,
        });
        let gone = ReadError::NoSuchLog;
        !matches!(bounds.await, Err(Error::Refused(refused)) if refused == gone)
    }

    /// Has the reader woken when there are records past an offset, or the log is gone.
    async fn follow(&self, reader: &Reader, past: Offset) {
        let request = Request::Follow {
            partition: reader.partition,
            past,
            wake: Arc::downgrade(&reader.wake),
        };
        self.send(self.shard_of(reader.partition.log), request)
            .await;
    }
}

/// Who is told that a partition has more records, as long as its reader exists.
pub(crate) type Follower = Weak<Wake>;
