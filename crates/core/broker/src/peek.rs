//! Looking at the messages of a log without taking them.

use bytes::Bytes;
use stele_base_types::{LogId, Offset, PartitionId, PartitionIndex};
use stele_core_engine::{LogError, Peek, PeekedRecord};
use stele_wire_batch::Record;
use tokio::sync::oneshot;

use crate::{
    Broker, Error, Failure, Kind, Read, Share,
    contents::Contents,
    limits::{PEEKED_BODY_BYTES_MAX, PEEKED_BYTES_MAX, PEEKED_PIECE_BYTES},
    request::Request,
};

/// A page of messages.
#[derive(Debug, Default)]
pub struct PeekedMessages {
    /// In order of partition and offset.
    pub messages: Vec<PeekedMessage>,
    /// What to continue after; `None` if there is no more.
    pub next: Option<(PartitionIndex, Offset)>,
    /// The memory of the messages.
    pub room: Share,
}

/// A message that a look found.
#[derive(Clone, Debug)]
pub struct PeekedMessage {
    /// Where it is, and its state.
    pub found: PeekedRecord,
    /// Its content, with a body cut to 64 KiB. `None` if it can't be read, isn't a message, or has
    /// gone meanwhile.
    pub content: Option<Record>,
    /// The size of the whole body.
    pub body_bytes: usize,
}

impl Broker {
    /// Looks at the messages of a ledger, which changes nothing: they are neither delivered nor
    /// moved, and stay in their state. A page ends early when its messages are large.
    pub async fn peek(&self, peek: Peek) -> Result<PeekedMessages, Error<LogError>> {
        let (reply, answer) = oneshot::channel();
        let request = Request::Peek { peek, reply };
        self.send(self.shard_of(peek.log), request).await;
        let found = answer.await.map_err(|_| Failure::Stopping)?;
        let found = found.map_err(Error::Refused)?;
        let broker = &self.for_client();
        let mut look = Look {
            broker,
            contents: None,
            room: self
                .memory()
                .take(Kind::Responses, PEEKED_BYTES_MAX + PEEKED_PIECE_BYTES)
                .await,
        };
        let mut page = PeekedMessages {
            next: found.next,
            ..PeekedMessages::default()
        };
        let mut left = PEEKED_BYTES_MAX;
        for found in found.records {
            let message = look.message(peek.log, found).await?;
            let size_bytes = message.content.as_ref().map_or(0, Record::size_bytes);
            page.messages.push(message);
            left = left.saturating_sub(size_bytes);
            if left == 0 {
                page.next = Some((found.partition, found.offset));
                break;
            }
        }
        look.room.shrink_to(PEEKED_BYTES_MAX);
        page.room = look.room;
        Ok(page)
    }
}

/// Reads the messages that were found, one after the other.
struct Look<'a> {
    broker: &'a Broker,
    /// The batches around the last message.
    contents: Option<Contents>,
    room: Share,
}

impl Look<'_> {
    async fn message(&mut self, log: LogId, found: PeekedRecord) -> Result<PeekedMessage, Failure> {
        let partition = PartitionId::new(log, found.partition);
        let record = self.record(partition, found.offset).await?;
        let body_bytes = record
            .as_ref()
            .and_then(|record| record.value.as_ref())
            .map_or(0, Bytes::len);
        Ok(PeekedMessage {
            found,
            content: record.map(cut),
            body_bytes,
        })
    }

    async fn record(
        &mut self,
        partition: PartitionId,
        offset: Offset,
    ) -> Result<Option<Record>, Failure> {
        let has_it =
            |contents: &Contents| contents.partition() == partition && offset < contents.end();
        if !self.contents.as_ref().is_some_and(has_it) {
            self.release();
            self.contents = self.read(partition, offset).await?;
        }
        let Some(contents) = &mut self.contents else {
            return Ok(None);
        };
        let record = self.broker.record_at(contents, offset).await?;
        Ok(record.unwrap_or_else(|broken| {
            self.broker.note_broken(partition, &broken);
            None
        }))
    }

    /// Reads the batches from a record on. `None` if it has gone.
    async fn read(
        &mut self,
        partition: PartitionId,
        offset: Offset,
    ) -> Result<Option<Contents>, Failure> {
        let read = self.broker.read(Read {
            partition,
            from: offset,
            bytes_max: PEEKED_PIECE_BYTES,
        });
        let reply = match read.await {
            Ok(reply) => reply,
            Err(Error::Failed(failure)) => return Err(failure),
            Err(Error::Refused(_)) => return Ok(None),
        };
        let mut contents = Contents::at(partition, reply.slices);
        let room = self.room.split_off(PEEKED_BYTES_MAX);
        self.broker.read_contents(&mut contents, room).await?;
        Ok(Some(contents))
    }

    fn release(&mut self) {
        if let Some(mut contents) = self.contents.take() {
            let room = contents.take_room();
            self.broker.release_contents(&mut contents, None);
            self.room.merge(room);
        }
    }
}

/// The record with a limited body, apart from its batch.
fn cut(record: Record) -> Record {
    let body = record.value.as_ref();
    let body = body.map(|body| body.slice(..body.len().min(PEEKED_BODY_BYTES_MAX)));
    Record {
        value: body,
        ..record
    }
    .detached()
}
