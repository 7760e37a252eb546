//! A message that is moved to another log.

use bytes::Bytes;
use smallvec::SmallVec;
use stele_base_types::{LogId, Offset, PartitionId, PartitionIndex, murmur2};
use stele_core_engine::{
    HeaderChange, LeaseId, LedgerId, Move, MoveError, MovedRecord, Schedule, SettleItem,
};
use stele_wire_batch::{Batch, BatchBuilder, Body, NewRecord, Record, RecordHeader};
use tokio::sync::oneshot;

use crate::{
    AnswerTo, Broker, Error, Failure, Request, limits::MOVED_SIZE_BYTES_MAX, opening::size_of_body,
};

/// The header that says where a moved record was first: its log, partition and offset there. With
/// it, a protocol whose message ids depend on the place keeps them.
pub const ORIGIN_HEADER: &str = "stele.origin";

/// Where a record was before it was moved for the first time; `None` if it was never moved.
pub fn origin_of(record: &Record) -> Option<(PartitionId, Offset)> {
    let text = std::str::from_utf8(record.headers.last(ORIGIN_HEADER)?).ok()?;
    let mut numbers = text.split('/');
    let log = LogId(numbers.next()?.parse().ok()?);
    let index = PartitionIndex(numbers.next()?.parse().ok()?);
    let offset = Offset(numbers.next()?.parse().ok()?);
    Some((PartitionId::new(log, index), offset))
}

/// A message to be moved to another log, as read from its own.
#[derive(Clone, Debug)]
pub struct MoveMessage {
    /// The log that it is in.
    pub log: LogId,
    /// The ledger in which it is ready or leased.
    pub ledger: LedgerId,
    /// Its partition.
    pub partition: PartitionIndex,
    /// The lease that must hold it; with `None` it is moved in any state except settled.
    pub lease: Option<LeaseId>,
    /// The message, with its offset.
    pub record: Record,
    /// The logs that it is moved to, all on one shard.
    pub to: SmallVec<[LogId; 1]>,
    /// Whether further logs are to get it, so that it stays. Only for a dead message.
    pub is_copied: bool,
    /// The changes to its headers.
    pub headers: Vec<HeaderChange>,
    /// Its schedule in the other log. If no key is given, the record's own is used.
    pub schedule: Schedule,
}

impl MoveMessage {
    /// Makes the request, and the channel for its answer.
    pub fn request(mut self) -> Result<(Request, AnswerTo<Move>), Failure> {
        if self.record.headers.last(ORIGIN_HEADER).is_none() {
            let (log, partition, offset) = (self.log.0, self.partition.0, self.record.offset.0);
            self.headers.push(HeaderChange {
                key: ORIGIN_HEADER.as_bytes().into(),
                value: Some(format!("{log}/{partition}/{offset}").into_bytes().into()),
            });
        }
        let batch = moved_batch(&self.record, &self.headers)?;
        let key = self.record.key.as_deref().map(murmur2);
        let schedule = Schedule {
            key: self.schedule.key.or(key),
            body_bytes: Some(size_of_body(&self.record)),
            ..self.schedule
        };
        let command = Move {
            log: self.log,
            ledger: self.ledger,
            item: SettleItem {
                partition: self.partition,
                offset: self.record.offset,
                lease: self.lease,
            },
            to: self.to,
            is_copied: self.is_copied,
            record: MovedRecord {
                size_bytes: u32::try_from(batch.bytes().len())
                    .expect("a moved batch is within its limit"),
                timestamp: batch.header().max_timestamp(),
                schedule,
                headers: self.headers,
                also: Vec::new(),
            },
        };
        let (reply, answer) = oneshot::channel();
        let request = Request::Move {
            command: Box::new(command),
            body: batch.into_bytes(),
            reply,
        };
        Ok((request, answer))
    }
}

impl Broker {
    /// Moves a message to another log, exactly once. Returns when the decision is final: the other
    /// log has the message or will get it. If a log on another shard doesn't accept the message,
    /// because the log is gone or disk space is short, the message returns to its place.
    pub async fn move_message(&self, message: MoveMessage) -> Result<(), Error<MoveError>> {
        let answer = self.begin_move(message).await?;
        answer.await.map_err(|_| Failure::Stopping)?
    }

    /// Begins to move a message. Moves that are begun one after the other are made in that order.
    pub async fn begin_move(&self, message: MoveMessage) -> Result<AnswerTo<Move>, Failure> {
        let shard = self.shard_of(message.log);
        let (request, answer) = message.request()?;
        self.send(shard, request).await;
        Ok(answer)
    }
}

/// The batch that the other log gets. Always the same for the same record, because it is made again
/// if the link lost it.
pub(crate) fn moved_batch(record: &Record, changes: &[HeaderChange]) -> Result<Batch, Failure> {
    let is_kept =
        |header: &RecordHeader<'_>| changes.iter().all(|change| *change.key != *header.key);
    let new = changes.iter().filter_map(|change| {
        let value = Some(change.value.as_deref()?);
        let key = &change.key;
        Some(RecordHeader { key, value })
    });
    let headers: Vec<_> = record.headers.iter().filter(is_kept).chain(new).collect();
    let value = record.value.as_deref();
    let batch = BatchBuilder::single(&NewRecord {
        timestamp: record.timestamp,
        key: record.key.as_deref(),
        value: value.map_or(Body::Null, Body::Whole),
        headers: &headers,
    });
    let batch = batch.map_err(|error| Failure::TooLarge(error.to_string().into()))?;
    let size_bytes = batch.bytes().len();
    if size_bytes > MOVED_SIZE_BYTES_MAX {
        let what = format!(
            "a message of {size_bytes} bytes, but at most {MOVED_SIZE_BYTES_MAX} can be moved"
        );
        return Err(Failure::TooLarge(what.into()));
    }
    Ok(batch)
}

/// Makes the batch again from the stored batches that hold the record. `None` if they don't hold
/// it.
pub(crate) fn moved_again(
    records: Vec<Record>,
    changes: &[HeaderChange],
) -> Result<Option<Bytes>, Failure> {
    let record = records.into_iter().next();
    let batch = record.map(|record| moved_batch(&record, changes));
    Ok(batch.transpose()?.map(Batch::into_bytes))
}
