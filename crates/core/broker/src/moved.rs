//! Messages that are moved to another log.

use bytes::Bytes;
use smallvec::SmallVec;
use stele_base_types::{LogId, Offset, PartitionId, PartitionIndex, murmur2};
use stele_core_engine::{
    Catalogue, HeaderChange, LeaseId, LedgerId, Move, MoveError, MovedRun, Origin, Schedule,
    SettleItem,
    limits::{MOVE_HEADERS_BYTES_MAX, RUN_RECORDS_MAX},
};
use stele_wire_batch::{Batch, BatchBuilder, Body, NewRecord, Record, RecordHeader};
use tokio::sync::oneshot;

use crate::{
    AnswerTo, Broker, Error, Failure, Request,
    limits::{MOVED_RUN_BYTES_MAX, MOVED_SIZE_BYTES_MAX},
    opening::size_of_body,
    read::unreadable,
};

/// What a record takes in a batch besides its content, at most: its lengths, and the header that
/// says where it is from.
const RECORD_EXTRA_BYTES: usize = 128;

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

/// Messages to be moved to another log together, as read from their own.
#[derive(Clone, Debug)]
pub struct MoveMessages {
    /// The log that they are in.
    pub log: LogId,
    /// The ledger in which they are ready or leased.
    pub ledger: LedgerId,
    /// Their partition.
    pub partition: PartitionIndex,
    /// The logs that they are moved to, all on one shard.
    pub to: SmallVec<[LogId; 1]>,
    /// Whether further logs are to get them, so that they stay. Only for dead messages.
    pub is_copied: bool,
    /// Whether only messages with the same key and priority may go together, because the others
    /// might belong to other partitions.
    is_parted: bool,
    messages: Vec<MovedMessage>,
    /// The size of the messages.
    size_bytes: usize,
    /// The size of the changes to their headers that are listed in the command.
    changes_size_bytes: usize,
}

/// A message as another log gets it.
#[derive(Clone, Debug)]
pub struct MovedMessage {
    /// The message, with its offset.
    pub record: Record,
    /// The lease that must hold it; with `None` it is moved in any state except settled.
    pub lease: Option<LeaseId>,
    /// The changes to its headers.
    pub headers: Vec<HeaderChange>,
    /// Its schedule in the other log. If no key is given, the record's own is used.
    pub schedule: Schedule,
}

impl MovedMessage {
    /// The size of its body, as queues that limit their length count it.
    pub fn body_bytes(&self) -> u64 {
        u64::from(size_of_body(&self.record))
    }

    fn schedule(&self) -> Schedule {
        let key = self.record.key.as_deref().map(murmur2);
        Schedule {
            key: self.schedule.key.or(key),
            body_bytes: Some(size_of_body(&self.record)),
            ..self.schedule
        }
    }

    fn size_bytes(&self) -> usize {
        self.record.size_bytes() + self.changes_size_bytes() + RECORD_EXTRA_BYTES
    }

    fn changes_size_bytes(&self) -> usize {
        self.headers.iter().map(HeaderChange::size_bytes).sum()
    }

    /// Whether it comes right after another one, under the next lease.
    fn follows(&self, other: &Self) -> bool {
        let is_next = |(own, other): (LeaseId, LeaseId)| own.0 == other.0.wrapping_add(1);
        let lease_follows = match (self.lease, other.lease) {
            (None, None) => true,
            (own, other) => own.zip(other).is_some_and(is_next),
        };
        self.record.offset == other.record.offset.next() && lease_follows
    }
}

impl MoveMessages {
    /// No messages yet, of a partition of a log.
    pub fn new(
        log: LogId,
        ledger: LedgerId,
        partition: PartitionIndex,
        to: SmallVec<[LogId; 1]>,
    ) -> Self {
        Self {
            log,
            ledger,
            partition,
            to,
            is_copied: false,
            is_parted: true,
            messages: Vec::new(),
            size_bytes: 0,
            changes_size_bytes: 0,
        }
    }

    /// Looks up what the targets allow to go together.
    #[must_use]
    pub fn as_defined(mut self, catalogue: &Catalogue) -> Self {
        self.is_parted = self.to.iter().any(|log| {
            let target = catalogue.log_by_id(*log);
            target.is_some_and(|target| target.config.partitions > 1)
        });
        self
    }

    /// The same without its messages.
    #[must_use]
    pub fn without_messages(&self) -> Self {
        Self {
            to: self.to.clone(),
            messages: Vec::new(),
            size_bytes: 0,
            changes_size_bytes: 0,
            ..*self
        }
    }

    /// The messages.
    pub fn messages(&self) -> &[MovedMessage] {
        &self.messages
    }

    /// Adds a message, or returns it if it can't be moved together with those before.
    pub fn push(&mut self, message: MovedMessage) -> Result<(), Box<MovedMessage>> {
        let mut changes_size_bytes = message.changes_size_bytes();
        if let Some(last) = self.messages.last() {
            if last.headers == message.headers {
                // They are listed once.
                changes_size_bytes = 0;
            }
            let (own, its) = (last.schedule(), message.schedule());
            let is_same_part = (own.key, own.priority) == (its.key, its.priority);
            let fits = self.messages.len() < RUN_RECORDS_MAX as usize
                && self.size_bytes + message.size_bytes() <= MOVED_RUN_BYTES_MAX
                && self.changes_size_bytes + changes_size_bytes <= MOVE_HEADERS_BYTES_MAX;
            if !fits || !message.follows(last) || (self.is_parted && !is_same_part) {
                return Err(Box::new(message));
            }
        }
        self.size_bytes += message.size_bytes();
        self.changes_size_bytes += changes_size_bytes;
        self.messages.push(message);
        Ok(())
    }

    /// Makes the request, and the channel for its answer.
    pub fn request(&self) -> Result<(Request, AnswerTo<Move>), Failure> {
        let Some(first) = self.messages.first() else {
            return Err(Failure::TooLarge("no message to be moved".into()));
        };
        let partition = PartitionId::new(self.log, self.partition);
        let records = self.messages.iter();
        let records = records.map(|message| (&message.record, message.headers.as_slice()));
        let batch = moved_batch(partition, records, true, self.size_bytes)?;
        let item = SettleItem {
            partition: self.partition,
            offset: first.record.offset,
            lease: first.lease,
        };
        let messages = self.messages.iter();
        let run = MovedRun {
            count: batch.header().record_count(),
            size_bytes: size_of(&batch),
            timestamp: batch.header().max_timestamp(),
            schedules: messages.clone().map(MovedMessage::schedule).collect(),
            headers: messages.map(|message| message.headers.clone()).collect(),
            is_marked: true,
            also: Vec::new(),
        };
        let command = Move {
            log: self.log,
            ledger: self.ledger,
            item,
            to: self.to.clone(),
            is_copied: self.is_copied,
            run,
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
    /// Moves messages to another log, exactly once. Returns when the decision is final: the other
    /// log has the messages or will get them. If a log on another shard doesn't accept them,
    /// because the log is gone or disk space is short, they return to their place. Returns how many
    /// of them, from the first one on, that is true of: the others couldn't be moved with those.
    pub async fn move_messages(&self, messages: &MoveMessages) -> Result<u32, Error<MoveError>> {
        let answer = self.begin_move(messages).await?;
        answer.await.map_err(|_| Failure::Stopping)?
    }

    /// Begins to move messages. Moves that are begun one after the other are made in that order.
    pub async fn begin_move(&self, messages: &MoveMessages) -> Result<AnswerTo<Move>, Failure> {
        let shard = self.shard_of(messages.log);
        let (request, answer) = messages.request()?;
        self.send(shard, request).await;
        Ok(answer)
    }
}

/// The batch that the other log gets. Always the same for the same records, because it is made
/// again if the link lost it.
fn moved_batch<'a>(
    from: PartitionId,
    records: impl Iterator<Item = (&'a Record, &'a [HeaderChange])>,
    is_marked: bool,
    capacity: usize,
) -> Result<Batch, Failure> {
    let mut builder = BatchBuilder::with_capacity(capacity);
    for (record, changes) in records {
        let origin = is_marked.then(|| origin_to_add(from, record, changes));
        let origin = origin.flatten();
        let is_kept =
            |header: &RecordHeader<'_>| changes.iter().all(|change| *change.key != *header.key);
        let new = changes.iter().filter_map(|change| {
            let value = Some(change.value.as_deref()?);
            let key = &change.key;
            Some(RecordHeader { key, value })
        });
        let origin = origin.as_ref().map(|value| RecordHeader {
            key: ORIGIN_HEADER.as_bytes(),
            value: Some(value.as_bytes()),
        });
        let kept = record.headers.iter().filter(is_kept);
        let headers: SmallVec<[_; 8]> = kept.chain(new).chain(origin).collect();
        let added = builder.push(&as_new(record, &headers));
        added.map_err(|error| Failure::TooLarge(error.to_string().into()))?;
    }
    let size_bytes = builder.size_bytes();
    if size_bytes > MOVED_SIZE_BYTES_MAX {
        let what = format!(
            "a message of {size_bytes} bytes, but at most {MOVED_SIZE_BYTES_MAX} can be moved"
        );
        return Err(Failure::TooLarge(what.into()));
    }
    Ok(builder.finish())
}

fn as_new<'a>(record: &'a Record, headers: &'a [RecordHeader<'a>]) -> NewRecord<'a> {
    let value = record.value.as_deref();
    NewRecord {
        timestamp: record.timestamp,
        key: record.key.as_deref(),
        value: value.map_or(Body::Null, Body::Whole),
        headers,
    }
}

/// The value of the header that says where a record was first, if it has none yet.
fn origin_to_add(from: PartitionId, record: &Record, changes: &[HeaderChange]) -> Option<String> {
    let has_it = record.headers.last(ORIGIN_HEADER).is_some()
        || changes
            .iter()
            .any(|change| *change.key == *ORIGIN_HEADER.as_bytes());
    (!has_it).then(|| format!("{}/{}/{}", from.log.0, from.index.0, record.offset.0))
}

/// Makes the batch again from the stored records. `None` if they aren't all there.
pub(crate) fn moved_again(
    from: Origin,
    records: &[Record],
    run: &MovedRun,
) -> Result<Option<Batch>, Failure> {
    let offsets = from.run(run.count).offsets();
    if !records.iter().map(|record| record.offset).eq(offsets) {
        return Ok(None);
    }
    let partition = PartitionId::new(from.log, from.partition);
    let capacity = run.size_bytes as usize;
    let records = records.iter().zip(run.headers());
    moved_batch(partition, records, run.is_marked, capacity).map(Some)
}

/// The first `count` of moved records, and their batch.
pub(crate) fn first_of(
    run: &MovedRun,
    body: &Bytes,
    count: u32,
) -> Result<(MovedRun, Bytes), Failure> {
    let whole = Batch::new(body.clone()).map_err(unreadable)?;
    let mut builder = BatchBuilder::with_capacity(body.len());
    let records = whole.records(usize::MAX).map_err(unreadable)?;
    for record in records.take(count as usize) {
        let record = record.map_err(unreadable)?;
        let headers: SmallVec<[_; 8]> = record.headers.iter().collect();
        builder
            .push(&as_new(&record, &headers))
            .map_err(unreadable)?;
    }
    let batch = builder.finish();
    let first = run.first(count, size_of(&batch), batch.header().max_timestamp());
    Ok((first, batch.into_bytes()))
}

fn size_of(batch: &Batch) -> u32 {
    u32::try_from(batch.bytes().len()).expect("a moved batch is within its limit")
}
